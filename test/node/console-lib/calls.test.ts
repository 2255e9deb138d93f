/** Requests as values: their address, and the curl that does the same in a real shell. */
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { call } from '../../../console/src/api/call.ts'
import { curlOf } from '../../../console/src/api/curl.ts'
import { exactFirst, type FoundCustomer } from '../../../console/src/lib/find.ts'

const ORIGIN = 'https://roster.example'

it('fills in the parameters of a path so that no value becomes another path or query', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 10, unit: 'grapheme' }), (id) => {
      const { path } = call('GET', '/v1/customers/:id', { param: { id }, query: { expand: 'children' } })
      const [, rest] = path.split('/v1/customers/')
      expect(rest?.split('?')).toEqual([encodeURIComponent(id), 'expand=children'])
    }),
  )
})

it('leaves out what is not set in a query', () => {
  expect(call('GET', '/v1/customers', { query: { q: '', limit: 5, cursor: undefined } }).path).toBe(
    '/v1/customers?limit=5',
  )
})

it('names tenant, mode, reason and version of an operator’s change', () => {
  const made = call('PATCH', '/v1/customers/:id', {
    param: { id: 'cust_1' },
    place: { tenantId: 't', mode: 'test' },
    reason: 'Ticket 4711',
    ifMatch: '"3"',
    body: { name: 'A' },
  })
  expect(made.headers).toEqual({
    'roster-tenant': 't',
    'roster-mode': 'test',
    'x-reason': 'Ticket 4711',
    'if-match': '"3"',
  })
})

it('writes a curl that a shell reads as the same request, whatever quotes and signs are in it', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 20 }).filter((text) => !/[\0\r\n]/.test(text)),
      (text) => {
        const made = call('POST', '/v1/customers/search', { body: { q: text }, reason: text })
        const command = curlOf(made, ORIGIN, 'KEY')
        const script = `curl() { printf '%s\\0' "$@"; }\nKEY=k\n${command}`
        const words = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)
        expect(words).toEqual([
          '-X',
          'POST',
          `${ORIGIN}/v1/customers/search`,
          '-H',
          'authorization: Bearer k',
          ...(text === '' ? [] : ['-H', `x-reason: ${text}`]),
          '-H',
          'content-type: application/json',
          '-d',
          JSON.stringify({ q: text }),
        ])
      },
    ),
    { numRuns: 30 },
  )
})

it('never puts a key into a curl', () => {
  expect(curlOf(call('GET', '/admin/me'), ORIGIN, 'OPERATOR_KEY')).toBe(
    `curl '${ORIGIN}/admin/me' \\\n  -H "x-api-key: $OPERATOR_KEY"`,
  )
})

it('puts exact matches first, and keeps the order of the others', () => {
  const customer = (id: string, name: string, externalId = id): FoundCustomer => ({
    ...{ id, name, externalId, email: '', status: 'published', tenantId: 't', companyName: null, mode: 'live' },
  })
  const rows = [
    customer('1', 'Acme Berlin'),
    customer('2', 'Beta', 'acme'),
    customer('3', 'ACME'),
    customer('4', 'Acme'),
  ]
  expect(exactFirst('acme', rows).map(({ id }) => id)).toEqual(['2', '3', '4', '1'])
  expect(exactFirst('nobody', rows)).toEqual(rows)
})
