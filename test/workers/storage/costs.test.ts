import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import { LIST_FIELDS, type ListField, OPTIONAL_TEXT_FIELDS } from '../../../src/registry/customer-fields.ts'
import { type Filter, LIST_BOUNDS, type ListQuery, type PageStart } from '../../../src/registry/query.ts'
import { newId } from '../../../src/shared/ids.ts'
import {
  listCustomers,
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
  resolveExternalId,
} from '../../../src/storage/customers/reads.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { eventLog } from '../../../src/storage/events/event-log.ts'
import { runStore } from '../../../src/storage/onboarding/runs.ts'
import { operatorSearch } from '../../../src/storage/tenants/search.ts'
import { CHANGE_ROWS } from '../../shared/rows-written.ts'
import {
  creation,
  customerOf,
  insertMany,
  insertTenant,
  metered,
  nthId,
  only,
  prepared,
  spent,
  update,
} from './support.ts'

/** Costs of one customer, one page and one change in a tenant that has a hundred thousand customers. D1 bills by rows. */
const COUNT = 100_000
const LIMIT = 50

const { d1, costs } = metered(env.DB)
const db = openDatabase(d1)
const store = writeStore(d1)
let scope: Scope

beforeAll(async () => {
  scope = await insertTenant()
  await insertMany(scope, COUNT)
})

const page: ListQuery = {
  filters: [],
  includeArchived: false,
  sort: [],
  start: { kind: 'offset', offset: 0 },
  limit: LIMIT,
}

function list(query: Partial<ListQuery>, total = false) {
  return listCustomers(db, scope, { ...page, ...query }, { total })
}

/** Returns the result and the cost of each statement behind it. */
async function priced<T>(work: () => Promise<T>): Promise<{ result: T; rowsRead: number[]; rowsWritten: number }> {
  costs.length = 0
  const result = await work()
  const rowsRead = costs.map((cost) => cost.rowsRead)
  return { result, rowsRead, rowsWritten: spent(costs).rowsWritten }
}

describe('a page of 50 among 100,000', () => {
  const following = (n: number): PageStart => ({ kind: 'after', position: [nthId(n)] })
  const preceding = (n: number): PageStart => ({ kind: 'before', position: [nthId(n)] })
  const starts: Record<string, Partial<ListQuery>> = {
    'the first page': {},
    'the second': { start: following(COUNT - LIMIT + 1) },
    'a page in the middle': { start: following(COUNT / 2) },
    'the last page': { start: following(LIMIT + 1) },
    'the page before one in the middle': { start: preceding(COUNT / 2) },
    'the page before the last': { start: preceding(LIMIT) },
    'the first page, oldest first': { sort: [{ field: 'id', direction: 'asc' }] },
    'a page in the middle, oldest first': { sort: [{ field: 'id', direction: 'asc' }], start: following(COUNT / 2) },
    'by time of creation': { sort: [{ field: 'createdAtMs', direction: 'desc' }], start: following(COUNT / 2) },
    'of a span of time': { filters: [{ field: 'createdAtMs', operator: 'lt', value: 1 }] },
    'a page with archived customers': { includeArchived: true, start: following(COUNT / 2) },
  }

  it.each(Object.entries(starts))('reads at most 51 rows of customers: %s', async (_, query) => {
    const { result, rowsRead } = await priced(() => list(query))
    expect(result.customers).toHaveLength(LIMIT)
    expect(only(rowsRead)).toBeLessThanOrEqual(LIMIT + 1)
  })

  it('reads no more than one customer beyond the requested span of time when none was created in it', async () => {
    const { result, rowsRead } = await priced(() =>
      list({ filters: [{ field: 'createdAtMs', operator: 'gte', value: 1 }] }),
    )
    expect(result.customers).toEqual([])
    expect(only(rowsRead)).toBeLessThanOrEqual(1)
  })

  it('takes its total from the counts, without reading the customers', async () => {
    const queries: Partial<ListQuery>[] = [
      {},
      { includeArchived: true },
      { filters: [{ field: 'status', operator: 'eq', value: 'published' }] },
      { filters: [{ field: 'status', operator: 'ne', value: 'draft' }] },
    ]
    const totals: (number | null)[] = []
    for (const query of queries) {
      const { result, rowsRead } = await priced(() => list(query, true))
      totals.push(result.total)
      expect(rowsRead[1]).toBeLessThanOrEqual(6)
    }
    expect(totals).toEqual([COUNT, COUNT, COUNT * 0.9, COUNT * 0.9])
  })
})

describe('a search', () => {
  const FEW = 1_000
  const ROWS_MAX = 4 * (LIMIT + 1) + 5
  let few: Scope

  beforeAll(async () => {
    few = await insertTenant()
    await insertMany(few, FEW)
  })

  /** Returns the rows read by the page and by the total, among few customers and among all. */
  async function searched(q: string, query: Partial<ListQuery> = {}) {
    const costsOf = async (of: Scope) => {
      const { result, rowsRead } = await priced(() => listCustomers(db, of, { ...page, ...query, q }, { total: true }))
      const [ofPage = 0, ofTotal = 0] = rowsRead
      return { shown: result.customers.length, ofPage, ofTotal }
    }
    return [await costsOf(few), await costsOf(scope)] as const
  }

  it.each<[string, string, number]>([
    ['one letter', 'n', LIMIT],
    ['a word that all customers have', 'name', LIMIT],
    ['a word of one customer', 'ext_777', 1],
    ['a word that no customer has', 'nobody', 0],
    ['a common word and a rare one', 'name user777@', 1],
    ['two common words', 'ext_1 user1', LIMIT],
    ['two common words that no customer has both of', 'ext_1 user2', 0],
    ['the beginning of every id', 'cust_', LIMIT],
    ['a long beginning that all customers have', 'example.com', LIMIT],
  ])('reads at most four rows for each customer shown: %s', async (_, q, shown) => {
    for (const cost of await searched(q)) {
      expect(cost.shown).toBeGreaterThanOrEqual(shown)
      // Each page reads a customer ahead.
      expect(cost.ofPage).toBeLessThanOrEqual(4 * (cost.shown + 1))
      expect(cost.ofTotal).toBeLessThanOrEqual(q.length > 8 ? 405 : 305)
    }
  })

  it.each([
    ['a common word', 'name'],
    ['a common word and archived customers', 'name'],
    ['a long word that all have', 'example.com'],
  ])('reads as many for a page in the middle as for the first: %s', async (name, q) => {
    const includeArchived = name.includes('archived')
    for (const at of [FEW / 2, LIMIT + 1]) {
      const start: PageStart = { kind: 'after', position: [nthId(at)] }
      for (const cost of await searched(q, { start, includeArchived })) {
        expect(cost.shown).toBe(LIMIT)
        expect(cost.ofPage).toBeLessThanOrEqual(ROWS_MAX)
      }
    }
    const middle: PageStart = { kind: 'after', position: [nthId(COUNT / 2)] }
    const [, { shown, ofPage }] = await searched(q, { start: middle, includeArchived })
    expect({ shown, isBounded: ofPage <= ROWS_MAX }).toEqual({ shown: LIMIT, isBounded: true })
  })

  it('takes no longer for a long word that all have than for a short one: no row shows what the index does', async () => {
    const fastest = async (q: string) => {
      const times: number[] = []
      for (let run = 0; run < 7; run++) {
        const startMs = performance.now()
        await listCustomers(db, scope, { ...page, q }, { total: false })
        times.push(performance.now() - startMs)
      }
      return Math.min(...times)
    }
    // Without the look at the newest customers, it is some 10 times as long among 100,000.
    expect((await fastest('cust_000000000')) / Math.max(1, await fastest('name'))).toBeLessThan(4)
  })

  it('reads at most 800 rows more for a long word that few customers have, of many that begin like it', async () => {
    for (const cost of await searched('cust_00000000000000000000000777')) {
      expect(cost.shown).toBe(1)
      expect(cost.ofPage).toBeLessThanOrEqual(810)
      expect(cost.ofTotal).toBeLessThanOrEqual(1_210)
    }
  })
})

describe('a customer among 100,000', () => {
  it('is found by its id with one row read', async () => {
    const { result, rowsRead } = await priced(() => readCustomer(db, scope, nthId(777)))
    expect(result?.externalId).toBe('ext_777')
    expect(rowsRead).toEqual([1])
  })

  it('is found by its external id with two rows read, and an unknown one with none', async () => {
    const { result, rowsRead } = await priced(() => readByExternalId(db, scope, 'ext_777'))
    expect(result?.id).toBe(nthId(777))
    expect(rowsRead).toEqual([2])
    expect((await priced(() => readByExternalId(db, scope, 'nobody'))).rowsRead).toEqual([0])
    expect(await priced(() => resolveExternalId(db, scope, 'ext_777'))).toMatchObject({
      result: nthId(777),
      rowsRead: [1],
    })
  })

  it('is found by a former external id in the same one statement, with at most three rows read', async () => {
    await store.commitWrites(scope, [prepared(update(nthId(10), { externalId: 'renamed' }))])
    const { result, rowsRead } = await priced(() => readByExternalId(db, scope, 'ext_10'))
    expect(result?.id).toBe(nthId(10))
    expect(only(rowsRead)).toBeLessThanOrEqual(3)
    expect(await priced(() => readAliases(db, scope, nthId(10)))).toMatchObject({ result: ['ext_10'], rowsRead: [1] })
    const ofEach = await priced(() => readAliasesOfEach(db, scope, [nthId(10), nthId(11)]))
    expect(ofEach.result.get(nthId(10))).toEqual(['ext_10'])
    expect(only(ofEach.rowsRead)).toBeLessThanOrEqual(10)
  })

  it.each<[string, Filter, number]>([
    ['its e-mail address', { field: 'email', operator: 'eq', value: 'uSer777@example.COM' }, 2],
    ['its external id', { field: 'externalId', operator: 'eq', value: 'ext_777' }, 2],
    ['its id', { field: 'id', operator: 'eq', value: nthId(777) }, 1],
  ])('is found in a list by %s with one or two rows read, and counted with as many', async (_, filter, rowsMax) => {
    const { result, rowsRead } = await priced(() => list({ filters: [filter] }, true))
    expect(result).toMatchObject({ customers: [{ id: nthId(777) }], hasMore: false, total: 1 })
    for (const rows of rowsRead) expect(rows).toBeLessThanOrEqual(rowsMax)
  })

  it.each<[string, Filter]>([
    [
      'e-mail addresses',
      { field: 'email', operator: 'in', value: ['user7@example.com', 'USER8@example.com', 'nobody'] },
    ],
    ['external ids', { field: 'externalId', operator: 'in', value: ['ext_7', 'ext_8', 'nobody'] }],
    ['ids', { field: 'id', operator: 'in', value: [nthId(7), nthId(8), 'nobody'] }],
  ])('is found by a list of %s with a few rows read for each', async (_, filter) => {
    const { result, rowsRead } = await priced(() => list({ filters: [filter] }, true))
    expect(result).toMatchObject({ customers: [{ id: nthId(8) }, { id: nthId(7) }], total: 2 })
    for (const rows of rowsRead) expect(rows).toBeLessThanOrEqual(12)
  })

  it.each([
    ['its id', nthId(777)],
    ['its external id', 'ext_777'],
    ['its e-mail address', 'uSer777@example.COM'],
    ['an address that nobody has', 'nobody@example.com'],
  ])('is found by operators among all tenants by %s, with a few rows read', async (name, text) => {
    const { result, rowsRead } = await priced(() => operatorSearch(d1).find(text))
    const ofTenant = result.customers.filter(({ tenantId }) => tenantId === scope.tenantId)
    expect(ofTenant.map(({ id }) => id)).toEqual(name.includes('nobody') ? [] : [nthId(777)])
    // The customer, its tenant and a row of the index, in each of the two tenants that have it.
    expect(rowsRead.reduce((sum, rows) => sum + rows)).toBeLessThanOrEqual(12)
  })

  it('is found among the children of its parent, newest first, without reading the others', async () => {
    const parent = nthId(500)
    for (let n = 501; n <= 600; n += 25) {
      const children = Array.from({ length: 25 }, (_, at) =>
        prepared(update(nthId(n + at), { parent: { id: parent } })),
      )
      await store.commitWrites(scope, children)
    }
    const { result, rowsRead } = await priced(() =>
      list({ filters: [{ field: 'parentId', operator: 'eq', value: parent }] }),
    )
    expect(result.customers.map((customer) => customer.id)).toEqual(
      Array.from({ length: LIMIT }, (_, at) => nthId(600 - at)),
    )
    // One entry of the index and the row behind it.
    expect(only(rowsRead)).toBeLessThanOrEqual(2 * (LIMIT + 1))
  })
})

describe('a change in a tenant of 100,000', () => {
  it('reads a few rows and writes these, as the README says', async () => {
    const written: Record<string, number> = {}
    const change = async (name: string, command: Parameters<typeof prepared>[0]) => {
      const { result, rowsRead, rowsWritten } = await priced(() => store.commitWrites(scope, [prepared(command)]))
      for (const rows of rowsRead) expect(rows, name).toBeLessThanOrEqual(25)
      written[name] = rowsWritten
      return customerOf(only(result.results))
    }
    const { id } = await change('create', creation({ externalId: 'plain' }))
    const integrations = [{ provider: 'stripe', id: 'cus_1' }]
    await change('create with e-mail, parent, integration', creation({ email: 'a@b.c', parent: { id }, integrations }))
    await change('create, external id taken, answered with its customer', creation({ externalId: 'plain' }, 'return'))
    await change('update of a name', update(id, { name: 'New' }))
    await change('update that changes nothing', update(id, { name: 'New' }))
    await change('update of the case and the accents of a name', update(id, { name: 'N\u00c9W' }))
    await change('update of metadata', update(id, { metadata: { merge: { plan: 'pro' } } }))
    await change('update of the status', update(id, { status: 'draft' }))
    await change('update of the e-mail address', update(id, { email: 'new@b.c' }))
    await change('update of the external id', update(id, { externalId: 'changed' }))
    await change('update of the parent', update(nthId(20), { parent: { id } }))
    await change('archive', { kind: 'archive', target: { id: nthId(21) }, ifVersion: null })
    await change('restore', { kind: 'restore', target: { id: nthId(21) }, ifVersion: null })
    expect(written).toEqual(CHANGE_ROWS)
  })
})

it('keeps a customer in the index that got the place of an erased one, when the row of that one is deleted', async () => {
  const place = (id: string) =>
    env.DB.prepare('SELECT number FROM customer_numbers WHERE id = ?').bind(id).first('number')
  const made = async (of: Scope) =>
    customerOf(only((await store.commitWrites(of, [prepared(creation({}))])).results)).id
  const [one, other] = [await insertTenant(), await insertTenant()]
  const erased = await made(one)
  await store.commitWrites(one, [prepared({ kind: 'erase', target: { id: erased }, ifVersion: null })])
  const kept = await made(other)
  expect(await place(kept)).toBe(await place(erased))
  await env.DB.prepare('DELETE FROM customers WHERE id = ?').bind(erased).run()
  const found = async (of: Scope) => (await listCustomers(db, of, { ...page, q: 'cust_' }, { total: true })).total
  expect([await found(one), await found(other), await place(erased)]).toEqual([0, 1, null])
  await env.DB.prepare('DELETE FROM customers WHERE id = ?').bind(kept).run()
  expect([await found(other), await place(kept)]).toEqual([0, null])
})

describe('what concerns one customer', () => {
  /** Returns the rows that each operation reads, in a tenant of so many customers with an event and a record each. */
  async function rowsRead(count: number, where: Scope) {
    await env.DB.prepare(
      `INSERT INTO idempotency_records (tenant_id, mode, key, fingerprint, customer_id, expires_at)
       SELECT tenant_id, mode, id, 'x', id, 9000000000000 FROM customers WHERE tenant_id = ?1 AND mode = ?2`,
    )
      .bind(where.tenantId, where.mode)
      .run()
    const id = nthId(count / 2)
    await store.commitWrites(where, [prepared(update(id, { externalId: 'new', name: 'New' }))])
    // Others have entries before and behind those of the customer in each index, at both sizes.
    for (const [n, parent] of [
      [1, 2],
      [count, count - 1],
    ] as const) {
      const neighbour = update(nthId(n), { externalId: `neighbour_${n}`, parent: { id: nthId(parent) } })
      await store.commitWrites(where, [prepared(neighbour)])
    }
    const read = async (work: () => Promise<unknown>) => {
      await work()
      return spent(costs).rowsRead
    }
    spent(costs)
    const erasure = prepared({ kind: 'erase', target: { id }, ifVersion: null })
    return {
      history: await read(() => eventLog(d1, where).list({ customerId: id, order: 'desc', afterId: null, limit: 50 })),
      'change of an onboarding': await read(() => runStore(d1, where).find(id, 'req_1', 0)),
      erase: await read(() => store.commitWrites(where, [erasure])),
      'erase once more': await read(() => store.commitWrites(where, [{ ...erasure, changeId: newId('event', 1) }])),
    }
  }

  it('reads the same few rows among 1,000 and 100,000 events and records', async () => {
    const few = await insertTenant()
    await insertMany(few, 1_000)
    const { erase, ...read } = await rowsRead(COUNT, scope)
    const { erase: eraseAmongFew, ...readAmongFew } = await rowsRead(1_000, few)
    expect(read).toEqual(readAmongFew)
    // The index of words has a few parts more, each of which may have a word of the customer.
    expect(Math.abs(erase - eraseAmongFew)).toBeLessThanOrEqual(10)
    for (const [operation, rows] of Object.entries({ ...read, erase })) expect(rows, operation).toBeLessThanOrEqual(60)
  })
})

it('keeps the largest query that the registry allows within the limits of D1', async () => {
  const fields = Object.keys(LIST_FIELDS) as ListField[]
  const textFields = fields.filter((field) => LIST_FIELDS[field] === 'text' && field !== 'status')
  const filters = Array.from({ length: LIST_BOUNDS.filtersMax }, (_, at): Filter => {
    return { field: textFields[at % textFields.length] as ListField, operator: 'not_contains', value: `nobody ${at}` }
  })
  const metadata = Array.from({ length: 50 }, (_, at): Filter => {
    return { field: 'metadata', key: `key ${at}`, operator: 'eq', value: `value ${at}` }
  })
  const sort = fields.filter((field) => field !== 'id').slice(0, LIST_BOUNDS.sortKeysMax)
  const query: Partial<ListQuery> = {
    filters: [...filters, ...metadata],
    sort: sort.map((field, at) => ({ field, direction: at % 2 === 0 ? 'asc' : 'desc' })),
    start: { kind: 'after', position: [...sort.map(() => ''), 'cust_'] },
  }
  expect(await list(query, true)).toEqual({ customers: [], hasMore: false, total: 0 })
  await expect(list({ filters: [...filters, ...filters] })).rejects.toMatchObject({
    failure: { reason: 'invalid_input' },
  })
})

it('keeps the largest change that the registry allows within the limits of D1', async () => {
  const every: CustomerChanges = {
    ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, field])),
    externalId: 'largest',
    timezone: 'Asia/Tokyo',
    parent: { externalId: 'ext_30' },
    metadata: { merge: { key: 'value' } },
    integrations: [{ provider: 'stripe', id: 'largest' }],
    profile: { terms_accepted: true },
    status: 'draft',
  }
  const made = customerOf(only((await store.commitWrites(scope, [prepared(creation(every))])).results))
  const target = { id: made.id, externalId: 'largest' }
  const changes = {
    ...every,
    externalId: 'larger',
    metadata: { replace: { key: 'other' } },
    parent: { externalId: 'ext_31' },
  }
  const largest = prepared({ kind: 'update', target, changes, ifVersion: 1 }, { reason: 'why' })
  expect(only((await store.commitWrites(scope, [largest])).results)).toMatchObject({
    effect: 'updated',
    customer: { externalId: 'larger', parentId: nthId(31), metadata: { key: 'other' } },
  })
})
