import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { InTurn } from '../../../src/gate/isolate/turns.ts'
import type { Customer, CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS } from '../../../src/registry/customer-fields.ts'
import type { RegistryError } from '../../../src/registry/errors.ts'
import {
  type Filter,
  LIST_BOUNDS,
  type ListPage,
  type ListQuery,
  type PageStart,
  type Sort,
  sortKeys,
} from '../../../src/registry/query.ts'
import { listCustomers } from '../../../src/storage/customers/list-pages.ts'
import { planList } from '../../../src/storage/customers/list-query.ts'
import { listOf, NUMBER_FIELDS, positionOf, TEXT_FIELDS, wholeListOf } from './list-model.ts'
import {
  archive,
  committed,
  create,
  creation,
  customerOf,
  db,
  insertTenant,
  prepared,
  restore,
  store,
  update,
} from './support.ts'

/**
 * Few values, so that customers share them: case, quotes, LIKE's signs, and text whose bytes sort otherwise than its units.
 */
const WORDS = ['', 'a', 'A', 'b@x.io', 'B@X.IO', 'é', 'É', '%', '_', "o'b", '"q"', '\uFF5E', '😀', 'a'.repeat(60)]
const KEYS = ['plan', 'a.b', '"q"', "o'b", '__proto__', 'constructor', '$', '', '[0]']
const TIMES = [1, 2, 3, 1_700_000_000_000]

const NOTHING: ListPage = { customers: [], positions: [], next: null, total: { count: 0, isCapped: false } }

const word = fc.constantFrom(...WORDS)
const nullable = fc.option(word)
const metadata = fc.uniqueArray(fc.tuple(fc.constantFrom(...KEYS), word), { selector: ([key]) => key, maxLength: 3 })

const fields = fc
  .record({
    ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, nullable])),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin'),
    status: fc.constantFrom('published', 'draft'),
    metadata: metadata.map((entries) => ({ replace: Object.fromEntries(entries) })),
  })
  .map((made) => made as CustomerChanges)

const textFilter = fc.oneof(
  fc.record({
    field: fc.constantFrom(...TEXT_FIELDS),
    operator: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'contains', 'not_contains'),
    value: fc.oneof(word, fc.constantFrom('published', 'draft', 'archived', 'UTC', 'key_1', 'cust_', 'x_')),
  }),
  fc.record({
    field: fc.constantFrom(...TEXT_FIELDS),
    operator: fc.constantFrom('in', 'not_in'),
    value: fc.array(fc.oneof(word, fc.constantFrom('published', 'archived', 'key_2')), { maxLength: 4 }),
  }),
)
const numberFilter = fc.oneof(
  fc.record({
    field: fc.constantFrom(...NUMBER_FIELDS),
    operator: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'),
    value: fc.constantFrom(...TIMES),
  }),
  fc.record({
    field: fc.constantFrom(...NUMBER_FIELDS),
    operator: fc.constantFrom('in', 'not_in'),
    value: fc.subarray(TIMES),
  }),
)
const metadataFilter = fc.record({
  field: fc.constant('metadata'),
  key: fc.constantFrom(...KEYS),
  operator: fc.constant('eq'),
  value: word,
})
/** The one field whose case an equality filter ignores. */
const emailFilter = fc.oneof(
  fc.record({ field: fc.constant('email'), operator: fc.constantFrom('eq', 'ne'), value: word }),
  fc.record({ field: fc.constant('email'), operator: fc.constantFrom('in', 'not_in'), value: fc.subarray(WORDS) }),
)
const sorting = fc.array(
  fc.record({ field: fc.constantFrom(...TEXT_FIELDS, ...NUMBER_FIELDS), direction: fc.constantFrom('asc', 'desc') }),
  { maxLength: 3 },
) as fc.Arbitrary<Sort[]>

/** Queries that find something more often than not: half of them filter by a value that a customer has. */
function queryOf(all: readonly Customer[]): fc.Arbitrary<Omit<ListQuery, 'start'>> {
  const equalsExisting = fc.constantFrom(...all).chain((customer) =>
    fc.constantFrom(...TEXT_FIELDS, ...NUMBER_FIELDS).map((field): Filter => {
      return { field, operator: 'eq', value: customer[field] ?? '' }
    }),
  )
  const inExisting = fc
    .tuple(fc.subarray([...all], { maxLength: 5 }), fc.constantFrom(...TEXT_FIELDS, ...NUMBER_FIELDS))
    .map(([some, field]): Filter => ({ field, operator: 'in', value: some.map((customer) => customer[field] ?? '') }))
  const filter = fc.oneof(
    equalsExisting,
    inExisting,
    textFilter,
    numberFilter,
    metadataFilter,
    emailFilter,
  ) as fc.Arbitrary<Filter>
  return fc.record({
    filters: fc.array(filter, { maxLength: 3 }),
    includeArchived: fc.boolean(),
    sort: sorting,
    limit: fc.integer({ min: 1, max: 12 }),
  })
}

describe('a list', () => {
  let scope: Scope
  let all: Customer[]

  beforeAll(async () => {
    scope = await insertTenant()
    all = await populate(scope, 40)
    await populate({ ...scope, mode: 'test' }, 5)
    await populate(await insertTenant(), 5)
  })

  const list = (query: ListQuery) => listCustomers(db, scope, query, { total: true })
  const idsOf = ({ customers, ...page }: ListPage) => ({ ...page, ids: customers.map((customer) => customer.id) })

  it('has the customers that match all filters, in the requested order, with the right total, on any page', async () => {
    const start: fc.Arbitrary<PageStart> = fc.oneof(
      fc.nat(30).map((offset): PageStart => ({ kind: 'offset', offset })),
      fc.constant<PageStart>({ kind: 'offset', offset: 0 }),
    )
    await fc.assert(
      fc.asyncProperty(queryOf(all), start, async (drawn, start) => {
        const query = { ...drawn, start }
        expect(idsOf(await list(query))).toEqual(idsOf(listOf(all, query)))
      }),
      { numRuns: 200 },
    )
  })

  it('begins just after a position, or ends just before it, whichever customer holds it', async () => {
    const kind = fc.constantFrom('after', 'before')
    await fc.assert(
      fc.asyncProperty(queryOf(all), fc.constantFrom(...all), kind, async (drawn, customer, kind) => {
        const start = { kind, position: positionOf(customer, drawn.sort) } as PageStart
        const query = { ...drawn, start }
        expect(idsOf(await list(query))).toEqual(idsOf(listOf(all, query)))
      }),
      { numRuns: 200 },
    )
  })

  it('is the same whole whether paged forwards, backwards or by offset', async () => {
    await fc.assert(
      fc.asyncProperty(queryOf(all), async (drawn) => {
        const whole = listOf(all, { ...drawn, limit: 1_000, start: { kind: 'offset', offset: 0 } }).customers
        const forwards: Customer[] = []
        let start: PageStart = { kind: 'offset', offset: 0 }
        for (let more = true; more; ) {
          const page = await list({ ...drawn, start })
          forwards.push(...page.customers)
          expect(forwards.length).toBeLessThanOrEqual(whole.length)
          more = page.next !== null
          if (page.next) start = { kind: 'after', position: page.next }
        }
        expect(forwards.map(({ id }) => id)).toEqual(whole.map(({ id }) => id))
        const last = whole.at(-1)
        if (!last) return
        const backwards: Customer[] = [last]
        for (let more = true; more; ) {
          const position = positionOf(backwards[0] as Customer, drawn.sort)
          const page = await list({ ...drawn, start: { kind: 'before', position } })
          backwards.unshift(...page.customers)
          expect(backwards.length).toBeLessThanOrEqual(whole.length)
          more = page.next !== null
        }
        expect(backwards.map(({ id }) => id)).toEqual(whole.map(({ id }) => id))
      }),
      { numRuns: 60 },
    )
  })

  it('returns whole customers, as a read by id does', async () => {
    const query: ListQuery = {
      filters: [],
      includeArchived: true,
      sort: [{ field: 'id', direction: 'asc' }],
      start: { kind: 'offset', offset: 0 },
      limit: 1_000,
    }
    const { customers } = await list(query)
    expect(customers).toEqual([...all].sort((a, b) => (a.id < b.id ? -1 : 1)))
  })

  it('is empty when its filters match no status, whichever index the rest of the query uses', async () => {
    const nothing: Filter = { field: 'status', operator: 'in', value: [] }
    for (const field of ['id', 'externalId', 'email', 'parentId'] as const) {
      const filters: Filter[] = [nothing, { field, operator: 'eq', value: 'a' }]
      const query: ListQuery = {
        filters,
        includeArchived: true,
        sort: [],
        start: { kind: 'offset', offset: 0 },
        limit: 9,
      }
      expect(await list(query)).toEqual(NOTHING)
    }
  })

  it('has no customers of another tenant or mode', async () => {
    const other = await insertTenant()
    const query: ListQuery = {
      filters: [],
      includeArchived: true,
      sort: [],
      start: { kind: 'offset', offset: 0 },
      limit: 9,
    }
    expect(await listCustomers(db, other, query, { total: true })).toEqual(NOTHING)
  })
})

describe('a list that may look at few customers, or show few bytes, a page', () => {
  const REAL = { ...LIST_BOUNDS }
  const bound = (given: Partial<Record<keyof typeof LIST_BOUNDS, number>>) => Object.assign(LIST_BOUNDS, given)
  /** Orders that an index has. */
  const INDEXED = new Set(['id', 'name', 'email', 'updatedAtMs', 'externalId'])
  let scope: Scope
  let all: Customer[]

  beforeAll(async () => {
    scope = await insertTenant()
    all = await populate(scope, 40)
  })
  afterEach(() => void bound(REAL))

  const bounds = fc.record({
    lookedAtMax: fc.integer({ min: 1, max: 15 }),
    lookedAtSlowlyMax: fc.integer({ min: 1, max: 9 }),
    fewFiltersMax: fc.integer({ min: 0, max: 2 }),
    pageBytes: fc.constantFrom(1, 600, 1_500, REAL.pageBytes),
    fewCustomersMax: fc.constantFrom(0, REAL.fewCustomersMax),
    pieceCustomers: fc.constantFrom(1, 2, 3, REAL.pieceCustomers),
    pieceLookedAtSlowly: fc.constantFrom(2, 5, REAL.pieceLookedAtSlowly),
  })

  /** Returns all pages of a list, forwards or backwards. */
  async function pagesOf(query: Omit<ListQuery, 'start'>, kind: 'after' | 'before', start: PageStart) {
    const pages: ListPage[] = []
    for (let next: PageStart | null = start; next; ) {
      const page: ListPage = await listCustomers(db, scope, { ...query, start: next }, { total: pages.length === 0 })
      pages.push(page)
      // No page may stand still.
      expect(pages.length).toBeLessThanOrEqual(2 * all.length + 2)
      next = page.next && { kind, position: page.next }
    }
    return pages
  }

  const isIndexed = (query: Omit<ListQuery, 'start'>) => {
    const [first, second, ...more] = sortKeys(query.sort)
    return INDEXED.has(first?.field ?? '') && more.length === 0 && (!second || second.direction === first?.direction)
  }

  it('goes on by its cursor to the end, with each matching customer once and in order, in both directions', async () => {
    let read = 0
    const orders = fc.oneof(
      sorting,
      fc.constantFrom(...INDEXED).map((field): Sort[] => [{ field: field as Sort['field'], direction: 'asc' }]),
      fc.constantFrom(...INDEXED).map((field): Sort[] => [{ field: field as Sort['field'], direction: 'desc' }]),
    )
    await fc.assert(
      fc.asyncProperty(queryOf(all), orders, bounds, fc.boolean(), async (drawn, sort, given, isForwards) => {
        const query = { ...drawn, sort }
        const whole = wholeListOf(all, query)
        bound(given)
        const last = whole.at(-1)
        if (!isForwards && !last) return
        const start: PageStart = isForwards
          ? { kind: 'offset', offset: 0 }
          : { kind: 'before', position: positionOf(last as Customer, sort) }
        let pages: ListPage[]
        try {
          pages = await pagesOf(query, isForwards ? 'after' : 'before', start)
        } catch (error) {
          // Only an order without an index is refused, and only if there are more customers than it may look at.
          expect((error as RegistryError).failure).toMatchObject({ problems: [{ field: 'sort' }] })
          expect(isIndexed(query)).toBe(false)
          expect(all.length).toBeGreaterThan(given.lookedAtMax)
          return
        }
        read++
        const ids = isForwards
          ? pages.flatMap(({ customers }) => customers.map(({ id }) => id))
          : pages.toReversed().flatMap(({ customers }) => customers.map(({ id }) => id))
        const expected = (isForwards ? whole : whole.slice(0, -1)).map(({ id }) => id)
        expect(ids).toEqual(expected)
        for (const { customers } of pages) expect(customers.length).toBeLessThanOrEqual(drawn.limit)
        if (given.pageBytes === 1) for (const { customers } of pages) expect(customers.length).toBeLessThanOrEqual(1)
        const { total } = pages[0] as ListPage
        if (isForwards && !total?.isCapped) expect(total?.count).toBe(whole.length)
        if (total?.isCapped) expect(total.count).toBeLessThanOrEqual(Math.min(whole.length, given.lookedAtMax))
      }),
      { numRuns: 100 },
    )
    expect(read).toBeGreaterThan(25)
  })

  it('walks in an order that an index has, in one direction, and in no other', () => {
    const kindsOf = (sort: Sort[]) =>
      planList({
        filters: [],
        includeArchived: false,
        sort,
        start: { kind: 'offset', offset: 0 },
        limit: 1,
      }).ways.map(({ kind }) => kind)
    for (const direction of ['asc', 'desc'] as const) {
      const other = direction === 'asc' ? 'desc' : 'asc'
      expect(kindsOf([{ field: 'name', direction }])).toEqual(['walk'])
      expect(
        kindsOf([
          { field: 'name', direction },
          { field: 'id', direction: other },
        ]),
      ).toEqual(['set'])
      expect(
        kindsOf([
          { field: 'name', direction },
          { field: 'email', direction },
        ]),
      ).toEqual(['set'])
      expect(kindsOf([{ field: 'addressCity', direction }])).toEqual(['set'])
    }
  })

  it('reads a long page in pieces, which keep to its bounds together', async () => {
    const newest = all.toSorted((a, b) => (a.id < b.id ? 1 : -1))
    const sizes: number[] = []
    const inTurn: InTurn = async (piece) => {
      const read = await piece()
      sizes.push((read as { items: unknown[] }).items.length)
      return read
    }
    const read = (given: Partial<ListQuery>) => {
      sizes.length = 0
      const query: ListQuery = {
        ...{ filters: [], includeArchived: true, sort: [], start: { kind: 'offset', offset: 0 }, limit: 10 },
        ...given,
      }
      return listCustomers(db, scope, query, { total: false, inTurn })
    }
    bound({ pieceCustomers: 4 })
    expect((await read({})).customers.map(({ id }) => id)).toEqual(newest.slice(0, 10).map(({ id }) => id))
    expect(sizes).toEqual([4, 4, 2])
    // A filter that nobody meets: the page ends where it has looked at as many as it may.
    bound({ pieceCustomers: 4, lookedAtMax: 12, lookedAtSlowlyMax: 12 })
    const none = await read({ filters: [{ field: 'addressCity', operator: 'eq', value: 'nowhere' }] })
    expect([none.customers, none.next]).toEqual([[], [newest[11]?.id]])
    // A page of few customers is read in pieces, too, if it takes long to look at them.
    bound({ ...REAL, lookedAtSlowlyMax: 12, pieceLookedAtSlowly: 5 })
    const slow = await read({ filters: [{ field: 'metadata', key: 'none', operator: 'eq', value: 'x' }], limit: 1 })
    expect([slow.customers, slow.next, sizes]).toEqual([[], [newest[11]?.id], [0, 0, 0]])
    // Bytes end the page at the same customer, whatever its pieces are.
    bound({ ...REAL, pageBytes: 1_500 })
    const { customers } = await read({ limit: 9 })
    expect(customers).toHaveLength(3)
    bound({ pieceCustomers: 2 })
    expect((await read({ limit: 9 })).customers).toEqual(customers)
  })

  it('refuses an order without an index, and a far offset, saying what to do', async () => {
    bound({ lookedAtMax: 10, offsetMax: 20 })
    const query: ListQuery = {
      filters: [],
      includeArchived: false,
      sort: [{ field: 'addressCity', direction: 'asc' }],
      start: { kind: 'offset', offset: 0 },
      limit: 9,
    }
    const refused = (given: Partial<ListQuery>) =>
      listCustomers(db, scope, { ...query, ...given }, { total: true }).then(
        () => null,
        (error) => error.failure.problems,
      )
    expect(await refused({})).toMatchObject([{ field: 'sort', message: expect.stringContaining('more than 10 ') }])
    expect(
      await refused({ filters: [{ field: 'id', operator: 'in', value: all.slice(0, 5).map(({ id }) => id) }] }),
    ).toBe(null)
    expect(await refused({ sort: [], start: { kind: 'offset', offset: 21 } })).toMatchObject([{ field: 'offset' }])
    expect(await refused({ sort: [], start: { kind: 'offset', offset: 15 } })).toMatchObject([{ field: 'offset' }])
    expect(await refused({ sort: [], start: { kind: 'offset', offset: 5 } })).toBe(null)
  })

  it('says that its total is capped when there are more customers than it may count', async () => {
    bound({ lookedAtMax: 10 })
    const query: Omit<ListQuery, 'filters'> = {
      includeArchived: false,
      sort: [],
      start: { kind: 'offset', offset: 0 },
      limit: 3,
    }
    const total = async (filters: Filter[]) =>
      (await listCustomers(db, scope, { ...query, filters }, { total: true })).total
    const live = all.filter(({ status }) => status !== 'archived')
    expect(await total([])).toEqual({ count: live.length, isCapped: false })
    const one = await total([{ field: 'id', operator: 'eq', value: live[0]?.id ?? '' }])
    expect(one).toEqual({ count: 1, isCapped: false })
    const many = await total([{ field: 'timezone', operator: 'ne', value: 'nowhere' }])
    expect(many?.isCapped).toBe(true)
    expect(many?.count).toBeLessThanOrEqual(10)
  })
})

describe('paging by cursor while customers are created, changed and archived', () => {
  it('neither skips nor repeats an untouched customer', async () => {
    const orders: Sort[][] = [
      [],
      [{ field: 'id', direction: 'asc' }],
      [{ field: 'name', direction: 'asc' }],
      [
        { field: 'email', direction: 'desc' },
        { field: 'createdAtMs', direction: 'asc' },
      ],
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...orders), fc.array(fc.nat(9), { maxLength: 40 }), async (sort, drawn) => {
        const choices = [...drawn]
        const scope = await insertTenant()
        const made = await populate(scope, 14)
        const live = made.filter((customer) => customer.status !== 'archived')
        const disturbed = new Set<string>()
        const disturb = async (choice: number) => {
          const victim = live[choice]
          if (choice > 6 || !victim) return void (await create(scope, { name: WORDS[choice] ?? null }))
          disturbed.add(victim.id)
          if (choice > 3) return void (await archive(scope, victim.id))
          await restore(scope, victim.id)
          await committed(scope, update(victim.id, { name: WORDS[choice] ?? null, email: 'z@z.z' }))
        }
        const seen: string[] = []
        let start: PageStart = { kind: 'offset', offset: 0 }
        for (let more = true; more; ) {
          const query = { filters: [], includeArchived: false, sort, start, limit: 3 }
          const page = await listCustomers(db, scope, query, { total: false })
          seen.push(...page.customers.map(({ id }) => id))
          expect(seen.length).toBeLessThan(200)
          more = page.next !== null
          if (page.next) start = { kind: 'after', position: page.next }
          for (const choice of choices.splice(0, 3)) await disturb(choice)
        }
        const times = (id: string) => seen.filter((other) => other === id).length
        for (const { id } of live) if (!disturbed.has(id)) expect(times(id)).toBe(1)
        // By id, which never changes, no customer comes twice.
        if (sort.length === 0) expect(new Set(seen).size).toBe(seen.length)
      }),
      { numRuns: 25 },
    )
  })
})

/** Creates customers of every kind; a third of them archived, some children of others. */
async function populate(scope: Scope, count: number): Promise<Customer[]> {
  const wanted = fc.sample(fields, { numRuns: count, seed: 42 })
  const writes = wanted.map((given, at) =>
    prepared(creation({ ...given }, 'fail', TIMES[at % TIMES.length]), { actor: at % 2 ? 'key_1' : 'key_2' }),
  )
  const made = (await store.commitWrites(scope, writes)).results.map(customerOf)
  const result: Customer[] = []
  for (const [at, customer] of made.entries()) {
    const parent = made[0] as Customer
    if (at % 3 === 1) result.push(customerOf(await archive(scope, customer.id)))
    else if (at % 5 === 2) result.push(await committed(scope, update(customer.id, { parent: { id: parent.id } })))
    else result.push(customer)
  }
  return result
}
