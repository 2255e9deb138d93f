import { afterEach, expect, it, vi } from 'vitest'
import { logRefusal } from '../../../src/http/refusal-log.ts'
import { ADMIN_KEY, call } from '../support/roster.ts'

afterEach(() => vi.restoreAllMocks())

const line = (reason: string, tenantId: string) => ({ event: 'refused', reason, tenantId, mode: 'live' })

it('writes one line a second for a tenant over its limit, with the number of refusals in it', () => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  for (let refused = 0; refused < 500; refused++) logRefusal('info', line('rate_limited', 'busy'), 10_000 + refused)
  logRefusal('info', line('rate_limited', 'other'), 10_400)
  logRefusal('info', line('rate_limited', 'busy'), 11_000)
  expect(written.mock.calls.map(([text]) => JSON.parse(text))).toMatchObject([
    { tenantId: 'busy', unloggedBefore: 0 },
    { tenantId: 'other' },
    { tenantId: 'busy', unloggedBefore: 499 },
  ])
})

it('writes every refusal that costs a tenant a permit', () => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  for (let refused = 0; refused < 5; refused++) logRefusal('info', line('invalid_input', 'busy'), 20_000)
  expect(written).toHaveBeenCalledTimes(5)
})

it.each([
  ['GET', '/nowhere', 'no_such_route'],
  ['POST', '/healthz', 'method_not_allowed'],
  ['GET', '/healthz?unknown=1&', null],
  ['GET', '/v1/customers', 'unauthorized'],
  ['GET', '/admin/nothing', 'unauthorized'],
])('writes at most a line a second for a stranger’s %s %s', async (method, path, reason) => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  const beganMs = Date.now()
  for (let sent = 0; sent < 40; sent++) await call(method, `${path}${path.endsWith('&') ? sent : ''}`)
  const seconds = Math.ceil((Date.now() - beganMs) / 1_000) + 1
  const lines = written.mock.calls.map(([text]) => JSON.parse(text)).filter((line) => line.reason === reason)
  expect(lines.length).toBeLessThanOrEqual(seconds)
  expect(seconds).toBeLessThan(40)
})

it('writes each refusal of an operator', async () => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  for (let sent = 0; sent < 5; sent++) await call('GET', '/admin/nothing', { headers: { 'x-api-key': ADMIN_KEY } })
  const lines = written.mock.calls.map(([text]) => JSON.parse(text))
  expect(lines.filter((line) => line.reason === 'no_such_route' && line.api === 'admin')).toHaveLength(5)
})
