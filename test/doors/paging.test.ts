/**
 * Paging at every door that pages: whoever follows a cursor, in whatever order, sees each thing that is left alone exactly once
 * and in its place, while others are created, changed, archived, restored and erased between the pages.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { FIELDS } from '../../src/dialects/v1-customers/list-schema.ts'
import { importLines } from '../import/support.ts'
import { ADMIN_KEY, call, newTenant, type TestTenant } from '../support/roster.ts'
import { BOUND_CALLER, bound } from './drivers.ts'

const CALM = 9
const STORMY = 6
/** No walk of so few customers takes more. */
const PAGES_MAX = 60

interface Page {
  ids: string[]
  /** Of the next page; null behind the last. */
  cursor: string | null
}
type Fetch = (cursor: string | null) => Promise<Page>

let tenant: TestTenant
let calm: Set<string>
let stormy: string[]
let names = 0

beforeAll(async () => {
  tenant = await newTenant()
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

/** What happens between two pages: to one of the stormy, or a new one comes. */
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

/** All ids that the pages had, in their order, with something happening after each of them. */
async function walked(fetch: Fetch, drawn: [(id: string) => Promise<unknown>, number][]): Promise<string[]> {
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

/** As the walk is followed the calm ones come as they do in one piece; `isByCreation`: then nothing comes twice. */
async function expectCalm(fetch: Fetch, whole: Fetch, drawn: Parameters<typeof walked>[1], isByCreation: boolean) {
  const ids = await walked(fetch, drawn)
  const inOnePiece = await walked(whole, [])
  expect(onlyCalm(ids)).toEqual(onlyCalm(inOnePiece))
  expect(new Set(onlyCalm(ids)).size).toBe(CALM)
  if (isByCreation) expect(new Set(ids).size).toBe(ids.length)
}

describe('while customers are created, changed, archived, restored and erased', () => {
  const fields = Object.keys(FIELDS)
  const orders = fields.flatMap((field) => [field, `-${field}`])

  it.each(orders)('/v1/customers sorted by %s skips and repeats none that is left alone', async (sort) => {
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

  it('/v1/customers sorted by several keys does not either', async () => {
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
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 10) })
  })

  it.each(['starting_after', 'ending_before'])('/customers followed by %s does not either', async (parameter) => {
    const isForwards = parameter === 'starting_after'
    const list =
      (size: number): Fetch =>
      async (cursor) => {
        // Backwards one begins behind the last: no id is smaller than this.
        const from = cursor ?? (isForwards ? null : 'cust_00000000000000000000000000')
        const path = `/customers?limit=${size}${from === null ? '' : `&${parameter}=${from}`}`
        const { body } = await call('GET', path, { key: tenant.live.key })
        const ids: string[] = body.data.map(({ id }: { id: string }) => id)
        const next = isForwards ? ids.at(-1) : ids[0]
        return { ids: isForwards ? ids : ids.toReversed(), cursor: body.has_more ? (next ?? null) : null }
      }
    const cases = fc.asyncProperty(limit, storm, (size, drawn) => expectCalm(list(size), list(100), drawn, true))
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 10) })
  })

  it.each(['newest', 'oldest'] as const)('RPC, %s first, does not either', async (order) => {
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
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 10) })
  })
})

describe('while more happens', () => {
  const pages = (path: string, headers: Record<string, string>): Fetch => {
    const separator = path.includes('?') ? '&' : '?'
    return async (cursor) => {
      const { body } = await call('GET', `${path}${cursor === null ? '' : `${separator}cursor=${cursor}`}`, { headers })
      return { ids: body.items.map(({ id }: { id: string }) => id), cursor: body.pagination.next_cursor }
    }
  }

  it.each(['audit', 'log of events'])('the %s skips and repeats nothing that had happened', async (what) => {
    const isAudit = what === 'audit'
    const headers: Record<string, string> = isAudit
      ? { 'x-api-key': ADMIN_KEY }
      : { authorization: `Bearer ${tenant.live.key}` }
    const path = isAudit ? `/admin/audit?tenant_id=${tenant.tenantId}&limit=` : '/v1/events?limit='
    // Of the whole storm so far only the latest are walked: each property adds some.
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
    await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 10) })
  })
})
