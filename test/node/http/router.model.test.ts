import fc from 'fast-check'
import { TrieRouter } from 'hono/router/trie-router'
import { expect, it } from 'vitest'
import { HotRouter } from '../../../src/http/router.ts'

const ROUTES = [
  ['ALL', '/*', 'context'],
  ['ALL', '/v1/*', 'authenticate'],
  ['GET', '/v1/customers', 'list'],
  ['GET', '/v1/customers/:id', 'get'],
  ['PUT', '/v1/customers/:id', 'update'],
  ['GET', '/v1/customers/:id/events', 'events'],
  ['GET', '/v1/customers/external/:external_id', 'get by external id'],
] as const
const HOT = [
  { method: 'GET', prefix: '/v1/customers/cust_', path: '/v1/customers/:id' },
  { method: 'PUT', prefix: '/v1/customers/cust_', path: '/v1/customers/:id' },
  { method: 'GET', prefix: '/v1/customers/external/', path: '/v1/customers/external/:external_id' },
]

const [hot, trie] = [new HotRouter<string>(HOT, (handlers) => handlers.join(', ')), new TrieRouter<string>()]
for (const [method, path, handler] of ROUTES) for (const router of [hot, trie]) router.add(method, path, handler)

/** Returns the handlers in their order, and the values of the parameters of the last one, as Hono reads them. */
function matched(router: Pick<TrieRouter<string>, 'match'>, method: string, path: string) {
  const [handlers, values] = router.match(method, path)
  const params = Object.entries(handlers.at(-1)?.[1] ?? {})
  return {
    handlers: handlers.map(([handler]) => handler).join(', '),
    params: Object.fromEntries(params.map(([name, at]) => [name, values ? values[at as number] : (at as string)])),
  }
}

it('matches what Hono’s own router does, whatever came before', () => {
  const segment = fc.oneof(
    fc.constantFrom('', 'v1', 'customers', 'external', 'cust_', 'cust_1', 'cust_2', 'events', 'user_1'),
    fc.string({ unit: fc.constantFrom('a', '_', '%', '2', 'F', ':', '*', '.') }),
  )
  const path = fc.oneof(
    fc.array(segment, { maxLength: 6 }).map((segments) => `/${segments.join('/')}`),
    fc
      .tuple(fc.constantFrom('cust_', 'external/'), segment, segment, fc.boolean())
      .map(([beginning, id, last, isLonger]) => `/v1/customers/${beginning}${id}${isLonger ? `/${last}` : ''}`),
  )
  fc.assert(
    fc.property(fc.constantFrom('GET', 'PUT', 'POST'), path, (method, path) => {
      expect(matched(hot, method, path)).toEqual(matched(trie, method, path))
    }),
    { numRuns: 2_000 },
  )
  expect(matched(hot, 'PUT', '/v1/customers/cust_7')).toEqual({
    handlers: 'context, authenticate, update',
    params: { id: 'cust_7' },
  })
  expect(hot.match('PUT', '/v1/customers/cust_7')[0]).toHaveLength(1)
})
