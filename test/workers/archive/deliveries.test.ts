/** Deliveries of events that are in the archive: they are sent as they were, sent again, and wait while R2 is away. */
import { env } from 'cloudflare:workers'
import { ulid } from 'ulid'
import { beforeEach, expect, it } from 'vitest'
import { drainChain } from '../../../src/events/outbox.ts'
import { payloadOf } from '../../../src/events/payload.ts'
import type { Endpoint, Redelivery } from '../../../src/events/ports.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { readArchivedEvent } from '../../../src/storage/events/event-log.ts'
import { runStore } from '../../../src/storage/onboarding/runs.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { endpointStore } from '../../../src/storage/webhooks/endpoints.ts'
import { answered, chainOf, deliveriesTo, newEndpoint, vault } from '../events/support.ts'
import { commit, committed, create, insertTenant, update } from '../storage/support.ts'
import { failingR2 } from '../support/failing-r2.ts'
import { archived } from './support.ts'

let scope: Scope
let endpoint: Endpoint
let sent: unknown[]

beforeEach(async () => {
  scope = await insertTenant()
  endpoint = await newEndpoint(scope)
  sent = []
})

/** Sends what is pending for the customer. */
function drain(customerId: string, archive: R2Bucket = env.ARCHIVE) {
  return drainChain(chainOf(scope, endpoint, customerId), {
    outbox: webhookOutbox(env.DB, (_kind, atMs) => `evt_${ulid(atMs)}`),
    clock: Date.now,
    send: async (event) => {
      sent.push(payloadOf(event))
      return answered(200)
    },
    readArchived: (chain, eventId) => readArchivedEvent(env.DB, chain, eventId, archive),
    onParked: () => {},
  })
}

const statuses = async () => (await deliveriesTo(endpoint)).map(({ status }) => status)
const redeliver = (which: Redelivery) =>
  endpointStore(env.DB, scope, vault, null, env.ARCHIVE).redeliver(endpoint, which, 1_000, Date.now())

async function customerWith(changes: number): Promise<string> {
  const { id } = await create(scope, { name: 'Name', metadata: { replace: { n: '1.10' } } })
  for (let at = 1; at < changes; at++) await committed(scope, update(id, { name: `Name ${at}` }))
  return id
}

it('sends a delivery that waited until its event was archived as it would have sent it before', async () => {
  const id = await customerWith(3)
  const { results } = await env.DB.prepare('SELECT id FROM events WHERE tenant_id = ? ORDER BY id')
    .bind(scope.tenantId)
    .all<{ id: string }>()
  await drain(id)
  const before = sent.splice(0)
  await archived(scope, 2)
  await redeliver({ kind: 'since', sinceMs: Date.now() - 60_000, afterId: null })
  for (let part = 0; part < 3; part++) await drain(id)
  const again = (await deliveriesTo(endpoint)).slice(3)
  expect(again.map(({ eventId }) => eventId)).toEqual(results.slice(0, 2).map((event) => event.id))
  expect(sent).toEqual(before.slice(0, 2))
})

it('sends archived events again in parts, then those of D1, each once and in order', async () => {
  const id = await customerWith(5)
  await drain(id)
  await archived(scope, 2)
  await committed(scope, update(id, { name: 'Later' }))
  await drain(id)
  const before = sent.splice(0)
  let afterId: string | null = null
  const counts: number[] = []
  do {
    const part: Awaited<ReturnType<typeof redeliver>> = await redeliver({
      kind: 'since',
      sinceMs: Date.now() - 60_000,
      afterId,
    })
    counts.push(part?.count ?? -1)
    afterId = part?.nextAfterId ?? null
  } while (afterId !== null && counts.length < 9)
  expect(counts).toEqual([2, 2, 1, 1])
  await drain(id)
  expect(sent).toEqual(before)
  const [first] = await deliveriesTo(endpoint)
  expect(await redeliver({ kind: 'event', eventId: first?.eventId ?? '' })).toMatchObject({
    count: 1,
    customerIds: [id],
  })
  expect(await redeliver({ kind: 'event', eventId: `evt_${ulid(1)}` })).toBeNull()
})

it('gives nothing up while R2 is away, and sends it afterwards', async () => {
  const id = await customerWith(1)
  await archived(scope)
  await expect(drain(id, failingR2(env.ARCHIVE, ['unsent']))).rejects.toThrow()
  expect(await statuses()).toEqual(['pending'])
  await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 0, slot = NULL WHERE tenant_id = ?')
    .bind(scope.tenantId)
    .run()
  await drain(id)
  expect([await statuses(), sent.length]).toEqual([['delivered'], 1])
})

it('sends the event of a customer that was erased meanwhile without its values', async () => {
  const id = await customerWith(1)
  await archived(scope)
  await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
  await drain(id)
  expect(sent[0]).toMatchObject({ type: 'customer.created', data: { customer: { id, name: '', external_id: id } } })
})

it('shows the type of an archived event beside its delivery', async () => {
  await customerWith(2)
  await archived(scope)
  const { deliveries } = await endpointStore(env.DB, scope, vault).deliveries(endpoint.id, { limit: 10, after: null })
  expect(deliveries.map(({ eventType }) => eventType)).toEqual(['customer.updated', 'customer.created'])
})

it('finds in the archive what a step of an onboarding did before its tenant was suspended for weeks', async () => {
  const id = await customerWith(1)
  await committed(scope, update(id, { name: 'By a step' }), { actor: 'onboarding', requestId: 'step 1' })
  await archived(scope)
  const find = (requestId: string) => runStore(env.DB, scope, env.ARCHIVE).find(id, requestId, Date.now() - 60_000)
  expect([(await find('step 1'))?.made, (await find('step 2'))?.made]).toEqual([true, false])
})
