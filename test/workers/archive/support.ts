/** Moves events to the archive at once, whatever their age. */
import { env } from 'cloudflare:workers'
import type { Scope } from '../../../src/registry/customer.ts'
import { archiveNext, OBJECT_BOUNDS } from '../../../src/storage/archive/archiver.ts'
import { openDatabase } from '../../../src/storage/database.ts'

const DAY_MS = 86_400_000

export const db = openDatabase(env.DB)

/** Archives all events of a tenant and mode that there are, in objects of so many. */
export async function archived(scope: Scope, events: number = OBJECT_BOUNDS.events, d1 = env.DB): Promise<void> {
  const deps = { db: openDatabase(d1), archive: env.ARCHIVE, bounds: { ...OBJECT_BOUNDS, events } }
  while (await archiveNext(deps, scope, Date.now() + DAY_MS)) {
    // Goes on.
  }
}
