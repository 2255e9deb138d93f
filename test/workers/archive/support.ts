/** Moves events to the archive at once, whatever their age. */
import { env } from 'cloudflare:workers'
import type { Scope } from '../../../src/registry/customer.ts'
import { archiveNext, OBJECT_BOUNDS } from '../../../src/storage/archive/archiver.ts'
import { openDatabase } from '../../../src/storage/database.ts'

const DAY_MS = 86_400_000

export const db = openDatabase(env.DB)

/** Archives the oldest events of a tenant and mode, in so many objects of so many events; by default all that there are. */
export async function archived(
  scope: Scope,
  events: number = OBJECT_BOUNDS.events,
  d1 = env.DB,
  objects = Number.POSITIVE_INFINITY,
): Promise<void> {
  const deps = { db: openDatabase(d1), archive: env.ARCHIVE, bounds: { ...OBJECT_BOUNDS, events } }
  for (let made = 0; made < objects; made++) if (!(await archiveNext(deps, scope, Date.now() + DAY_MS))) return
}
