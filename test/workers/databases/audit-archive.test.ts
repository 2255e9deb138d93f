/** The audit of all tenants has the archives of all databases, in one order, whatever is archived between its pages. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { auditLog } from '../../../src/storage/tenants/audit-reads.ts'
import {
  archiveSome,
  insertEvents,
  type Owner,
  ownersOf,
  putBehind,
  readAll,
  seeded,
  selected,
} from '../archive/audit-model.ts'
import { databases, newTenantIn } from './support.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const BEGAN_MS = Date.UTC(2025, 5, 1)
/** Other files of this project have events of other times. */
const RANGE = { startMs: BEGAN_MS - HOUR_MS, endMs: BEGAN_MS + 5 * DAY_MS }

it('is one list, with every filter and in pages of any size, and shows each event once', async () => {
  const random = seeded(11)
  const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T
  const owners: Owner[] = []
  for (const [number, d1] of databases.entries()) owners.push(...(await ownersOf(await newTenantIn(number), d1)))
  for (const d1 of databases) await putBehind(d1)
  const times = Array.from({ length: 60 }, (_, at) => BEGAN_MS + at * HOUR_MS + Math.floor(random() * HOUR_MS * 0.9))
  await insertEvents(owners, times, random)
  const all = await readAll(auditLog(databases), RANGE, 100)
  expect(all).toHaveLength(60)
  expect(new Set(all.map(({ tenantId }) => tenantId)).size).toBe(databases.length)

  /** Bounds that end within an index of one database while others are read on, or after few objects. */
  const narrow = [
    { objects: 50, events: 1_000, indexRows: 4, carried: 50 },
    { objects: 3, events: 10, indexRows: 5, carried: 2 },
  ]
  // The first database has many small objects, the others a few.
  for (const owner of owners) await archiveSome(owner, BEGAN_MS + 1.5 * DAY_MS, owner.d1 === databases[0] ? 1 : 9, 100)
  let archived = 0
  for (const [at, filter] of [
    {},
    { actor: 'key_a' },
    { requestId: 'req_3' },
    { type: 'customer.archived' },
  ].entries()) {
    const query = { ...RANGE, ...filter }
    const archiveOne = async () => {
      archived += await archiveSome(one(owners), BEGAN_MS + 3 * DAY_MS, 1 + Math.floor(random() * 4), 1)
    }
    for (const bounds of at === 0 ? narrow : [undefined]) {
      const read = await readAll(auditLog(databases, env.ARCHIVE, bounds), query, 3 + at, archiveOne)
      expect(read, JSON.stringify([query, bounds])).toEqual(selected(all, query))
    }
  }
  expect(archived).toBeGreaterThan(10)
  for (const d1 of databases) {
    expect(await d1.prepare('SELECT count(*) AS n FROM archive_objects').first<number>('n')).toBeGreaterThan(3)
  }
})
