/** Events of several tenants at chosen times, and the audit of all tenants read to its end, page by page. */
import { env } from 'cloudflare:workers'
import { ulid } from 'ulid'
import { expect } from 'vitest'
import type { Mode, Scope } from '../../../src/registry/customer.ts'
import { archiveNext, OBJECT_BOUNDS } from '../../../src/storage/archive/archiver.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { AuditEntry, AuditLog, AuditQuery } from '../../../src/tenants/ports.ts'
import { newCustomer, newKey, type TestTenant } from '../support/roster.ts'

export const ACTORS = ['key_a', 'key_b', 'op_c']
export const REQUESTS = ['req_1', 'req_2', 'req_3', 'req_4', null]
export const TYPES = ['customer.updated', 'customer.archived', 'customer.erased']

export interface MadeEvent {
  scope: Scope
  id: string
  d1: D1Database
}

/** A tenant and mode with its customers and its database. */
export interface Owner {
  scope: Scope
  key: string
  customers: string[]
  d1: D1Database
}

/** Returns the live and test mode of a tenant, each with two customers. */
export async function ownersOf(tenant: TestTenant, d1 = env.DB): Promise<Owner[]> {
  const keys = { live: tenant.live.key, test: (await newKey(tenant.tenantId, { mode: 'test' })).key }
  const owners = Object.entries(keys).map(async ([mode, key]) => ({
    scope: { tenantId: tenant.tenantId, mode: mode as Mode },
    key,
    customers: [(await newCustomer(key, { name: 'Ada' })).id, (await newCustomer(key, { name: 'Bo' })).id],
    d1,
  }))
  return Promise.all(owners)
}

/** Puts the events of the database that are there behind those that `insertEvents` will insert: they are younger. */
export function putBehind(d1: D1Database): Promise<unknown> {
  return d1.prepare('UPDATE events SET rowid = rowid + 1000000 WHERE rowid BETWEEN 1 AND 1000000').run()
}

/**
 * Inserts an event of a random owner at each of the times, in the order in which they are given, which is that of the commits.
 * What it is made of depends on `random`.
 */
export async function insertEvents(owners: readonly Owner[], timesMs: readonly number[], random: () => number) {
  const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T
  const made: MadeEvent[] = []
  const statements = new Map<D1Database, D1PreparedStatement[]>()
  for (const [at, timeMs] of timesMs.entries()) {
    const { scope, customers, d1 } = one(owners)
    const id = `evt_${ulid(timeMs, random)}`
    const document = (name: string) => JSON.stringify({ external_id: 'x', name, status: 'published', stamps: {} })
    const statement = d1
      .prepare(
        `INSERT INTO events (rowid, tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
         VALUES ((SELECT coalesce(max(rowid), 0) + 1 FROM events WHERE rowid < 1000000), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .bind(
        ...[scope.tenantId, scope.mode, id, one(TYPES), one(customers), at + 2, one(ACTORS), one(REQUESTS)],
        ...[`reason ${at}`, JSON.stringify({ name: `before ${at}` }), document(`after ${at}`)],
        timeMs + Math.floor(random() * 3_000),
      )
    statements.set(d1, [...(statements.get(d1) ?? []), statement])
    made.push({ scope, id, d1 })
  }
  for (const [d1, of] of statements) await d1.batch(of)
  return made
}

/** Archives objects of so many events of a tenant and mode, at most `most`, oldest first. Returns how many. */
export async function archiveSome(
  { scope, d1 }: Owner,
  beforeMs: number,
  events: number,
  most: number,
): Promise<number> {
  const deps = { db: openDatabase(d1), archive: env.ARCHIVE, bounds: { ...OBJECT_BOUNDS, events } }
  let done = 0
  while (done < most && (await archiveNext(deps, scope, beforeMs))) done++
  return done
}

/** Reads all pages. `between` is called after each one. */
export async function readAll(
  log: AuditLog,
  query: AuditQuery,
  limit: number,
  between: () => Promise<unknown> = async () => {},
): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = []
  let afterId: string | null = null
  for (let pages = 0; ; pages++) {
    const { items, position, hasMore } = await log.read(query, { limit, afterId })
    expect(items.length).toBeLessThanOrEqual(limit)
    expect(position === null).toBe(!hasMore)
    entries.push(...items)
    if (position === null) return entries
    expect(position, 'each page goes on').not.toBe(afterId)
    expect(pages, 'pages').toBeLessThan(2_000)
    afterId = position
    await between()
  }
}

/** Returns what the query selects of all entries, newest first. */
export function selected(
  all: readonly AuditEntry[],
  { actor, type, requestId, startMs, endMs }: AuditQuery,
): AuditEntry[] {
  return all.filter(
    (entry) =>
      (actor === undefined || entry.actor === actor) &&
      (type === undefined || entry.type === type) &&
      (requestId === undefined || entry.requestId === requestId) &&
      (startMs === undefined || entry.createdAtMs >= startMs) &&
      (endMs === undefined || entry.createdAtMs < endMs),
  )
}

/** Returns the same numbers from 0 to 1 in each run. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
