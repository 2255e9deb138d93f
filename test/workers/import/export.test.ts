/** Exports contain every customer exactly once, whatever is written meanwhile, in two formats that can be read back. */
import { parse } from 'csv-parse/browser/esm/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { furtherPermits } from '../../../src/registry/permits.ts'
import { escapeFormula, unescapeFormula } from '../../../src/shared/spreadsheet.ts'
import { admin, call, newCustomer, newTenant } from '../support/roster.ts'
import { exportAll, exported, importLines } from './support.ts'

function parsed(text: string): Record<string, string>[] {
  return parse(text, { columns: true })
}

describe('GET /v1/customers/export', () => {
  it('returns every customer once, in the order of creation, and can be imported again without a change', async () => {
    const { live } = await newTenant()
    const first = await importLines(
      live.key,
      Array.from({ length: 1_300 }, (_, at) => ({
        external_id: `c_${at}`,
        name: `Name ${at}`,
        contact: at % 2 ? '+49 30 1234' : null,
        metadata: { at },
        ...(at > 0 && at % 9 === 0 && { parent_customer_external_id: 'c_0' }),
        ...(at % 11 === 0 && { integration_entity_mapping: [{ provider: 'stripe', id: `s_${at}` }] }),
      })),
    )
    const all = await exportAll(live.key, first.token)
    expect(all.map(({ external_id }) => external_id)).toEqual(Array.from({ length: 1_300 }, (_, at) => `c_${at}`))
    const again = await importLines(live.key, all)
    expect(new Set(again.results.map(({ result }) => result))).toEqual(new Set(['unchanged']))
  })

  it('neither skips nor repeats a lasting customer, while others are created, changed and archived', async () => {
    const { live } = await newTenant()
    const made = await importLines(
      live.key,
      Array.from({ length: 1_600 }, (_, at) => ({ external_id: `c_${at}` })),
    )
    const writes = (async () => {
      for (let at = 0; at < 30; at++) {
        await newCustomer(live.key, { external_id: `late_${at}` })
        const { id } = made.results[at * 50] ?? {}
        await call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: `Changed ${at}` } })
        const gone = made.results[at * 50 + 1]
        await call('DELETE', `/v1/customers/${gone?.id}`, { key: live.key })
      }
    })()
    const gone = new Set(Array.from({ length: 30 }, (_, at) => `c_${at * 50 + 1}`))
    for (let walk = 0; walk < 3; walk++) {
      const ids = (await exportAll(live.key, made.token)).map(({ external_id }) => external_id)
      expect(new Set(ids).size).toBe(ids.length)
      const kept = ids.filter((id) => id.startsWith('c_') && !gone.has(id))
      expect(kept).toHaveLength(1_570)
    }
    await writes
  })

  it('writes CSV that a parser reads back to the same as the NDJSON, with formulas made harmless', async () => {
    const { live } = await newTenant()
    const odd = [
      ...['=1+1', '+49 30', '-1', '@x', "'=quoted", 'a "b", c\r\nd', 'Zoë 🎉', '\ttab', 'plain'],
      ...['\n=1', '＝1', '\u00a0=1', '\u200b=1', "x;=cmd|'/C calc'!A0;y", 'x;"=1', 'x\t=1', 'x;y', 'x\n-1'],
    ]
    const { token } = await importLines(
      live.key,
      odd.map((name, at) => ({ external_id: `c_${at}`, name, metadata: { at, name } })),
    )
    const headers = { accept: 'text/csv', 'consistency-token': token ?? '' }
    const answer = await exported(live.key, '', headers)
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(answer.text).toMatch(/^id,external_id,name,email,.*\r\n/)
    const rows = parsed(answer.text)
    expect(rows.map((row) => row.name).filter((name) => /^[=+\-@\t\r]/.test(name ?? ''))).toEqual([])
    expect(rows.map((row) => unescapeFormula(row.name ?? ''))).toEqual(odd)
    const lines = await exportAll(live.key, token)
    expect(rows.map((row) => [row.id, JSON.parse(unescapeFormula(row.metadata ?? ''))])).toEqual(
      lines.map((line) => [line.id, line.metadata]),
    )
    expect((await exported(live.key, '?format=csv')).headers.get('content-disposition')).toContain('customers.csv')
  })

  it('escapes without loss', () => {
    const units = ["'", '=', '+', '-', '@', '＝', '\t', '\r', '\n', ';', '|', ',', '"', '\u00a0', '\u200b', 'a', ' ']
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...units), maxLength: 12 }), (text) => {
        const escaped = escapeFormula(text)
        expect(unescapeFormula(escaped)).toBe(text)
        expect(escaped).not.toMatch(/^[=+\-@\t\r\n]/)
        // However a spreadsheet cuts it, and whatever it passes over.
        for (const part of escaped.split(/[;|\t\r\n]/)) expect(part).not.toMatch(/^[\s"\u200b]*[=+\-@＝＋－＠]/)
      }),
      { numRuns: 2_000 },
    )
  })

  it('filters by status, leaves archived ones out by default, and refuses unknown parameters', async () => {
    const { live } = await newTenant()
    await newCustomer(live.key, { external_id: 'p' })
    await newCustomer(live.key, { external_id: 'd', status: 'draft' })
    const gone = await newCustomer(live.key, { external_id: 'x' })
    const { headers } = await call('DELETE', `/v1/customers/${gone.id}`, { key: live.key })
    const token = headers.get('consistency-token') ?? undefined
    const named = async (query: string) =>
      (await exportAll(live.key, token, query)).map(({ external_id }) => external_id)
    expect(await named('')).toEqual(['p', 'd'])
    expect(await named('?status=draft')).toEqual(['d'])
    expect(await named('?status=published,archived')).toEqual(['p', 'x'])
    expect(await named('?include_archived=true')).toEqual(['p', 'd', 'x'])
    for (const query of ['?statuses=draft', '?status=gone', '?format=xml', '?include_archived=1']) {
      expect((await exported(live.key, query)).status, query).toBe(400)
    }
  })

  it('answers an empty registry with no line, or with the header alone', async () => {
    const { live } = await newTenant()
    expect((await exported(live.key)).text).toBe('')
    expect((await exported(live.key, '?format=csv')).text).toMatch(/^id,external_id,.*formula_guard\r\n$/)
  })

  it('takes a permit for every page, for each 256 KB and for the rows it reads, and none of a suspended tenant', async () => {
    const limits = { requests_per_second: 1, burst: 100, annual_commitment: 0, annual_validation_limit: 1_000_000 }
    const { live, tenantId } = await newTenant({ tier: 'custom', limits })
    const { token } = await importLines(
      live.key,
      Array.from({ length: 1_200 }, (_, at) => ({ external_id: `c_${at}`, metadata: { text: 'x'.repeat(400) } })),
    )
    const before = await exported(live.key, '?status=draft')
    const sentAtMs = Date.now()
    const { text } = await exported(live.key, '', { 'consistency-token': token ?? '' })
    const price = 1 + Math.floor(text.length / (256 * 1024))
    expect(price).toBeGreaterThan(4)
    const after = await exported(live.key, '?status=draft')
    const refilled = Math.ceil((Date.now() - sentAtMs) / 1_000)
    const left = (answer: typeof before) => Number(answer.headers.get('x-ratelimit-remaining'))
    // The export, and the read after it.
    expect(left(before) - left(after)).toBeGreaterThanOrEqual(price + 1 - refilled)
    // D1 reads some ten rows for each customer of an export, and some six for each that the read after it passes over.
    const rows = furtherPermits({ rows: 10 * 1_200, bytes: 0 }) + furtherPermits({ rows: 6 * 1_200, bytes: 0 })
    expect(left(before) - left(after)).toBeLessThanOrEqual(price + 1 + rows)
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    expect((await exported(live.key)).status).toBe(403)
  })
})
