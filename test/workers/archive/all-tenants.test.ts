/** The audit of all tenants goes on into the archive: as if all events were in D1, whenever they are archived, at a bounded cost. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MERGED_BOUNDS } from '../../../src/storage/archive/merged-reads.ts'
import { countingOpened } from '../../../src/storage/archive/reads.ts'
import { auditLog } from '../../../src/storage/tenants/audit-reads.ts'
import type { AuditEntry, AuditQuery } from '../../../src/tenants/ports.ts'
import { metered, spent } from '../storage/support.ts'
import { ADMIN_KEY, call, newTenant } from '../support/roster.ts'
import { archiveSome, insertEvents, type Owner, ownersOf, putBehind, readAll, seeded, selected } from './audit-model.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const BEGAN_MS = Date.UTC(2025, 2, 1)
const DAYS = 4

/** Bounds that make every read end early. */
const NARROW = [
  { objects: 3, events: 4, indexRows: 4, carried: 2 },
  { objects: 2, events: 1_000, indexRows: 1_000, carried: 3 },
  { objects: 1_000, events: 1_000, indexRows: 5, carried: 50 },
]

const QUERIES: AuditQuery[] = [
  {},
  { actor: 'key_a' },
  { type: 'customer.archived' },
  { type: 'customer.erased' },
  { type: 'tenant.created' },
  { requestId: 'req_2' },
  { requestId: 'nobody' },
  { startMs: BEGAN_MS + 1.3 * DAY_MS },
  { endMs: BEGAN_MS + 2.6 * DAY_MS },
  { startMs: BEGAN_MS + 0.7 * DAY_MS, endMs: BEGAN_MS + 2.1 * DAY_MS, actor: 'op_c' },
  { actor: 'key_b', type: 'customer.updated', requestId: 'req_1' },
]

const random = seeded(7)
const inDisorder = <T>(items: readonly T[]) =>
  items
    .map((item) => [random(), item] as const)
    .sort(([one], [other]) => one - other)
    .map(([, item]) => item)

/** Different minutes of the days. */
function minutes(count: number): number[] {
  const all = Array.from({ length: DAYS * 24 * 60 }, (_, at) => BEGAN_MS + at * MINUTE_MS)
  return inDisorder(all)
    .slice(0, count)
    .sort((one, other) => one - other)
}

const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T
const idsOf = (entries: readonly AuditEntry[]) => entries.map(({ id }) => id)

/** Makes tenants with events at these times, committed in this order, and returns the whole audit as D1 has it. */
async function history(timesMs: readonly number[], tenants = 4): Promise<{ owners: Owner[]; all: AuditEntry[] }> {
  const owners: Owner[] = []
  for (let n = 0; n < tenants; n++) owners.push(...(await ownersOf(await newTenant())))
  await putBehind(env.DB)
  await insertEvents(owners, timesMs, random)
  const all = await readAll(auditLog([env.DB]), {}, 100)
  expect(all.length).toBeGreaterThan(timesMs.length)
  return { owners, all }
}

/** Returns the database, with something that is done once when its first batch is answered. */
function onceAfterBatch(d1: D1Database, act: () => Promise<void>): D1Database {
  let isDone = false
  const withSession = () => ({
    prepare: (sql: string) => d1.prepare(sql),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await d1.batch(statements)
      if (!isDone) {
        isDone = true
        await act()
      }
      return results
    },
  })
  return { withSession } as unknown as D1Database
}

/** Adds so many objects of one day to the index. They have what the first object of the index has. */
async function manyObjects(count: number, events: number, isOfGoneTenant: boolean): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO archive_objects (tenant_id, mode, last_id, first_id, name, events, bytes, first_at, last_at, customers)
     SELECT iif(?3, 'gone', tenant_id), mode, printf('evt_01JMZ%021d', i), 'evt_01JMY0000000000000000000000', name, ?2, bytes, first_at, last_at, customers
     FROM n CROSS JOIN (SELECT * FROM archive_objects ORDER BY rowid LIMIT 1)`,
  )
    .bind(count, events, isOfGoneTenant ? 1 : 0)
    .run()
}

/** Reads some pages, and returns what each cost. */
async function costsOf(
  query: AuditQuery,
  count: number,
): Promise<{ opened: number; rowsRead: number; queries: number }[]> {
  const { d1, costs } = metered(env.DB)
  let opened = 0
  const archive = countingOpened(env.ARCHIVE, () => opened++)
  const pages: { opened: number; rowsRead: number; queries: number }[] = []
  for (let afterId: string | null = null; pages.length < count; opened = 0) {
    afterId = (await auditLog([d1], archive).read(query, { limit: 50, afterId })).position
    pages.push({ opened, queries: costs.length, ...spent(costs) })
    expect(afterId).not.toBeNull()
  }
  return pages
}

/** Deletes all events and objects, so that the next part of a test has an audit of its own. */
async function emptied(): Promise<void> {
  await env.DB.batch(
    ['events', 'archive_objects', 'admin_audit'].map((table) => env.DB.prepare(`DELETE FROM ${table}`)),
  )
}

afterEach(emptied)

describe('the audit of all tenants', () => {
  it('is what it was when all events were in D1, with every filter and in pages of any size, however many are archived', async () => {
    const { owners, all } = await history(minutes(80), 3)
    const beforeMs = [BEGAN_MS + DAY_MS, BEGAN_MS + 2 * DAY_MS, BEGAN_MS + (DAYS + 1) * DAY_MS]
    for (const [round, before] of beforeMs.entries()) {
      // At last some tenants have everything in the archive, and others keep what is younger.
      for (const owner of round === 2 ? owners.slice(0, 5) : owners)
        await archiveSome(owner, before, 1 + round * 2, 100)
      for (const [at, query] of QUERIES.entries()) {
        const wanted = selected(all, query)
        const bounds = NARROW[(at + round) % NARROW.length]
        for (const [log, limit] of [
          [auditLog([env.DB], env.ARCHIVE), [1, 7, 100][(at + round) % 3] as number],
          [auditLog([env.DB], env.ARCHIVE, bounds), 3 + (at % 4)],
        ] as const) {
          const read = await readAll(log, query, limit)
          expect(
            read.map(({ id }) => id),
            JSON.stringify([round, query, limit, bounds]),
          ).toEqual(wanted.map(({ id }) => id))
          expect(read).toEqual(wanted)
        }
      }
    }
    expect(await env.DB.prepare('SELECT count(*) AS n FROM archive_objects').first<number>('n')).toBeGreaterThan(20)
  })
  it('shows each event once and in order, whatever is archived between its pages', async () => {
    let archived = 0
    for (const [at, query] of [{}, {}, { actor: 'key_a' }].entries()) {
      const { owners, all } = await history(minutes(70), 2)
      const bounds = NARROW[at]
      const log = auditLog([env.DB], env.ARCHIVE, bounds)
      // Some are archived before, and one object after each page.
      for (const owner of owners.slice(0, 2)) await archiveSome(owner, BEGAN_MS + 2 * DAY_MS, 3, 2)
      const read = await readAll(log, query, 2 + at, async () => {
        archived += await archiveSome(one(owners), BEGAN_MS + (DAYS + 1) * DAY_MS, 1 + Math.floor(random() * 4), 1)
      })
      expect(idsOf(read), JSON.stringify([at, query])).toEqual(idsOf(selected(all, query)))
      await emptied()
    }
    expect(archived).toBeGreaterThan(9)
  })

  it('shows each event once, if many were made within a second and were committed in another order', async () => {
    for (let round = 0; round < NARROW.length; round++) {
      const times = Array.from({ length: 60 }, (_, at) => BEGAN_MS + at * 150 + Math.floor(random() * 9_000))
      const { owners, all } = await history(times, 2)
      for (const owner of owners.slice(0, 3)) await archiveSome(owner, BEGAN_MS + 7_000, 3, 3)
      const log = auditLog([env.DB], env.ARCHIVE, NARROW[round])
      const read = await readAll(log, {}, 2 + round, () =>
        archiveSome(one(owners), BEGAN_MS + DAY_MS, 1 + Math.floor(random() * 3), 1),
      )
      expect(idsOf(read).toSorted(), `round ${round}`).toEqual(idsOf(all).toSorted())
      await emptied()
    }
  })
  it('shows an event that is archived while its page is read', async () => {
    const { owners, all } = await history(minutes(40), 2)
    const d1 = onceAfterBatch(env.DB, async () => {
      for (const owner of owners) await archiveSome(owner, Date.now() + DAY_MS, 4, 100)
    })
    expect(await readAll(auditLog([d1], env.ARCHIVE), {}, 30)).toEqual(all)
    expect(await env.DB.prepare('SELECT count(*) AS n FROM archive_objects').first<number>('n')).toBeGreaterThan(3)
  })

  it('passes over what was deleted or erased since, as the audit of one tenant does', async () => {
    const { owners, all } = await history(minutes(60), 2)
    for (const owner of owners) await archiveSome(owner, BEGAN_MS + (DAYS + 1) * DAY_MS, 3, 100)
    const [first, second] = owners as [Owner, Owner]
    const [gone = ''] = first.customers
    const erased = await call('POST', `/v1/customers/${gone}/erase`, { key: first.key })
    expect(erased.status).toBe(200)
    const log = auditLog([env.DB], env.ARCHIVE, { objects: 3, events: 100, indexRows: 100, carried: 20 })
    const isOf = ({ tenantId, mode }: AuditEntry, { scope }: Owner) =>
      tenantId === scope.tenantId && mode === scope.mode
    // The objects of another tenant are deleted when some of their events wait in the position.
    let pages = 0
    const read = await readAll(log, { endMs: BEGAN_MS + (DAYS + 1) * DAY_MS }, 4, async () => {
      if (++pages !== 4) return
      const { tenantId, mode } = second.scope
      const objects = env.DB.prepare('SELECT name FROM archive_objects WHERE tenant_id = ? AND mode = ?').bind(
        tenantId,
        mode,
      )
      await env.ARCHIVE.delete((await objects.raw<[string]>()).flat())
      await env.DB.prepare('DELETE FROM archive_objects WHERE tenant_id = ? AND mode = ?').bind(tenantId, mode).run()
    })
    const old = selected(all, { endMs: BEGAN_MS + (DAYS + 1) * DAY_MS })
    const stayed = old.filter((entry) => !isOf(entry, second) || entry.type === 'customer.erased')
    expect(idsOf(read.filter((entry) => !isOf(entry, second)))).toEqual(
      idsOf(old.filter((entry) => !isOf(entry, second))),
    )
    expect(read.length).toBeGreaterThanOrEqual(stayed.length)
    expect(read.length).toBeLessThan(old.length)
    const ofGone = read.filter(({ customerId }) => customerId === gone)
    expect(ofGone.length).toBeGreaterThan(1)
    expect(JSON.stringify(ofGone)).not.toMatch(/before \d|after \d|reason \d/)
    expect(JSON.stringify(read.filter(({ customerId }) => customerId !== gone))).toMatch(/after \d/)
  })

  it('is 503 while R2 is away, and goes on with what D1 has', async () => {
    const { owners, all } = await history(minutes(40), 2)
    for (const owner of owners) await archiveSome(owner, BEGAN_MS + (DAYS + 1) * DAY_MS, 5, 100)
    const headers = { 'x-api-key': ADMIN_KEY }
    const get = vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'get').mockRejectedValue(new Error('R2 is away'))
    const { status, body } = await call('GET', '/admin/audit?limit=100', { headers })
    expect([status, body.items.length > 5, body.pagination.has_more]).toEqual([200, true, true])
    const path = `/admin/audit?limit=100&cursor=${body.pagination.next_cursor}`
    const away = await call('GET', path, { headers })
    expect([away.status, away.headers.has('retry-after')]).toEqual([503, true])
    // These are never in the archive, so nothing follows.
    for (const type of ['tenant.created', 'customer.erased']) {
      const whole = await call('GET', `/admin/audit?limit=100&type=${type}`, { headers })
      expect([type, whole.status, whole.body.pagination.has_more]).toEqual([type, 200, false])
    }
    get.mockRestore()
    const old = (await call('GET', path, { headers })).body
    expect([...body.items, ...old.items].map(({ id }: { id: string }) => id)).toEqual(idsOf(all))
    expect(old.pagination.has_more).toBe(false)
  })

  it('opens and reads a bounded amount for each page, however many objects there are', async () => {
    const { owners } = await history(minutes(20), 1)
    for (const owner of owners) await archiveSome(owner, BEGAN_MS + (DAYS + 1) * DAY_MS, 100, 100)
    const real = Number(await env.DB.prepare('SELECT count(*) AS n FROM archive_objects').first('n'))
    const { objects: most, events: mostEvents, indexRows } = MERGED_BOUNDS
    for (const [events, opens, rowsMost, isGone] of [
      [10, most, 400, false],
      [2_000, mostEvents / 2_000, 400, false],
      // Their tenant is deleted: the index is read, and no object.
      [10, 0, 3 * indexRows + 100, true],
    ] as const) {
      for (const objects of [5 * indexRows, 15 * indexRows]) {
        await manyObjects(objects, events, isGone)
        const pages = await costsOf({ requestId: 'nobody' }, 5)
        // The first page also opens the few objects that are there beside them.
        expect(pages.map(({ opened }) => opened).slice(1)).toEqual(Array(4).fill(opens))
        expect(pages[0]?.opened).toBeLessThanOrEqual(opens + real)
        expect(Math.max(...pages.map(({ queries }) => queries))).toBeLessThan(12)
        const rows = Math.max(...pages.map(({ rowsRead }) => rowsRead))
        expect([objects, events, isGone, rows, rows <= rowsMost]).toEqual([objects, events, isGone, rows, true])
        await env.DB.prepare("DELETE FROM archive_objects WHERE last_id GLOB 'evt_01JMZ0*'").run()
      }
    }
  })
})
