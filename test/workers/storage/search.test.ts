import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { ulid } from 'ulid'
import { afterEach, describe, expect, it } from 'vitest'
import type { PlannedLine } from '../../../src/gate/protocol/imports.ts'
import type { Customer, CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import type { ListQuery, ListTotal } from '../../../src/registry/query.ts'
import { newId } from '../../../src/shared/ids.ts'
import { importStore } from '../../../src/storage/customers/import.ts'
import { listCustomers } from '../../../src/storage/customers/list-pages.ts'
import { readCustomer } from '../../../src/storage/customers/reads.ts'
import { SEARCH_BOUNDS } from '../../../src/storage/customers/search-query.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { isFound, modelWords } from './search-model.ts'
import { archive, commit, committed, create, creation, db, insertTenant, restore, update } from './support.ts'

const FIRST_PAGE: Omit<ListQuery, 'q'> = {
  filters: [],
  includeArchived: false,
  sort: [],
  limit: 50,
  start: { kind: 'offset', offset: 0 },
}

function search(scope: Scope, q: string, query: Partial<ListQuery> = {}) {
  return listCustomers(db, scope, { ...FIRST_PAGE, ...query, q }, { total: true })
}

/** Returns the ids of all pages, and the total of the first. */
async function searchAll(scope: Scope, q: string, query: Partial<ListQuery> = {}) {
  const ids: string[] = []
  let start: ListQuery['start'] = FIRST_PAGE.start
  for (let total: ListTotal | null = null; ; ) {
    const page = await search(scope, q, { ...query, start })
    total ??= page.total
    ids.push(...page.customers.map(({ id }) => id))
    if (!page.next) return { ids, total }
    start = { kind: 'after', position: page.next }
  }
}

const idsOf = async (found: ReturnType<typeof search>) => (await found).customers.map(({ id }) => id)
const BOUNDS = { ...SEARCH_BOUNDS }
afterEach(() => void Object.assign(SEARCH_BOUNDS, BOUNDS))

const archivedOnly: ListQuery['filters'] = [{ field: 'status', operator: 'in', value: ['archived'] }]

describe('a search', () => {
  it.each([
    ['a word of the name, whatever its case and accents', 'muller', true],
    ['a beginning of it', 'MÜL', true],
    ['a part behind punctuation', 'luc', true],
    ['the whole with its punctuation', 'jean-luc', true],
    ['words in any order', 'mull jean', true],
    ['the e-mail address', 'jl@büro.example', true],
    ['its other spelling', 'jl@xn--bro-hoa.example', true],
    ['its local part', 'jl', true],
    ['its domain', 'buro.ex', true],
    ['its domain in the other spelling', 'xn--bro', true],
    ['the external id', 'ext 12/a', true],
    ['a word of it', '12', true],
    ['the middle of a word', 'uller', false],
    ['a word of which one letter differs', 'mullerx', false],
    ['two words of which one is there', 'jean smith', false],
    ['a quotation mark of another kind', 'o\u2019n', true],
    ['a quotation mark', "o'neil", true],
    ['the word behind it', 'neil', true],
    ['a backslash', 'back\\sl', true],
    ['an operator of the index', 'jean NOT mull', false],
    ['signs of the index', '"jean"*', false],
    ['a column of the index', 'tokens:jean', false],
  ])('finds a customer by %s: %s is %s', async (_, q, found) => {
    const scope = await insertTenant()
    const fields = { name: `Jean-Luc O'Neil Müller back\\slash`, email: 'JL@büro.example', externalId: 'Ext 12/A' }
    const { id } = await create(scope, fields)
    expect(await idsOf(search(scope, q))).toEqual(found ? [id] : [])
    expect(await idsOf(search(scope, id.slice(0, 12)))).toEqual([id])
  })

  it('refuses a text without words, and one with more than eight', async () => {
    const scope = await insertTenant()
    for (const q of ['', ' \n', '\u0301', '\u200b', 'a b c d e f g h i']) {
      await expect(search(scope, q), JSON.stringify(q)).rejects.toMatchObject({ failure: { reason: 'invalid_input' } })
    }
    expect(await idsOf(search(scope, 'a b c d e f g h a ab'))).toEqual([])
  })

  it('finds nothing of another tenant or mode, nor what an import of another tenant wrote', async () => {
    const scope = await insertTenant()
    const test = { ...scope, mode: 'test' } as const
    const other = await insertTenant()
    for (const each of [scope, test, other])
      await create(each, { name: 'Shared Longer-Than-Eight', externalId: 'same' })
    for (const each of [scope, test, other]) {
      for (const q of ['shared', 'longer-than-e', 'cust_', 'same']) {
        const { customers, total } = await search(each, q)
        expect(customers.map(({ tenantId, mode }) => ({ tenantId, mode }))).toEqual([each])
        expect(total).toEqual({ count: 1, isCapped: false })
      }
    }
  })

  it('finds an archived customer only when asked, and a restored one again', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { name: 'Ada' })
    const found = async () => [
      await idsOf(search(scope, 'ada')),
      await idsOf(search(scope, 'ada', { filters: archivedOnly })),
      await idsOf(search(scope, 'ada', { includeArchived: true })),
    ]
    expect(await found()).toEqual([[id], [], [id]])
    await archive(scope, id)
    expect(await found()).toEqual([[], [id], [id]])
    await restore(scope, id)
    expect(await found()).toEqual([[id], [], [id]])
  })

  it('counts to 300, and says if there may be more', async () => {
    const scope = await insertTenant()
    const insert = (from: number, count: number) =>
      importStore(env.DB).commitSegments(
        scope,
        [Array.from({ length: count }, (_, at) => lineOf({ externalId: `customer-${from + at}`, name: 'Acme' }))],
        stamp(),
      )
    await insert(0, 300)
    expect(await search(scope, 'acme', { limit: 1 })).toMatchObject({ total: { count: 300, isCapped: false } })
    expect(await search(scope, 'customer-', { limit: 1 })).toMatchObject({ total: { count: 300, isCapped: false } })
    await insert(300, 101)
    expect(await search(scope, 'acme', { limit: 1 })).toMatchObject({ total: { count: 300, isCapped: true } })
    expect(await search(scope, 'customer-', { limit: 1 })).toMatchObject({ total: { count: 300, isCapped: true } })
    // Behind the newest 400 that are looked at for a long word.
    expect(await idsOf(search(scope, 'customer-0'))).toHaveLength(1)
    expect(await search(scope, 'customer-0')).toMatchObject({ total: { count: 1, isCapped: false }, next: null })
    expect((await searchAll(scope, 'customer-1', { limit: 40 })).ids).toHaveLength(111)
    expect((await searchAll(scope, 'customer-', { limit: 150 })).ids).toHaveLength(401)
  })

  it('finds each once, whether its long word is looked for among the newest or in all', async () => {
    const scope = await insertTenant()
    const ids = Array.from({ length: 60 }, (_, n) => (n % 7 === 0 ? `customer-seventh-${n}` : `customer-${n}`))
    const lines = ids.map((externalId) => lineOf({ externalId }))
    await importStore(env.DB).commitSegments(scope, [lines], stamp())
    const wanted = lines.filter(({ externalId }) => externalId.includes('seventh')).map(({ id }) => id)
    for (const fewMax of [0, BOUNDS.fewMax]) {
      for (const lookedMax of [1, 20, BOUNDS.lookedMax]) {
        Object.assign(SEARCH_BOUNDS, { fewMax, lookedMax })
        for (const limit of [1, 2, 4, 20]) {
          const { ids: found } = await searchAll(scope, 'customer-s', { limit })
          expect(found, JSON.stringify({ fewMax, lookedMax, limit })).toEqual(wanted.toReversed())
        }
      }
    }
  })

  it('goes on after a customer that was archived or erased since', async () => {
    const scope = await insertTenant()
    const made = [
      await create(scope, { name: 'A' }),
      await create(scope, { name: 'A' }),
      await create(scope, { name: 'A' }),
    ]
    const [oldest, middle] = made.map(({ id }) => id) as [string, string, string]
    await commit(scope, { kind: 'erase', target: { id: middle }, ifVersion: null })
    expect(await idsOf(search(scope, 'a', { start: { kind: 'after', position: [middle] } }))).toEqual([oldest])
  })
})

it('has nothing of an import that was refused in the middle of a statement', async () => {
  const scope = await insertTenant()
  const { id } = await create(scope, { name: 'Before' })
  const lines = [lineOf({ name: 'Refused' }), { ...lineOf({ name: 'Refused' }), fields: { parent: { id: 'nobody' } } }]
  const change = { ...lineOf({ name: 'Refused' }), externalId: `x_${id}`, customerId: id }
  const refused = await importStore(env.DB).commitSegments(scope, [[change], lines], stamp())
  expect(refused).toMatchObject({ ok: false, failure: { reason: 'parent_not_found' } })
  expect(await search(scope, 'refused')).toMatchObject({ customers: [], total: { count: 0 } })
  expect(await idsOf(search(scope, 'before'))).toEqual([id])
  await env.DB.prepare(`INSERT INTO customer_search (customer_search) VALUES ('integrity-check')`).run()
  expect(await create(scope, { name: 'After' })).toBeDefined()
  expect(await idsOf(search(scope, 'cust_'))).toHaveLength(2)
})

it('has no word of an erased customer, nor a former one, once the merge that it owes is done', async () => {
  const scope = await insertTenant()
  const secrets = Array.from({ length: 4 }, () => ulid().toLowerCase().slice(10))
  const [first = '', second = '', third = '', fourth = ''] = secrets
  const { id } = await create(scope, { name: `Ann ${first}`, email: `${second}@example.com`, externalId: third })
  await create(scope, { name: 'Ann', email: 'ann@example.com' })
  expect(await inIndex(...secrets)).toEqual([true, true, true, false])
  await committed(scope, update(id, { name: `Ann ${fourth}` }))
  await archive(scope, id)
  expect(await inIndex(...secrets)).toEqual([true, true, true, true])
  expect((await search(scope, first, { includeArchived: true })).customers).toEqual([])
  await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
  for (const secret of secrets) {
    expect((await search(scope, secret, { includeArchived: true })).customers).toEqual([])
  }
  await mergeRemovedWords()
  expect(await inIndex(...secrets)).toEqual([false, false, false, false])
  expect(await idsOf(search(scope, 'cust_'))).toHaveLength(1)
  await env.DB.prepare(`INSERT INTO customer_search (customer_search) VALUES ('integrity-check')`).run()
})

/** Says for each word if any block of the index has its end, which is never shortened. */
async function inIndex(...words: string[]): Promise<boolean[]> {
  const found = await env.DB.batch<{ n: number }>(
    words.map((word) =>
      env.DB.prepare(
        `SELECT (SELECT count(*) FROM customer_search_data WHERE instr(block, CAST(?1 AS blob)) > 0)
           + (SELECT count(*) FROM customer_search_idx WHERE instr(term, CAST(?1 AS blob)) > 0)
           + (SELECT count(*) FROM customer_search_content WHERE instr(c0, ?1) > 0) AS n`,
      ).bind(word.slice(-10)),
    ),
  )
  return found.map(({ results }) => results[0]?.n !== 0)
}

/** Few texts, so that customers share them, and any others. */
const POOL = [
  'Maria',
  'MARÍA',
  'Smith',
  "O'Neil",
  'o\u2019neil',
  'Jean-Luc',
  '"quoted"',
  'GmbH & Co.',
  'İstanbul',
  'ﬁnance',
  '東京',
]
const LONG = ['customer-0001', 'customer-0002', 'Customer-with-a-long-beginning', 'ＣＵＳＴＯＭＥＲ']
const storable = fc
  .string({ unit: 'binary', maxLength: 12 })
  .filter((text) => text.isWellFormed() && !text.includes('\0'))
const word = fc.oneof(fc.constantFrom(...POOL, ...LONG), storable)
const text = fc.array(word, { maxLength: 4 }).map((words) => words.join(' '))
const fields = fc.record(
  {
    name: fc.option(text),
    email: fc.option(
      fc.tuple(word, fc.constantFrom('x.io', 'bücher.example', 'gmail.com')).map((parts) => parts.join('@')),
    ),
    externalId: fc.tuple(word, fc.nat(999)).map(([beginning, n]) => `${beginning}${n}`),
  },
  { requiredKeys: [] },
)
const which = fc.nat()
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('create', 'import'), fields }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('update', 'import update'), which, fields }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('archive', 'restore', 'erase'), which }) },
)
type Step = { kind: string; which?: number; fields?: Pick<CustomerChanges, 'name' | 'email' | 'externalId'> }
const question = fc.record({
  words: fc.array(fc.oneof(word, fc.record({ of: which, field: fc.nat(2), at: fc.nat(3), length: fc.nat(12) })), {
    minLength: 1,
    maxLength: 3,
  }),
  status: fc.constantFrom('current', 'archived', 'all'),
  limit: fc.integer({ min: 1, max: 4 }),
})

it('finds what the model finds, in its order, after any creations, changes, archivings, erasures and imports', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 25 }),
      fc.array(question, { minLength: 12, maxLength: 12 }),
      // These bounds change how customers are found, and not which.
      fc.record({ fewMax: fc.constantFrom(0, 1, BOUNDS.fewMax), lookedMax: fc.constantFrom(1, BOUNDS.lookedMax) }),
      async (steps, questions, bounds) => {
        Object.assign(SEARCH_BOUNDS, bounds)
        const scope = await insertTenant('test')
        const ids: string[] = []
        for (const one of steps) await take(scope, one as Step, ids)
        const all = (await Promise.all(ids.map((id) => readCustomer(db, scope, id)))).filter((each) => each !== null)
        for (const { words, status, limit } of questions) {
          const q = words.map((each) => (typeof each === 'string' ? each : beginningOf(all, each))).join(' ')
          const wanted = all
            .filter((customer) => status === 'all' || (customer.status === 'archived') === (status === 'archived'))
            .filter((customer) => isFound(customer, q))
            .map(({ id }) => id)
            .reverse()
          const filters = status === 'archived' ? archivedOnly : []
          const found = searchAll(scope, q, { filters, limit, includeArchived: status === 'all' })
          const asked = modelWords(q)
          if (asked.length === 0 || asked.length > 8) await found.catch(() => undefined)
          else expectAll(await found, wanted, { q, limit })
        }
      },
    ),
    {
      numRuns: Number(env.MODEL_RUNS || 12),
      endOnFailure: true,
      ...(env.MODEL_SEED && { seed: Number(env.MODEL_SEED) }),
    },
  )
  await env.DB.prepare(`INSERT INTO customer_search (customer_search) VALUES ('integrity-check')`).run()
})

/** A total counts all, or says that it is capped: then the page is full, and it counts more than the page shows. */
function expectAll(
  { ids, total }: Awaited<ReturnType<typeof searchAll>>,
  wanted: string[],
  { q, limit }: { q: string; limit: number },
) {
  expect(ids, q).toEqual(wanted)
  if (!total?.isCapped) return expect(total, q).toEqual({ count: wanted.length, isCapped: false })
  expect(total.count, q).toBeGreaterThan(limit)
  expect(total.count, q).toBeLessThanOrEqual(wanted.length)
}

/** Returns a beginning of a word of one of the customers. */
function beginningOf(
  all: Customer[],
  { of, field, at, length }: { of: number; field: number; at: number; length: number },
) {
  const customer = all[of % Math.max(1, all.length)]
  const words = [customer?.name, customer?.email, customer?.externalId][field]?.split(' ') ?? ['nobody']
  return Array.from(words[at % words.length] ?? '')
    .slice(0, length)
    .join('')
}

/** Takes a step. One that a rule refuses, such as an external id that is taken, changes nothing. */
async function take(scope: Scope, { kind, which: nth = 0, fields: changes = {} }: Step, ids: string[]): Promise<void> {
  const id = ids[nth % Math.max(1, ids.length)]
  if (kind === 'create') {
    const made = await commit(scope, creation(changes))
    if (made.ok) ids.push(made.customer.id)
    return
  }
  if (kind === 'import') {
    const line = lineOf(changes)
    const made = await importStore(env.DB).commitSegments(scope, [[line]], stamp())
    if (made.ok && made.changed.size > 0) ids.push(line.id)
    return
  }
  if (id === undefined) return
  if (kind === 'update') await commit(scope, update(id, changes))
  if (kind === 'archive') await archive(scope, id)
  if (kind === 'restore') await restore(scope, id)
  if (kind === 'erase') await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
  if (kind === 'import update') {
    const { externalId = '' } = (await readCustomer(db, scope, id)) ?? {}
    const line = { ...lineOf(changes), externalId, customerId: id }
    await importStore(env.DB).commitSegments(scope, [[line]], stamp())
  }
}

function lineOf({
  externalId,
  ...given
}: {
  externalId?: string
  name?: string | null
  email?: string | null
}): PlannedLine {
  const id = newId('customer', Date.now())
  return {
    id,
    externalId: externalId ?? id,
    fields: given,
    onboarding: '',
    customerId: null,
    parentId: undefined,
    changeId: newId('event', Date.now()),
  }
}

function stamp() {
  return { deadlineMs: 9_000_000_000_000, nowMs: Date.now(), actor: 'key_1', requestId: 'req_1', reason: null }
}
