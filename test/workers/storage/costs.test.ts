import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { BULK_BOUNDS } from '../../../src/registry/bulk.ts'
import type { CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import { LIST_FIELDS, type ListField, OPTIONAL_TEXT_FIELDS } from '../../../src/registry/customer-fields.ts'
import type { Command } from '../../../src/registry/ports.ts'
import { type Filter, LIST_BOUNDS, type ListQuery, type PageStart } from '../../../src/registry/query.ts'
import { DAY_MS } from '../../../src/shared/durations.ts'
import { newId } from '../../../src/shared/ids.ts'
import { archiveNext, OBJECT_BOUNDS } from '../../../src/storage/archive/archiver.ts'
import { readDuplicates } from '../../../src/storage/customers/duplicates.ts'
import { readExportPage } from '../../../src/storage/customers/export-pages.ts'
import { listCustomers } from '../../../src/storage/customers/list-pages.ts'
import { readPast } from '../../../src/storage/customers/past.ts'
import {
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
  resolveExternalId,
} from '../../../src/storage/customers/reads.ts'
import { readRelated } from '../../../src/storage/customers/related.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { eventLog } from '../../../src/storage/events/event-log.ts'
import { runStore } from '../../../src/storage/onboarding/runs.ts'
import { operatorSearch } from '../../../src/storage/tenants/search.ts'
import { NAME_BOUNDS } from '../../../src/storage/tenants/search-query.ts'
import { CHANGE_ROWS } from '../../shared/rows-written.ts'
import {
  archive,
  create,
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

/** Costs of one customer, one page and one change, in a small and a large tenant. D1 bills by rows. */
const SMALL = 12_000
const COUNT = 36_000
const LIMIT = 50
/** A page reads a row as it looks for it, and once as a whole. */
const PAGE_ROWS = 2 * (LIMIT + 1)

const { d1, costs } = metered(env.DB)
const db = openDatabase(d1)
const store = writeStore(d1)
let scope: Scope
let small: Scope

beforeAll(async () => {
  scope = await insertTenant()
  await insertMany(scope, COUNT)
  small = await insertTenant()
  await insertMany(small, SMALL)
})

const page: ListQuery = {
  filters: [],
  includeArchived: false,
  sort: [],
  start: { kind: 'offset', offset: 0 },
  limit: LIMIT,
}

function list(query: Partial<ListQuery>, total = false, at = scope) {
  return listCustomers(db, at, { ...page, ...query }, { total })
}

/** Returns the result and the cost of each statement behind it. */
async function priced<T>(work: () => Promise<T>): Promise<{ result: T; rowsRead: number[]; rowsWritten: number }> {
  costs.length = 0
  const result = await work()
  const rowsRead = costs.map((cost) => cost.rowsRead)
  return { result, rowsRead, rowsWritten: spent(costs).rowsWritten }
}

const sum = (rows: number[]) => rows.reduce((total, more) => total + more, 0)

describe('a page of 50', () => {
  const following = (n: number): PageStart => ({ kind: 'after', position: [nthId(n)] })
  const preceding = (n: number): PageStart => ({ kind: 'before', position: [nthId(n)] })
  const starts: Record<string, Partial<ListQuery>> = {
    'the first page': {},
    'a page in the middle': { start: following(SMALL / 2) },
    'the page before one in the middle': { start: preceding(SMALL / 2) },
    'the page before the last': { start: preceding(LIMIT) },
    'the first page, oldest first': { sort: [{ field: 'id', direction: 'asc' }] },
    'a page in the middle, oldest first': { sort: [{ field: 'id', direction: 'asc' }], start: following(SMALL / 2) },
    'by time of creation': { sort: [{ field: 'createdAtMs', direction: 'desc' }], start: following(SMALL / 2) },
    'of a span of time': { filters: [{ field: 'createdAtMs', operator: 'lt', value: 1 }] },
    'a page with archived customers': { includeArchived: true, start: following(SMALL / 2) },
  }
  for (const direction of ['asc', 'desc'] as const) {
    for (const field of ['name', 'email', 'updatedAtMs', 'externalId'] as const) {
      const at = { name: 'Name 5', email: 'User5@example.com', updatedAtMs: 0, externalId: 'ext_5' }[field]
      starts[`by ${field} ${direction}`] = { sort: [{ field, direction }] }
      starts[`by ${field} ${direction}, from the middle`] = {
        sort: [{ field, direction }],
        start: { kind: 'after', position: [at, nthId(5_000)] },
      }
    }
  }

  it.each(Object.entries(starts))('reads as many rows however many customers there are: %s', async (_, query) => {
    const of = async (at: Scope) => {
      const { result, rowsRead } = await priced(() => list(query, false, at))
      expect(result.customers).toHaveLength(LIMIT)
      return rowsRead
    }
    const rowsRead = await of(scope)
    expect(rowsRead).toEqual(await of(small))
    for (const rows of rowsRead) expect(rows).toBeLessThanOrEqual(PAGE_ROWS)
  })

  it('reads no more than its rest when it is the last', async () => {
    const { result, rowsRead } = await priced(() => list({ start: following(LIMIT + 1) }))
    expect([result.customers.length, result.next]).toEqual([LIMIT, null])
    expect(only(rowsRead)).toBeLessThanOrEqual(PAGE_ROWS + LIMIT)
  })

  it('reads no more than one customer beyond the requested span of time when none was created in it', async () => {
    const { result, rowsRead } = await priced(() =>
      list({ filters: [{ field: 'createdAtMs', operator: 'gte', value: 1 }] }),
    )
    expect(result.customers).toEqual([])
    expect(only(rowsRead)).toBeLessThanOrEqual(4)
  })

  it('has no more whole customers than its bytes allow, if it is large', async () => {
    const { pageBytes } = LIST_BOUNDS
    const limit = LIST_BOUNDS.fewCustomersMax + 1
    Object.assign(LIST_BOUNDS, { pageBytes: 1 })
    try {
      costs.length = 0
      expect((await list({ limit })).customers).toHaveLength(1)
      expect(only(costs).rowsReturned).toBe(2)
    } finally {
      Object.assign(LIST_BOUNDS, { pageBytes })
    }
  })

  it('takes its total from the counts, without reading the customers', async () => {
    const queries: Partial<ListQuery>[] = [
      {},
      { includeArchived: true },
      { filters: [{ field: 'status', operator: 'eq', value: 'published' }] },
      { filters: [{ field: 'status', operator: 'ne', value: 'draft' }] },
    ]
    const totals: unknown[] = []
    for (const query of queries) {
      const { result, rowsRead } = await priced(() => list(query, true))
      totals.push(result.total)
      expect(rowsRead[1]).toBeLessThanOrEqual(6)
    }
    const exactly = (count: number) => ({ count, isCapped: false })
    expect(totals).toEqual([COUNT, COUNT, COUNT * 0.9, COUNT * 0.9].map(exactly))
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
      expect(cost.ofTotal).toBeLessThanOrEqual(q.length > 8 ? 420 : 305)
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

  it('takes as long for a long word that all have among many: no row shows what the index does', async () => {
    const took = async (of: Scope) => {
      const startMs = performance.now()
      // The clock shows whole milliseconds.
      for (let n = 0; n < 5; n++) await listCustomers(db, of, { ...page, q: 'cust_000000000' }, { total: false })
      return performance.now() - startMs
    }
    // In turns, because a machine that is busy for a while would make all runs of one of them slow.
    const [amongMany, amongFew]: [number[], number[]] = [[], []]
    for (let run = 0; run < 9; run++) {
      amongMany.push(await took(scope))
      amongFew.push(await took(few))
    }
    // The whole word would be as many words of the index as there are customers.
    expect(Math.min(...amongMany) / Math.max(1, Math.min(...amongFew))).toBeLessThan(2.5)
  })

  it.each([
    ['that begins like those of all', nthId(777), 12],
    // To know that all have a word, 17 entries of its list are read.
    ['beside another one that all have', 'user777@example.com example.com', 12 + 17],
    ['of archived customers too', nthId(777), 12],
  ])('reads about ten rows for a long word of one customer %s', async (name, q, rowsMax) => {
    for (const cost of await searched(q, { includeArchived: name.includes('archived') })) {
      expect(cost.shown).toBe(1)
      expect(cost.ofPage).toBeLessThanOrEqual(rowsMax)
      expect(cost.ofTotal).toBeLessThanOrEqual(rowsMax)
    }
  })

  it('reads at most 800 rows more for a long word of 100 customers that begins like those of all', async () => {
    for (const cost of await searched(nthId(777).slice(0, -2))) {
      expect(cost.shown).toBe(LIMIT)
      expect(cost.ofPage).toBeLessThanOrEqual(ROWS_MAX + 820)
      expect(cost.ofTotal).toBeLessThanOrEqual(730)
    }
  })
})

describe('a search of operators for words', () => {
  const { tenantsMax, shownMax, lookedMax } = NAME_BOUNDS
  const found = async (text: string) => {
    const { result, rowsRead } = await priced(() => operatorSearch([d1]).find(text))
    return { ...result, names: result.customers.map(({ name }) => name), rowsRead }
  }

  it('finds customers of several tenants in both modes, the newest first, and none that is archived or erased', async () => {
    const [one, other] = [await insertTenant(), await insertTenant()]
    const test: Scope = { ...other, mode: 'test' }
    for (const [at, of] of [one, other, test].entries()) {
      await create(of, { name: `Zähler-Werke Nord ${at}` }, { nowMs: 1_000 + at })
    }
    const gone = await create(one, { name: 'Zähler-Werke Nord, closed' })
    await archive(one, gone.id)
    const newest = ['Zähler-Werke Nord 2', 'Zähler-Werke Nord 1', 'Zähler-Werke Nord 0']
    expect((await found('zahler no')).names).toEqual(newest)
    expect((await found('WERKE')).names).toEqual(newest)
    expect((await found('zähler-werke')).names).toEqual(newest)
    expect((await found('zähler-werft')).names).toEqual([])
    expect((await found('zahler 1')).customers).toMatchObject([{ tenantId: other.tenantId, mode: 'live' }])
  })

  it.each([
    ['a word that all have', 'name', 0],
    ['two words that all have', 'name user', 0],
    ['a word that nobody has', 'nobody', 0],
    ['no word', ' ', 0],
    ['more words than are looked for', 'a b c d e f g h i', 0],
    ['a long word that all have', 'example.com', 2 * lookedMax],
    ['a long word that begins like those of all', nthId(99_999_999), 2 * lookedMax],
  ])('reads a bounded number of rows: %s', async (_, text, rowsMore) => {
    const { customers, rowsRead, hasMore } = await found(text)
    // Each customer by its place, its number, itself and its tenant; and the numbers of the tenants, twice.
    const rowsMax = 4 * (shownMax + 1) + 2 * (tenantsMax + 1) + rowsMore + 4
    expect(rowsRead.reduce((sum, rows) => sum + rows)).toBeLessThanOrEqual(rowsMax)
    const isOfAll = ['name', 'name user', 'example.com'].includes(text)
    expect([customers.length, hasMore]).toEqual([isOfAll ? shownMax : 0, isOfAll || rowsMore > 0])
  })

  it('says so if there are more tenants than it searches, which are the oldest', async () => {
    expect((await found('name')).isOfAllTenants).toBe(true)
    let last = scope
    for (let n = 0; n < tenantsMax; n++) last = await insertTenant()
    const { id } = await create(last, { name: 'Zuletzt Gekommen' })
    expect(await found('zuletzt')).toMatchObject({ customers: [], isOfAllTenants: false })
    expect(await found(id)).toMatchObject({ customers: [{ id }], isOfAllTenants: false })
    expect((await found('name 777')).customers.map(({ tenantId }) => tenantId)).toContain(scope.tenantId)
  })
})

describe('a page that few customers match, or none', () => {
  const { lookedAtMax, lookedAtSlowlyMax } = LIST_BOUNDS
  const nobody: Filter = { field: 'addressCity', operator: 'eq', value: 'nowhere' }
  const meta = (pairs: number): Filter[] =>
    Array.from({ length: pairs }, (_, at) => ({
      field: 'metadata',
      key: at ? `k${at}` : 'plan',
      operator: 'eq',
      value: 'p1',
    }))
  /** Rows for each customer looked at, of page and total; a metadata filter also reads the keys of each once. */
  const queries: Record<string, [query: Partial<ListQuery>, lookedAt: number, rowsEach: number]> = {
    'of an unset city': [{ filters: [nobody] }, lookedAtMax, 2],
    'of a city, from the middle': [
      { filters: [nobody], start: { kind: 'after', position: [nthId(11_000)] } },
      lookedAtMax,
      2,
    ],
    'of a city, by name': [{ filters: [nobody], sort: [{ field: 'name', direction: 'asc' }] }, lookedAtMax, 2],
    'that contain a text': [{ filters: [{ field: 'name', operator: 'contains', value: 'zzz' }] }, lookedAtMax, 2],
    'that are archived': [{ filters: [{ field: 'status', operator: 'eq', value: 'archived' }] }, lookedAtMax, 2],
    'with an address among many': [
      { filters: [{ field: 'email', operator: 'not_in', value: [''] }, nobody] },
      lookedAtMax,
      2,
    ],
    'changed since': [
      {
        filters: [{ field: 'updatedAtMs', operator: 'gte', value: 0 }, nobody],
        sort: [{ field: 'updatedAtMs', direction: 'desc' }],
      },
      lookedAtMax,
      2,
    ],
    'of some metadata': [{ filters: meta(2) }, lookedAtSlowlyMax, 4],
    'of a lot of metadata': [{ filters: meta(50) }, lookedAtSlowlyMax, 4],
    'of seven conditions': [
      {
        filters: Array.from(
          { length: 7 },
          (_, at): Filter => ({ field: 'name', operator: 'contains', value: `zz${at}` }),
        ),
      },
      lookedAtSlowlyMax,
      2,
    ],
  }

  it.each(Object.entries(queries))(
    'looks at a bounded number and goes on: %s',
    async (_, [query, lookedAt, rowsEach]) => {
      const of = async (at: Scope) => {
        const { result, rowsRead } = await priced(() => list(query, true, at))
        expect(result.customers).toEqual([])
        return { rows: sum(rowsRead), goesOn: result.next !== null }
      }
      const large = await of(scope)
      const { rows } = await of(small)
      expect(large.goesOn).toBe(true)
      // To find the page, to find where it ends, and for the total. Only the list of pairs is longer for more of them.
      expect(large.rows).toBeLessThanOrEqual(lookedAt * (3 * rowsEach - 1) + 200)
      expect(large.rows).toBeLessThanOrEqual(rows + lookedAt)
    },
  )

  it.each<[string, Partial<ListQuery>]>([
    ['by city', { sort: [{ field: 'addressCity', direction: 'asc' }] }],
    [
      'by name and, against it, by id',
      {
        sort: [
          { field: 'name', direction: 'asc' },
          { field: 'id', direction: 'desc' },
        ],
      },
    ],
    [
      'by city, of customers created since',
      {
        sort: [{ field: 'addressCity', direction: 'asc' }],
        filters: [{ field: 'createdAtMs', operator: 'lt', value: 1 }],
      },
    ],
  ])('is refused after as many rows, if no index has its order: %s', async (_, query) => {
    for (const at of [scope, small]) {
      costs.length = 0
      await expect(list(query, true, at)).rejects.toMatchObject({ failure: { reason: 'invalid_input' } })
      // The total is counted before the page is known to be refused.
      expect(spent(costs).rowsRead).toBeLessThanOrEqual(lookedAtMax * 4 + PAGE_ROWS)
    }
  })

  it('skips a bounded number for an offset', async () => {
    const { result, rowsRead } = await priced(() => list({ start: { kind: 'offset', offset: 9_000 } }))
    expect(result.customers[0]?.id).toBe(nthId(COUNT - 9_000))
    expect(only(rowsRead)).toBeLessThanOrEqual(4 * 9_000 + PAGE_ROWS)
    await expect(list({ start: { kind: 'offset', offset: 10_001 } })).rejects.toMatchObject({
      failure: { problems: [{ field: 'offset' }] },
    })
  })

  it('reads a page of an export, and where its response ends, with as many rows', async () => {
    const query = { includeArchived: false, afterId: '', lastId: null, filters: [] }
    const none: Filter[] = [{ field: 'status', operator: 'eq', value: 'archived' }]
    for (const filters of [[], none]) {
      const { result, rowsRead } = await priced(() => readExportPage(db, scope, { ...query, filters }))
      const few = await priced(() => readExportPage(db, small, { ...query, filters }))
      expect(rowsRead).toEqual(few.rowsRead)
      expect(result.customers).toHaveLength(filters.length === 0 ? BULK_BOUNDS.exportPageCustomers : 0)
      expect(result.end).toEqual({ lastId: nthId(BULK_BOUNDS.exportCustomersMax), hasMore: true })
      expect(sum(rowsRead)).toBeLessThanOrEqual(6 * BULK_BOUNDS.exportCustomersMax)
    }
  })
})

describe('a customer among many', () => {
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

  it('has its duplicates found with at most 200 rows read, however many share its name and address', async () => {
    const crowd = await insertTenant()
    await insertMany(crowd, 300)
    await env.DB.prepare(
      `UPDATE customers SET name = 'Same', email = 'same@example.com', address_postal_code = '1', version = 2,
         change_id = change_id || 'b' WHERE tenant_id = ?`,
    )
      .bind(crowd.tenantId)
      .run()
    const { result, rowsRead } = await priced(() => readDuplicates(db, crowd, nthId(7)))
    expect(result.map(({ customer }) => customer.id)).toEqual(Array.from({ length: 20 }, (_, at) => nthId(300 - at)))
    expect(result[0]?.reasons).toEqual(['same_email', 'same_name_and_postal_code'])
    expect(sum(rowsRead)).toBeLessThanOrEqual(200)
  })

  it.each<[string, Filter, number]>([
    ['its e-mail address', { field: 'email', operator: 'eq', value: 'uSer777@example.COM' }, 2],
    ['its external id', { field: 'externalId', operator: 'eq', value: 'ext_777' }, 2],
    ['its id', { field: 'id', operator: 'eq', value: nthId(777) }, 1],
  ])('is found in a list by %s with one or two rows read, and counted with as many', async (_, filter, rowsMax) => {
    const { result, rowsRead } = await priced(() => list({ filters: [filter] }, true))
    expect(result).toMatchObject({ customers: [{ id: nthId(777) }], next: null, total: { count: 1, isCapped: false } })
    // The page looks at it a second time to know that it ends, adds up its bytes, and reads it as a whole.
    expect(rowsRead[0]).toBeLessThanOrEqual(2 * rowsMax + 5)
    expect(rowsRead[1]).toBeLessThanOrEqual(2 * rowsMax)
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
    expect(result).toMatchObject({ customers: [{ id: nthId(8) }, { id: nthId(7) }], total: { count: 2 } })
    for (const rows of rowsRead) expect(rows).toBeLessThanOrEqual(40)
  })

  it.each([
    ['its id', nthId(777)],
    ['its external id', 'ext_777'],
    ['its e-mail address', 'uSer777@example.COM'],
    ['an address that nobody has', 'nobody@example.com'],
  ])('is found by operators among all tenants by %s, with a few rows read', async (name, text) => {
    const { result, rowsRead } = await priced(() => operatorSearch([d1]).find(text))
    // One in each of the tenants that have it, before those that only have a word which begins so.
    const isWanted = ({ id }: { id: string }) => id === nthId(777)
    const exact = result.customers.filter(isWanted)
    expect(exact.length).toBeLessThan(8)
    expect(result.customers.slice(0, exact.length).every(isWanted)).toBe(true)
    expect(exact.some(({ tenantId }) => tenantId === scope.tenantId)).toBe(!name.includes('nobody'))
    // The customer, its tenant and a row or two of the index.
    const ofValues = rowsRead.slice(0, 4).reduce((sum, rows) => sum + rows)
    expect(ofValues).toBeLessThanOrEqual(4 * exact.length + 4)
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
    // One entry of the index more than by id, with the row behind it.
    expect(only(rowsRead)).toBeLessThanOrEqual(PAGE_ROWS + LIMIT + 1)
  })

  it('has its newest hundred children read together with those of others, as many as a page has', async () => {
    const { result, rowsRead } = await priced(() =>
      readRelated(db, scope, 'children', [nthId(1), nthId(500), nthId(2)]),
    )
    expect(result.complete).toBe(3)
    expect(result.of.get(nthId(500))?.map(({ id }) => id)).toEqual(
      Array.from({ length: 100 }, (_, at) => nthId(600 - at)),
    )
    expect(only(rowsRead)).toBeLessThanOrEqual(7 * 100 + 20)
    const parents = await priced(() => readRelated(db, scope, 'parents', [nthId(9), nthId(8), 'nobody']))
    expect([...parents.result.of.keys()]).toEqual([nthId(9), nthId(8)])
    expect(only(parents.rowsRead)).toBeLessThanOrEqual(20)
  })
})

describe('a customer as it was', () => {
  const VERSIONS = 500
  /** Halving them takes nine steps. */
  const STEPS = Math.ceil(Math.log2(VERSIONS))

  it('is read by a few rows at each version, and by some two for each step of a search at a time', async () => {
    const { id } = customerOf(
      only((await store.commitWrites(scope, [prepared(creation({ externalId: 'v' }))])).results),
    )
    const beganMs = Date.now()
    for (let version = 2; version <= VERSIONS; version += 50) {
      const writes = Array.from({ length: 50 }, (_, at) =>
        prepared(update(id, { name: `Version ${version + at}` }), { nowMs: beganMs + version + at }),
      )
      await store.commitWrites(scope, writes)
    }
    for (const version of [1, 2, VERSIONS / 2, VERSIONS - 1]) {
      const { result, rowsRead } = await priced(() => readPast(db, scope, { id }, { version }))
      expect(result).toMatchObject({ version })
      expect(only(rowsRead)).toBeLessThanOrEqual(4)
      const at = await priced(() => readPast(db, scope, { id }, { timeMs: beganMs + version }))
      expect(at.result).toMatchObject({ version })
      expect(only(at.rowsRead)).toBeLessThanOrEqual(4 * STEPS + 10)
    }
    const { result, rowsRead } = await priced(() => readPast(db, scope, { externalId: 'v' }, { timeMs: beganMs + 9 }))
    expect(result).toMatchObject({ id, version: 9 })
    expect(only(rowsRead)).toBeLessThanOrEqual(4 * STEPS + 14)
  })
})

describe('a change in a large tenant', () => {
  it('reads a few rows and writes these, as the README says', async () => {
    const written: Record<string, number> = {}
    const change = async (name: string, command: Parameters<typeof prepared>[0]) => {
      const { result, rowsRead, rowsWritten } = await priced(() => store.commitWrites(scope, [prepared(command)]))
      for (const rows of rowsRead) expect(rows, name).toBeLessThanOrEqual(27)
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
  const found = async (of: Scope) =>
    (await listCustomers(db, of, { ...page, q: 'cust_' }, { total: true })).total?.count
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
    const [source, into] = [nthId(count / 2 + 10), nthId(count / 2 + 11)]
    const about = { ifVersion: null, dryRun: false }
    const resolved = async (command: Command) => {
      const found = await store.resolveTarget(where, command)
      if (!found.ok) throw new Error(found.failure.reason)
      const further = { furtherChangeIds: [newId('event', 2), newId('event', 2)] }
      const [result] = (await store.commitWrites(where, [prepared(found.command, further)])).results
      expect(result).toMatchObject({ ok: true })
    }
    const merge: Command = {
      kind: 'merge',
      target: { id: source },
      into,
      intoVersion: null,
      prefer: 'target',
      ...about,
    }
    await store.commitWrites(where, [prepared(update(nthId(count / 2 + 12), { parent: { id: source } }))])
    spent(costs)
    const erasure = prepared({ kind: 'erase', target: { id }, ifVersion: null })
    return {
      merge: await read(() => resolved(merge)),
      unmerge: await read(() => resolved({ kind: 'unmerge', target: { id: into }, source, ...about })),
      history: await read(() => eventLog(d1, where).list({ customerId: id, order: 'desc', afterId: null, limit: 50 })),
      'change of an onboarding': await read(() => runStore(d1, where).find(id, 'req_1', 0)),
      erase: await read(() => store.commitWrites(where, [erasure])),
      'erase once more': await read(() => store.commitWrites(where, [{ ...erasure, changeId: newId('event', 1) }])),
    }
  }

  it('reads the same few rows among 1,000 and 100,000 events and records', async () => {
    const few = await insertTenant()
    await insertMany(few, 1_000)
    const { erase, unmerge, ...read } = await rowsRead(COUNT, scope)
    const { erase: eraseAmongFew, unmerge: unmergeAmongFew, ...readAmongFew } = await rowsRead(1_000, few)
    expect(read).toEqual(readAmongFew)
    // A look for stays ends at the next one of another tenant, if there is one.
    expect(Math.abs(unmerge - unmergeAmongFew)).toBeLessThanOrEqual(1)
    // The index of words has a few parts more, each of which may have a word of the customer.
    expect(Math.abs(erase - eraseAmongFew)).toBeLessThanOrEqual(10)
    const { merge, ...others } = read
    for (const [operation, rows] of Object.entries({ ...others, erase }))
      expect(rows, operation).toBeLessThanOrEqual(95)
    // With the one child that moves.
    for (const rows of [merge, unmerge]) expect(rows).toBeLessThanOrEqual(95)
  })
})

it('archives some events with as many rows read and written however many customers and events there are', async () => {
  const archiving = async (of: Scope) => {
    const deps = { db, archive: env.ARCHIVE, bounds: { ...OBJECT_BOUNDS, events: 20 } }
    const { result, ...cost } = await priced(() => archiveNext(deps, of, Date.now() + 2 * DAY_MS))
    expect(result).toBe(true)
    return cost
  }
  const cost = await archiving(scope)
  expect(cost).toEqual(await archiving(small))
  // For each event: itself, its owner, the owner's key, its entries in the indexes, and what is deleted of it.
  for (const rows of cost.rowsRead) expect(rows).toBeLessThanOrEqual(20 * 12)
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
  const few: Filter = { field: 'id', operator: 'in', value: [nthId(1), nthId(2)] }
  const filtered = { ...query, filters: [...filters.slice(1), few, ...metadata] }
  expect(await list(filtered, true)).toEqual({
    customers: [],
    positions: [],
    next: null,
    total: { count: 0, isCapped: false },
  })
  // In an order that an index has, its customers are found in two statements.
  const walked = { ...query, sort: [{ field: 'name', direction: 'asc' } as const] }
  const position = ['Name 1', nthId(1)]
  expect(await list({ ...walked, start: { kind: 'after', position } }, true)).toMatchObject({ customers: [] })
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
