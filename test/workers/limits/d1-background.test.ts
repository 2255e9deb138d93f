/**
 * D1 allows 1,000 queries an invocation. Work without a request stays well below that, even if there is more to do than
 * one run can: the rest is left for the next message, or the next minute.
 */
import { createMessageBatch, createScheduledController } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { deliverMessage, type OutboxMessage, onboardMessage } from '../../../src/events/messages.ts'
import worker from '../../../src/index.ts'
import { ONBOARDING_BOUNDS } from '../../../src/onboarding/steps.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import wranglerToml from '../../../wrangler.toml?raw'
import { newEndpoint } from '../events/support.ts'
import { createdBehindTheGate, performerOf, RECEIVER, receive, tenantWith } from '../onboarding/support.ts'
import { insertMany, insertTenant, nthId } from '../storage/support.ts'
import { type CountedD1, countedD1 } from '../support/d1-calls.ts'

const STATEMENTS_MAX = 900
const HOUR_MS = 3_600_000
const LONG_AGO_MS = 1_000

let d1: CountedD1
let messages: number
beforeEach(() => {
  messages = 0
  vi.spyOn(Object.getPrototypeOf(env.OUTBOX), 'sendBatch').mockImplementation(async (sent) => {
    messages += [...(sent as Iterable<unknown>)].length
  })
  vi.spyOn(Object.getPrototypeOf(env.OUTBOX), 'send').mockImplementation(async () => {
    messages++
  })
  receive(() => new Response('OK'))
  d1 = countedD1()
})
afterEach(() => {
  d1.restore()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** The numbers 1 to ?1. */
const NUMBERS = 'WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)'
const insert = (sql: string, count: number, ...values: unknown[]) =>
  env.DB.prepare(`${NUMBERS} ${sql}`)
    .bind(count, ...values)
    .run()

/** Inserts deliveries of one event each, for one customer or one after the other. */
async function insertDeliveries(scope: Scope, endpointId: string, given: Record<string, unknown>, count: number) {
  const { status, customerId, atMs } = given
  const prefix = crypto.randomUUID()
  await insert(
    `INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
     SELECT ?2, ?3, printf('evt_%s_%06d', ?4, n), 'customer.updated', ?5, n, 'key', (
       SELECT after FROM events WHERE tenant_id = ?2 AND customer_id = ?5 LIMIT 1
     ), 0 FROM numbers`,
    count,
    ...[scope.tenantId, scope.mode, prefix, customerId],
  )
  await insert(
    `INSERT INTO webhook_deliveries (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at,
       created_at, finished_at)
     SELECT ?2, ?3, ?4, printf('evt_%s_%06d', ?5, n), 'customer.updated', ?6, ?7, 0, ?8, ?8, iif(?7 = 'pending', NULL, ?8) FROM numbers`,
    count,
    ...[scope.tenantId, scope.mode, endpointId, prefix, customerId, status, atMs],
  )
}

it('bounds a batch of messages, each of a customer with more deliveries than a message takes on', async () => {
  const messagesMax = Number(/max_batch_size = (\d+)/.exec(wranglerToml)?.[1])
  expect(messagesMax).toBeGreaterThan(0)
  const scope = await insertTenant()
  const endpoint = await newEndpoint(scope, { enabled: false, url: RECEIVER })
  await insertMany(scope, messagesMax)
  await env.DB.prepare('UPDATE webhook_endpoints SET enabled = 1 WHERE id = ?').bind(endpoint.id).run()
  const bodies: OutboxMessage[] = []
  for (let at = 1; at <= messagesMax; at++) {
    const customerId = nthId(at)
    await insertDeliveries(scope, endpoint.id, { status: 'pending', customerId, atMs: Date.now() - 1_000 }, 200)
    bodies.push(deliverMessage(scope, endpoint.id, customerId))
  }
  const batch = createMessageBatch(
    'roster-outbox',
    bodies.map((body, at) => ({ id: `m_${at}`, timestamp: new Date(), attempts: 1, body })),
  )
  d1.take()
  await worker.queue(batch, env)
  const { statements } = d1.take()
  expect(statements).toBeLessThanOrEqual(STATEMENTS_MAX)
  expect(messages).toBe(messagesMax)
  const { results } = await env.DB.prepare(
    'SELECT status, count(*) AS n FROM webhook_deliveries WHERE endpoint_id = ? GROUP BY status',
  )
    .bind(endpoint.id)
    .all<{ status: string; n: number }>()
  const delivered = results.find(({ status }) => status === 'delivered')?.n ?? 0
  // Each takes on as many as it may.
  expect(delivered).toBeGreaterThanOrEqual(20 * messagesMax)
  expect(delivered).toBeLessThan(200 * messagesMax)
})

it('bounds a batch of messages that start onboardings', async () => {
  const tenant = await tenantWith([{ type: 'wait', seconds: 86_400 }])
  const made = await Promise.all(Array.from({ length: 5 }, () => createdBehindTheGate(tenant)))
  const batch = createMessageBatch(
    'roster-outbox',
    made.map(({ id }, at) => ({ id: `m_${at}`, timestamp: new Date(), attempts: 1, body: onboardMessage(tenant, id) })),
  )
  d1.take()
  await worker.queue(batch, { ...env, ONBOARDING: ENGINE } as unknown as Cloudflare.Env)
  expect(d1.take().statements).toBeLessThanOrEqual(20)
})

/** Starts any onboarding, and has given up its former one. */
const ENGINE = {
  createBatch: async () => ({ instances: [], errors: [] }),
  get: async () => {
    throw new Error('instance.not_found')
  },
}

it('bounds the minute in which every duty of the sweep has more to do than it may', async () => {
  const nowMs = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS
  const scope = await insertTenant()
  const endpoint = await newEndpoint(scope, { enabled: false })
  const { tenantId, mode } = scope
  for (let at = 0; at < 60; at++) await insertTenant()
  await insertMany(scope, 2_200)
  await insertDeliveries(scope, endpoint.id, { status: 'delivered', customerId: nthId(1), atMs: LONG_AGO_MS }, 11_000)
  await insertDeliveries(scope, endpoint.id, { status: 'pending', customerId: nthId(2), atMs: LONG_AGO_MS }, 5_500)
  await insert(
    `INSERT INTO onboarding_runs (tenant_id, mode, customer_id, workflow, steps, progress, status, due_at, created_at)
     SELECT ?2, ?3, printf('cust_%026d', n), 'w', '[{"type":"wait","seconds":1}]', '[]', iif(n <= 60, 'running', 'pending'), ?4, ?4
     FROM numbers`,
    ...([2_200, tenantId, mode, LONG_AGO_MS] as const),
  )
  await insert(
    'INSERT INTO erasures (tenant_id, mode, customer_id, due_at) SELECT ?2, ?3, n, ?4 FROM numbers',
    ...([60, tenantId, mode, LONG_AGO_MS] as const),
  )
  vi.useFakeTimers({ toFake: ['Date'], now: nowMs })
  // Each deletion then reports that it left many rows behind.
  d1.neverEmpties()
  d1.take()
  const gate = { getByName: () => ({ reload: async () => ({ waitMs: 0 }) }) }
  const swept = { ...env, ONBOARDING: ENGINE, GATE: gate } as unknown as Cloudflare.Env
  await worker.scheduled(createScheduledController(), swept)
  const { statements } = d1.take()
  expect(statements).toBeLessThanOrEqual(STATEMENTS_MAX)
  // Each duty had something to do, or the bound would prove nothing.
  expect(messages).toBeGreaterThanOrEqual(5_000)
  expect(statements).toBeGreaterThan(500)
})

it('bounds all steps of an onboarding, even in one invocation', async () => {
  const steps = Array.from({ length: ONBOARDING_BOUNDS.stepsMax }, (_, at) => ({
    type: 'set_metadata',
    metadata: { step: String(at) },
  }))
  const tenant = await tenantWith(steps)
  const { id } = await createdBehindTheGate(tenant)
  const performer = performerOf(tenant, id)
  d1.take()
  expect(await performer.plan()).toHaveLength(steps.length)
  for (const at of steps.keys()) expect(await performer.act(at)).toBe('done')
  await performer.finish()
  expect(d1.take().statements).toBeLessThanOrEqual(STATEMENTS_MAX)
})
