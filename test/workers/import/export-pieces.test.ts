/**
 * Exports that are too long for one response, or that break off: the pieces in sequence are the whole, whatever is written
 * meanwhile. The bounds are made small here, so that a few customers reach them.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RequestServices } from '../../../src/composition/request-services.ts'
import { BULK_BOUNDS } from '../../../src/registry/bulk.ts'
import { call, newCustomer, newTenant, ORIGIN } from '../support/roster.ts'
import { exported, importLines } from './support.ts'

const REAL = { ...BULK_BOUNDS }
type Bounds = { -readonly [Name in keyof typeof BULK_BOUNDS]: number }
const bounds = BULK_BOUNDS as Bounds
const bound = (given: Partial<Bounds>) => Object.assign(bounds, given)
afterEach(() => {
  bound(REAL)
  vi.restoreAllMocks()
})

const RUNS = Number(process.env.MODEL_RUNS) || 8

/** Returns the query of the next piece; null after the last. */
function nextOf(headers: Headers): string | null {
  const link = headers.get('link')
  if (link === null) return null
  const [, path = ''] = /^<([^>]+)>; rel="next"$/.exec(link) ?? []
  const { pathname, search } = new URL(path, ORIGIN)
  expect(pathname).toBe('/v1/customers/export')
  return search
}

/** Returns the texts of all pieces, in their order. `between` runs before each continuation. */
async function piecesOf(
  key: string,
  query: string,
  token?: string,
  between?: () => Promise<unknown>,
): Promise<string[]> {
  const pieces: string[] = []
  for (let next: string | null = query; next !== null; ) {
    const { status, headers, text } = await exported(key, next, token ? { 'consistency-token': token } : {})
    if (status !== 200) throw new Error(`expected a piece, got ${status} ${text}`)
    pieces.push(text)
    next = nextOf(headers)
    if (next !== null) await between?.()
  }
  return pieces
}

const idsOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).external_id)

/** Creates a customer for each size, in hundreds of bytes of metadata, so that bytes decide as well as numbers. */
async function tenantOf(sizes: number[]) {
  const { live } = await newTenant()
  const { token } = await importLines(
    live.key,
    sizes.map((size, at) => ({
      external_id: `c_${at}`,
      name: at % 3 === 0 ? 'Doe, "Jane"' : `Name ${at}`,
      status: at % 4 === 0 ? 'draft' : 'published',
      metadata: { text: 'x'.repeat(size * 100) },
    })),
  )
  return { key: live.key, token }
}

describe('an export in pieces', () => {
  it('equals an export in one piece to the byte, in both formats and with any filter', async () => {
    const { key, token } = await tenantOf(Array.from({ length: 40 }, (_, at) => (at * at) % 5))
    const question = fc.record({
      filter: fc.constantFrom('', '&status=draft', '&status=published,archived&include_archived=true'),
      format: fc.constantFrom('ndjson', 'csv'),
    })
    const small = fc.record({
      exportPageCustomers: fc.integer({ min: 1, max: 9 }),
      exportPageBytes: fc.integer({ min: 1, max: 8_000 }),
      exportPieceCustomers: fc.integer({ min: 1, max: 9 }),
      exportPieceBytes: fc.integer({ min: 1, max: 8_000 }),
      exportCustomersMax: fc.integer({ min: 9, max: 20 }),
      exportBytesMax: fc.integer({ min: 8_000, max: 40_000 }),
    })
    await fc.assert(
      fc.asyncProperty(question, small, async ({ filter, format }, given) => {
        bound(REAL)
        const [whole, ...more] = await piecesOf(key, `?format=${format}${filter}`, token)
        expect(more).toEqual([])
        bound(given)
        const pieces = await piecesOf(key, `?format=${format}${filter}`, token)
        expect(pieces.join('')).toBe(whole)
        const lines = pieces.map((piece, at) => piece.split('\n').length - 1 - (format === 'csv' && at === 0 ? 1 : 0))
        for (const count of lines) expect(count).toBeLessThanOrEqual(given.exportCustomersMax)
      }),
      { numRuns: RUNS },
    )
  })

  it('has every lasting customer exactly once, though others are created, changed and archived between and within the pieces', async () => {
    const { key, token } = await tenantOf(Array(60).fill(0))
    bound({ exportPageCustomers: 4, exportCustomersMax: 9 })
    let at = 0
    const change = async () => {
      await newCustomer(key, { external_id: `late_${at}` })
      const ids = await call('GET', `/v1/customers/external/c_${at * 7}`, { key })
      if (ids.status === 200) await call('DELETE', `/v1/customers/${ids.body.id}`, { key })
      await call('PUT', `/v1/customers/external/c_${at * 7 + 1}`, { key, body: { name: 'Changed' } })
      at++
    }
    const ids = (await piecesOf(key, '', token, change)).flatMap(idsOf)
    expect(at).toBeGreaterThan(5)
    expect(new Set(ids).size).toBe(ids.length)
    const gone = new Set(Array.from({ length: at }, (_, nth) => `c_${nth * 7}`))
    const stayed = Array.from({ length: 60 }, (_, nth) => `c_${nth}`).filter((id) => !gone.has(id))
    expect(ids.filter((id) => stayed.includes(id))).toEqual(stayed)
  })

  it('continues behind the last whole line when it breaks off anywhere, and nothing is missing or doubled', async () => {
    const { key, token } = await tenantOf(Array(30).fill(1))
    const headers = { 'consistency-token': token ?? '' }
    for (const format of ['ndjson', 'csv']) {
      const whole = (await exported(key, `?format=${format}`, headers)).text
      const idOf = (line: string) => (format === 'csv' ? line.split(',')[0] : JSON.parse(line).id)
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (cut) => {
          const kept = whole.slice(0, whole.lastIndexOf('\n', cut - 1) + 1)
          const last = kept.trimEnd().split('\n').at(-1) ?? ''
          const hasCustomer = kept !== '' && !last.startsWith('id,')
          const after = hasCustomer ? `&after=${idOf(last)}` : ''
          const { text } = await exported(key, `?format=${format}${after}`, headers)
          expect((hasCustomer ? kept : '') + text).toBe(whole)
        }),
        { numRuns: RUNS },
      )
    }
  })

  it('breaks off rather than reading without end when customers grow while it is sent, and continues in the same way', async () => {
    const { key, token } = await tenantOf(Array(10).fill(0))
    bound({ exportPageCustomers: 3, exportPagesMax: 2 })
    await expect(exported(key, '', { 'consistency-token': token ?? '' })).rejects.toThrow()
    bound({ exportPagesMax: REAL.exportPagesMax })
    expect((await piecesOf(key, '', token)).flatMap(idsOf)).toHaveLength(10)
  })
})

describe('the continuation', () => {
  it('is behind an id whose customer may be gone, and in the requested format', async () => {
    const { live } = await newTenant()
    const made = []
    for (const external_id of ['a', 'b', 'c']) made.push(await newCustomer(live.key, { external_id }))
    const erased = await call('POST', `/v1/customers/${made[1].id}/erase`, { key: live.key })
    const headers = { accept: 'text/csv', 'consistency-token': erased.headers.get('consistency-token') ?? '' }
    const rest = await exported(live.key, `?after=${made[1].id}`, headers)
    expect(rest.text).toMatch(/^cust_\w+,c,/)
    expect(rest.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=absent')
    expect((await exported(live.key, `?after=${made[2].id}`, headers)).text).toBe('')
    bound({ exportCustomersMax: 1 })
    const { headers: first } = await exported(live.key, '', headers)
    expect(nextOf(first)).toBe(`?format=csv&after=${made[0].id}`)
    expect(first.get('content-type')).toContain('header=present')
  })

  it.each(['', 'c_1', 'cust_', 'cust_01jd3vq4x8n2m7r5t9w6ybzkce', 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE%20'])(
    'is refused when it is not an id: %j',
    async (after) => {
      const { live } = await newTenant()
      const { status, body } = await call('GET', `/v1/customers/export?after=${after}`, { key: live.key })
      expect([status, body.details.errors]).toEqual([
        400,
        [{ field: 'after', message: 'is not the id of a customer', fix: 'send the id of the last customer you have' }],
      ])
    },
  )
})

it('is as fresh as its first piece: what is written while it is read may be missing in it', async () => {
  const { key, token } = await tenantOf(Array(10).fill(0))
  bound({ exportPieceCustomers: 3 })
  const prototype = Object.getPrototypeOf(env.DB) as D1Database
  const open = prototype.withSession
  vi.spyOn(prototype, 'withSession').mockImplementation(function (this: D1Database, start) {
    const session = open.call(this, start)
    // As if somebody wrote before each batch.
    let batches = 0
    return new Proxy(session, {
      get: (target, name) => {
        if (name === 'getBookmark')
          return () => (batches === 0 ? target.getBookmark() : `${target.getBookmark()}-${batches}`)
        if (name === 'batch') batches++
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  })
  const reads = vi.spyOn(RequestServices.prototype, 'readExportPage')
  await exported(key, '', { 'consistency-token': token ?? '' })
  const [read] = reads.mock.results.slice(-1)
  expect(await read?.value).toMatchObject({ bookmark: expect.stringMatching(/-1$/) })
})

describe('the cost of a piece', () => {
  it('is one read for each page, and never 900 queries of D1, however large the customers are', async () => {
    const { key, token } = await tenantOf(Array(10).fill(0))
    bound({ exportPageCustomers: 3 })
    const reads = vi.spyOn(RequestServices.prototype, 'readExportPage')
    await exported(key, '', { 'consistency-token': token ?? '' })
    expect(reads.mock.calls.map(([{ lastId }]) => lastId === null)).toEqual([true, false, false, false])
    const { exportCustomersMax, exportPageCustomers, exportPieceCustomers, exportPagesMax } = REAL
    const { exportBytesMax, exportPageBytes, exportPieceBytes } = REAL
    expect(exportPageCustomers).toBeLessThan(exportCustomersMax)
    expect(exportPageBytes).toBeLessThan(exportBytesMax)
    const pages = exportCustomersMax / exportPageCustomers + exportBytesMax / exportPageBytes
    expect(pages).toBeLessThan(exportPagesMax)
    const piecesOfPage = Math.ceil(exportPageCustomers / exportPieceCustomers) + exportPageBytes / exportPieceBytes - 1
    // On a cold lease a read begins before its required bookmark has arrived, so it is made twice.
    expect(2 * exportPagesMax * piecesOfPage + 2).toBeLessThan(900)
  })
})
