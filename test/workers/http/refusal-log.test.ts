import { afterEach, expect, it, vi } from 'vitest'
import { logRefusal } from '../../../src/http/refusal-log.ts'

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

it('writes every other refusal', () => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  for (let refused = 0; refused < 5; refused++) logRefusal('info', line('missing_scope', 'busy'), 20_000)
  expect(written).toHaveBeenCalledTimes(5)
})
