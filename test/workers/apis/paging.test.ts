/**
 * Paging at every API that pages: a reader that follows a cursor, in any order, sees each untouched customer exactly once
 * and in its place, while others are created, changed, archived, restored and erased between the pages.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { FIELDS } from '../../../src/apis/v1/customers/list-schema.ts'
import { importLines } from '../import/support.ts'
import { ADMIN_KEY, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { BOUND_CALLER, bound } from './drivers.ts'

const CALM = 9
const STORMY = 6
/** No walk over so few customers takes more pages. */
const PAGES_MAX = 60

interface Page {
  ids: string[]
  /** Cursor of the next page; null after the last page. */
  cursor: string | null
}
type Fetch = (cursor: string | null) => Promise<Page>

let tenant: TestTenant
let calm: Set<string>
let stormy: string[]
let oldest: string
let names = 0

beforeAll(async () => {
  tenant = await newTenant()
  oldest = (await newCustomer(tenant.live.key)).id
  const line = (kind: string) => (_: unknown, at: number) => ({
    external_id: `${kind}${at}`,
    name: ['Ada', 'ada', 'Ädä', null][at % 4],
    email: at % 3 === 0 ? null : `${kind}@example.com`,
    address_country: at % 2 === 0 ? 'DE' : 'US',
    status: at % 5 === 0 ? 'draft' : 'published',
  })
  const { results } = await importLines(tenant.live.key, [
    ...Array.from({ length: CALM }, line('calm')),
    ...Array.from({ length: STORMY }, line('stormy')),
  ])
  const ids = results.map(({ id }) => id ?? '')
  calm = new Set(ids.slice(0, CALM))
  stormy = ids.slice(CALM)
})

const v1 = (method: string, path: string, body?: object) =>
  call(method, `/v1/customers${path}`, { key: tenant.live.key, body })

/** Changes between two pages: a volatile customer changes, or a new one is created. */
const happenings = {
  create: async () => {
    const { body } = await v1('POST', '', { external_id: `new${names++}`, name: 'Bo' })
    stormy.push(body.id)
  },
  rename: (id: string) => v1('PUT', `/${id}`, { name: `Zoe ${names++}`, email: `z${names}@example.com` }),
  draft: (id: string) => v1('PUT', `/${id}`, { status: 'draft', address_country: 'AT' }),
  archive: (id: string) => v1('DELETE', `/${id}`),
  restore: (id: string) => v1('POST', `/${id}/restore`),
  erase: (id: string) => v1('POST', `/${id}/erase`),
} satisfies Record<string, (id: string) => Promise<unknown>>

const storm = fc.array(fc.tuple(fc.constantFrom(...Object.values(happenings)), fc.nat(99)), { maxLength: 8 })
const limit = fc.integer({ min: 1, max: 5 })

/** Returns all ids of the pages, in their order, with one change after each page. */
async function followPages(fetch: Fetch, drawn: [(id: string) => Promise<unknown>, number][]): Promise<string[]> {
  const ids: string[] = []
  const left = [...drawn]
  let cursor: string | null = null
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page: Page = await fetch(cursor)
    ids.push(...page.ids)
    cursor = page.cursor
    if (cursor === null) return ids
    const happening = left.shift()
    if (happening) await happening[0](stormy[happening[1] % stormy.length] ?? '')
  }
  throw new Error('the pages do not end')
}

const onlyCalm = (ids: string[]) => ids.filter((id) => calm.has(id))

/** Checks that the untouched customers come as they do without changes. With `isByCreation`: also that none comes twice. */
async function expectCalm(fetch: Fetch, whole: Fetch, drawn: Parameters<typeof followPages>[1], isByCreation: boolean) {
  const ids = await followPages(fetch, drawn)
  const inOnePiece = await followPages(whole, [])
  expect(onlyCalm(ids)).toEqual(onlyCalm(inOnePiece))
  expect(new Set(onlyCalm(ids)).size).toBe(CALM)
  if (isByCreation) expect(new Set(ids).size).toBe(ids.length)
}

describe('while customers are created, changed, archived, restored and erased', () => {
  const fields = Object.keys(FIELDS)
  const orders = fields.flatMap((field) => [field, `-${field}`])

  it.each(orders)('/v1/customers sorted by %s neither skips nor repeats an untouched customer', async (sort) => {
    const list =
      (size: number): Fetch =>
      async (cursor) => {
        const { body } = await v1('GET', `?limit=${size}&sort=${sort}${cursor === null ? '' : `&cursor=${cursor}`}`)
        return { ids: body.items.map(({ id }: { id: string }) => id), cursor: body.pagination.next_cursor }
      }
    const isByCreation = /^-?(?:id|created_at)$/.test(sort)
    const cases = fc.asyncProperty(limit, storm, (size, drawn) =>
      expectCalm(list(size), list(1_000), drawn, isByCreation),
    )
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 2) })
  })

  it('/v1/customers sorted by several keys neither skips nor repeats one', async () => {
    const several = fc.uniqueArray(fc.constantFrom(...orders), {
      minLength: 2,
      maxLength: 4,
      selector: (order) => order.replace('-', ''),
    })
    const cases = fc.asyncProperty(several, limit, storm, async (keys, size, drawn) => {
      const list =
        (count: number): Fetch =>
        async (cursor) => {
          const query = `?limit=${count}&sort=${keys.join()}${cursor === null ? '' : `&cursor=${cursor}`}`
          const { body } = await v1('GET', query)
          return { ids: body.items.map(({ id }: { id: string }) => id), cursor: body.pagination.next_cursor }
        }
      await expectCalm(list(size), list(1_000), drawn, false)
    })
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 4) })
  })

  it.each(['starting_after', 'ending_before'])(
    '/customers followed by %s neither skips nor repeats one',
    async (parameter) => {
      const isForwards = parameter === 'starting_after'
      const list =
        (size: number): Fetch =>
        async (cursor) => {
          // A walk backwards begins before the oldest customer of all, which is neither calm nor stormy.
          const from = cursor ?? (isForwards ? null : oldest)
          const path = `/customers?limit=${size}${from === null ? '' : `&${parameter}=${from}`}`
          const { body } = await call('GET', path, { key: tenant.live.key })
          const ids: string[] = body.data.map(({ id }: { id: string }) => id)
          const next = isForwards ? ids.at(-1) : ids[0]
          return { ids: isForwards ? ids : ids.toReversed(), cursor: body.has_more ? (next ?? null) : null }
        }
      const cases = fc.asyncProperty(limit, storm, (size, drawn) => expectCalm(list(size), list(100), drawn, true))
      await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 4) })
    },
  )

  it.each(['newest', 'oldest'] as const)('RPC, %s first, neither skips nor repeats one', async (order) => {
    const { tenantId } = tenant
    const list =
      (size: number): Fetch =>
      async (cursor) => {
        const customers = bound({ tenantId, mode: 'live', scopes: ['customers:read'], caller: BOUND_CALLER })
        const page = await customers.list({ limit: size, order, ...(cursor !== null && { cursor }) })
        if (!page.ok) throw new Error(page.failure.message)
        return { ids: page.customers.map(({ id }) => id), cursor: page.nextCursor }
      }
    const cases = fc.asyncProperty(limit, storm, (size, drawn) => expectCalm(list(size), list(1_000), drawn, true))
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 4) })
  })
})

describe('while more events happen', () => {
  const pages = (path: string, headers: Record<string, string>): Fetch => {
    const separator = path.includes('?') ? '&' : '?'
    return async (cursor) => {
      const { body } = await call('GET', `${path}${cursor === null ? '' : `${separator}cursor=${cursor}`}`, { headers })
      return { ids: body.items.map(({ id }: { id: string }) => id), cursor: body.pagination.next_cursor }
    }
  }

  it.each(['audit', 'log of events'])('pages the %s without skipping or repeating any earlier event', async (what) => {
    const isAudit = what === 'audit'
    const headers: Record<string, string> = isAudit
      ? { 'x-api-key': ADMIN_KEY }
      : { authorization: `Bearer ${tenant.live.key}` }
    const path = isAudit ? `/admin/audit?tenant_id=${tenant.tenantId}&limit=` : '/v1/events?limit='
    // The walk covers only the latest events of those so far: each property run adds some.
    const latest = async () => (await pages(`${path}40`, headers)(null)).ids
    const cases = fc.asyncProperty(fc.integer({ min: 3, max: 9 }), storm, async (size, drawn) => {
      const before = await latest()
      const seen: string[] = []
      const left = [...drawn]
      let cursor: string | null = null
      do {
        const page: Page = await pages(`${path}${size}`, headers)(cursor)
        seen.push(...page.ids)
        cursor = page.cursor
        const happening = left.shift()
        if (happening) await happening[0](stormy[happening[1] % stormy.length] ?? '')
      } while (cursor !== null && seen.length < before.length)
      expect(seen.slice(0, before.length)).toEqual(before.slice(0, seen.length))
      expect(seen).toEqual([...new Set(seen)].toSorted().toReversed())
    })
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 4) })
  })
})
