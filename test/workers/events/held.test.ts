/** The deliveries of a suspended tenant wait without an attempt, and go on in their order when it is active again. */
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { drainChain } from '../../../src/events/outbox.ts'
import { newId } from '../../../src/shared/ids.ts'
import { tenants } from '../../../src/storage/schema/tenant-tables.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { overdueDeliveries, resumedDeliveries } from '../../../src/storage/webhooks/overdue.ts'
import { create, db, insertTenant } from '../storage/support.ts'
import { answered, attemptsAt, deliveriesTo, newEndpoint } from './support.ts'

const outbox = webhookOutbox(env.DB, newId)

async function setUp() {
  const scope = await insertTenant()
  const endpoints = [await newEndpoint(scope), await newEndpoint(scope)]
  const ids: string[] = []
  for (let at = 0; at < 3; at++) ids.push((await create(scope)).id)
  const sent: string[] = []
  const setStatus = (status: 'active' | 'suspended') =>
    db.update(tenants).set({ status }).where(eq(tenants.id, scope.tenantId))
  const drain = (endpointId: string, customerId: string, statusCode = 200) =>
    drainChain(
      { ...scope, endpointId, customerId },
      {
        outbox,
        clock: Date.now,
        send: async (event) => {
          sent.push(`${endpoints.findIndex(({ id }) => id === endpointId)} ${ids.indexOf(event.customerId ?? '')}`)
          return answered(statusCode)
        },
        onParked: () => {},
      },
    )
  return { scope, endpoints, ids, sent, setStatus, drain }
}

it('sends nothing of a suspended tenant, counts no attempt, and sends all of it after the reactivation', async () => {
  const { scope, endpoints, ids, sent, setStatus, drain } = await setUp()
  await setStatus('suspended')
  for (const { id } of endpoints) {
    for (const customerId of ids) {
      expect(await drain(id, customerId)).toEqual({
        againAtMs: null,
        disabled: false,
        broughtBack: [],
        broughtBackAtMs: expect.any(Number),
      })
    }
  }
  expect(sent).toEqual([])
  for (const endpoint of endpoints) {
    for (const { id, status, claims } of await deliveriesTo(endpoint)) {
      expect([status, claims, await attemptsAt(id)]).toEqual(['pending', 0, []])
    }
  }
  const { tenantId } = scope
  // The sweep does not send them in vain each minute.
  expect((await overdueDeliveries(env.DB, Date.now() + 60_000)).filter((one) => one.tenantId === tenantId)).toEqual([])

  await setStatus('active')
  let messages = await resumedDeliveries(env.DB, tenantId, Date.now())
  expect(messages).toHaveLength(2)
  while (messages.length > 0) {
    const next: typeof messages = []
    for (const message of messages) {
      if (message.kind !== 'deliver') throw new Error('not a delivery')
      const { broughtBack } = await drain(message.endpointId, message.customerId)
      next.push(...broughtBack.map((customerId) => ({ ...message, customerId })))
    }
    messages = next
  }
  expect(sent.toSorted()).toEqual(['0 0', '0 1', '0 2', '1 0', '1 1', '1 2'])
  expect(await resumedDeliveries(env.DB, tenantId, Date.now())).toEqual([])
})

it('holds a retry that becomes due while the tenant is suspended', async () => {
  const { scope, endpoints, ids, sent, setStatus, drain } = await setUp()
  const [endpointId = '', customerId = ''] = [endpoints[0]?.id, ids[0]]
  const { againAtMs } = await drain(endpointId, customerId, 500)
  expect(againAtMs).not.toBeNull()
  await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE endpoint_id = ? AND customer_id = ?')
    .bind(endpointId, customerId)
    .run()
  await setStatus('suspended')
  expect(await drain(endpointId, customerId)).toMatchObject({ againAtMs: null })
  expect(sent).toEqual(['0 0'])
  await setStatus('active')
  expect(await resumedDeliveries(env.DB, scope.tenantId, Date.now())).toMatchObject([{ endpointId, customerId }])
  await drain(endpointId, customerId)
  expect(sent).toEqual(['0 0', '0 0'])
})
