/** A delivery whose event is archived while it waits is sent, whichever database its tenant is in. */
import { afterEach, expect, it, vi } from 'vitest'
import { archived } from '../archive/support.ts'
import { receive } from '../onboarding/support.ts'
import { waitingDelivery } from './queue.ts'
import { databases, newTenantIn } from './support.ts'

afterEach(() => vi.restoreAllMocks())

it.each([0, 1, 2])('sends it from database %i', async (number) => {
  const d1 = databases[number] as D1Database
  const received = receive(() => new Response('OK'))
  const { scope, customerId, consumed, status } = await waitingDelivery(await newTenantIn(number), d1)
  await archived(scope, undefined, d1)
  expect(await d1.prepare('SELECT count(*) AS n FROM events WHERE tenant_id = ?').bind(scope.tenantId).first('n')).toBe(
    0,
  )
  expect(await consumed()).toEqual({ acks: [[]], retries: [] })
  expect([received.length, received[0]?.text.includes(customerId), await status()]).toEqual([1, true, 'delivered'])
})
