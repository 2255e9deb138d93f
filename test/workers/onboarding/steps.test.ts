import { env } from 'cloudflare:workers'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startOnboarding } from '../../../src/composition/onboarding.ts'
import { Performer } from '../../../src/onboarding/perform.ts'
import { finished, signalled } from '../../../src/onboarding/run.ts'
import { newId } from '../../../src/shared/ids.ts'
import { runStore } from '../../../src/storage/onboarding/runs.ts'
import { call, newCustomer } from '../support/roster.ts'
import {
  createdBehindTheGate,
  eventsOf,
  hurry,
  type Onboarded,
  performerOf,
  RECEIVER,
  receive,
  rowOf,
  runOf,
  setRun,
  signal,
  tenantWith,
  typesOf,
  waitForRun,
} from './support.ts'

afterEach(() => vi.restoreAllMocks())

const EVERY_STEP = [
  { type: 'set_metadata', metadata: { plan: 'trial', own: null } },
  { type: 'webhook', name: 'billing', url: RECEIVER },
  { type: 'wait', seconds: 3_600 },
  { type: 'wait_for', signal: 'signed', timeout_seconds: 3_600 },
]
const LINKED = { metadata: { billing: 'ready' }, integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }] }
const linked = () => Response.json(LINKED)

/** Returns the state and events of a customer, without what differs between any two. */
async function storyOf(key: string, customerId: string): Promise<string> {
  const { body: customer } = await call('GET', `/v1/customers/${customerId}?expand=integrations`, { key })
  const events = await eventsOf(key, customerId)
  const history = events.map(({ type, data }: { type: string; data: Record<string, unknown> }) => ({ type, data }))
  return JSON.stringify({ customer, history })
    .replaceAll(customerId, 'the customer')
    .replaceAll(customer.external_id, 'its id')
    .replaceAll(/"request_id":"(?!onboarding)[^"]*"/g, '"request_id":""')
    .replaceAll(/"cus_\w+"/g, '"its entity"')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'then')
}

describe('an onboarding', () => {
  it('takes a new customer through every step, and ends with an event', async () => {
    await using _ = await hurry()
    const { key } = await tenantWith(EVERY_STEP)
    receive(linked)
    const { id } = await newCustomer(key, { metadata: { own: '1' } })
    const waiting = await waitForRun(key, id, 'waiting', 3)
    expect(waiting.status).toBe('running')
    expect(waiting.steps.map(({ status }: { status: string }) => status)).toEqual([
      'completed',
      'completed',
      'completed',
      'waiting',
    ])
    expect((await signal(key, id, 'signed')).status).toBe(202)
    const run = await waitForRun(key, id, 'completed')
    expect(run.steps.map((step: Record<string, unknown>) => [step.name, step.type, step.status, step.error])).toEqual([
      ['step_1', 'set_metadata', 'completed', null],
      ['billing', 'webhook', 'completed', null],
      ['step_3', 'wait', 'completed', null],
      ['step_4', 'wait_for', 'completed', null],
    ])
    const { body } = await call('GET', `/v1/customers/${id}?expand=integrations`, { key })
    expect(body.metadata).toEqual({ plan: 'trial', billing: 'ready' })
    expect(body.integrations).toMatchObject([{ provider: 'stripe', id: 'cus_1' }])
    expect(body.updated_by).toBe('onboarding')
    const events = await eventsOf(key, id)
    expect(events.map(({ type, data }: { type: string; data: { version: number } }) => [type, data.version])).toEqual([
      ['customer.created', 1],
      ['customer.updated', 2],
      ['customer.updated', 3],
      ['customer.onboarding.completed', 3],
    ])
    expect(events.at(-1).data).toMatchObject({ actor: 'onboarding', detail: { workflow: 'default' } })
    expect(events.at(-1).data.customer.metadata).toEqual(body.metadata)
  })

  it('leaves the same state, events and versions when each step fails twice, before and after its work', async () => {
    const { key } = await tenantWith(EVERY_STEP)
    let entities = 0
    receive(() =>
      Response.json({ ...LINKED, integration_entity_mapping: [{ provider: 'stripe', id: `cus_${entities++}` }] }),
    )
    const story = async () => {
      await using _ = await hurry()
      const { id } = await newCustomer(key, { metadata: { own: '1' } })
      await waitForRun(key, id, 'waiting', 3)
      await signal(key, id, 'signed')
      await waitForRun(key, id, 'completed')
      return storyOf(key, id)
    }
    const undisturbed = await story()
    for (const method of ['plan', 'act', 'beginWait', 'endWait', 'finish'] as const) {
      for (const when of ['before', 'after'] as const) {
        const failing = failTwice(method, when)
        expect(await story(), `${method} failing ${when} its work`).toBe(undisturbed)
        expect(failing.mock.calls.length).toBeGreaterThanOrEqual(2)
        failing.mockRestore()
      }
    }
  })
})

/**
 * Makes the next two calls of it fail: as if its dependencies were unreachable, or as if the isolate died right after the
 * call.
 */
function failTwice(method: 'plan' | 'act' | 'beginWait' | 'endWait' | 'finish', when: 'before' | 'after') {
  const original = Performer.prototype[method] as (...all: unknown[]) => Promise<unknown>
  let failures = 0
  return vi.spyOn(Performer.prototype, method).mockImplementation(async function (this: Performer, ...all: unknown[]) {
    const fails = failures++ < 2
    if (fails && when === 'before') throw new Error('away')
    const result = await original.apply(this, all)
    if (fails) throw new Error('gone')
    return result as never
  })
}

it('sends the event of the end with the customer as it is, though it changes at that very moment', async () => {
  const { key, ...tenant } = await tenantWith([{ type: 'wait_for', signal: 'never', timeout_seconds: 3_600 }])
  const { id } = await newCustomer(key)
  await waitForRun(key, id, 'waiting', 0)
  let batches = 0
  const d1 = {
    withSession(start: string) {
      const session = env.DB.withSession(start)
      return {
        prepare: (text: string) => session.prepare(text),
        async batch(statements: D1PreparedStatement[]) {
          // Between the read of the customer and the event.
          if (++batches === 2) await call('PATCH', `/v1/customers/${id}`, { key, body: { name: 'Ada' } })
          return session.batch(statements)
        },
      }
    },
  } as unknown as D1Database
  const stamp = () => ({ id: newId('event', Date.now()), nowMs: Date.now(), requestId: 'onboarding' })
  const ended = await runStore(d1, tenant).end(id, finished, stamp)
  expect(ended?.status).toBe('completed')
  const events = await eventsOf(key, id)
  expect(events.map(({ type, data }: { type: string; data: { version: number } }) => [type, data.version])).toEqual([
    ['customer.created', 1],
    ['customer.updated', 2],
    ['customer.onboarding.completed', 2],
  ])
  expect(events.at(-1).data.customer.name).toBe('Ada')
})

describe('a step that is run again', () => {
  /** Returns a customer whose first step was done, in the state after the isolate died before that was written down. */
  async function interrupted(steps: object[], status = 'running'): Promise<Onboarded & { id: string }> {
    await using _ = await hurry()
    const tenant = await tenantWith(steps)
    const { id } = await newCustomer(tenant.key)
    await waitForRun(tenant.key, id, 'completed')
    const row = await rowOf(tenant, id)
    const progress = row?.progress.map((step) => ({ ...step, status }))
    await setRun(tenant, id, { status: 'running', progress: progress ?? [] })
    return { ...tenant, id }
  }

  it('changes nothing that it has changed before, whatever others have changed since', async () => {
    const { id, ...tenant } = await interrupted([{ type: 'set_metadata', metadata: { plan: 'trial' } }])
    await call('PATCH', `/v1/customers/${id}`, { key: tenant.key, body: { metadata: { plan: 'paid' } } })
    const before = await typesOf(tenant.key, id)
    expect(await performerOf(tenant, id).act(0)).toBe('done')
    expect(await typesOf(tenant.key, id)).toEqual(before)
    const { body } = await call('GET', `/v1/customers/${id}`, { key: tenant.key })
    expect(body.metadata).toEqual({ plan: 'paid' })
  })

  it('does not repeat a call whose answer was stored', async () => {
    const received = receive(linked)
    const { id, ...tenant } = await interrupted([{ type: 'webhook', url: RECEIVER }])
    expect(await performerOf(tenant, id).act(0)).toBe('done')
    expect(received).toHaveLength(1)
  })

  it('does not repeat a call that succeeded, though nothing of it was stored', async () => {
    const received = receive(() => new Response('OK'))
    const { id, ...tenant } = await interrupted([{ type: 'webhook', url: RECEIVER }], 'completed')
    expect(await performerOf(tenant, id).act(0)).toBe('done')
    expect(received).toHaveLength(1)
  })

  it('repeats a call whose answer may not have been stored, as the same message', async () => {
    const received = receive(() => new Response('OK'))
    const { id, ...tenant } = await interrupted([{ type: 'webhook', url: RECEIVER }])
    await performerOf(tenant, id).act(0)
    expect(received).toHaveLength(2)
    expect(received[0]?.headers.get('webhook-id')).toBe(received[1]?.headers.get('webhook-id'))
    expect(received[0]?.text).toBe(received[1]?.text)
  })

  it('changes the customer once when two run at the same time', async () => {
    const { key, ...tenant } = await tenantWith([
      { type: 'wait_for', signal: 'never', timeout_seconds: 3_600 },
      { type: 'webhook', url: RECEIVER },
    ])
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    receive(async (at) => {
      await scheduler.wait(100)
      return Response.json({ metadata: { answer: String(at) } })
    })
    const performer = performerOf(tenant, id)
    const results = await Promise.allSettled([performer.act(1), performer.act(1), performer.act(1)])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await typesOf(key, id)).toEqual(['customer.created', 'customer.updated'])
  })
})

describe('a webhook step', () => {
  const newTenantOfStep = () => tenantWith([{ type: 'webhook', name: 'billing', url: RECEIVER }])
  /** The tenant of those that fail: they store nothing that another could run into. */
  let ofFailures: ReturnType<typeof newTenantOfStep> | undefined

  async function onboard(answer: Parameters<typeof receive>[0], status: 'completed' | 'failed', fields = {}) {
    await using _ = await hurry()
    if (status === 'failed') ofFailures ??= newTenantOfStep()
    const tenant = await (status === 'failed' && ofFailures ? ofFailures : newTenantOfStep())
    const received = receive(answer)
    const { id } = await newCustomer(tenant.key, fields)
    const run = await waitForRun(tenant.key, id, status)
    return { ...tenant, id, received, step: run.steps[0] }
  }

  it('sends the customer, signed so that the library of Standard Webhooks verifies it', async () => {
    const { id, received, secret } = await onboard(linked, 'completed', { name: 'Ada' })
    const [request] = received
    const headers = Object.fromEntries(request?.headers ?? [])
    expect(new Webhook(secret).verify(request?.text ?? '', headers)).toEqual(request?.body)
    expect(request?.body).toMatchObject({
      type: 'customer.onboarding.step',
      data: { customer: { id, name: 'Ada', integrations: [] }, workflow: 'default', step: 'billing' },
    })
    expect(() => new Webhook(secret).verify(`${request?.text} `, headers)).toThrow()
  })

  it('is sent as the same message however often it is tried', async () => {
    const { received, step } = await onboard(
      (at) => (at < 3 ? new Response('', { status: 503 }) : linked()),
      'completed',
    )
    expect(received).toHaveLength(4)
    expect(new Set(received.map(({ headers }) => headers.get('webhook-id'))).size).toBe(1)
    expect(new Set(received.map(({ text }) => text)).size).toBe(1)
    expect(step).toMatchObject({ attempts: 4, error: null })
  })

  it.each([408, 429, 500, 503])('is tried again after %i', async (status) => {
    const { received } = await onboard((at) => (at === 0 ? new Response('', { status }) : linked()), 'completed')
    expect(received).toHaveLength(2)
  })

  it.each([
    [530, 'error code: 1016', 'connection_failed (530)'],
    [403, 'error code: 1020', 'refused_by_cloudflare (403)'],
    [409, 'error code: 1001', 'refused_by_cloudflare (409)'],
  ])(
    'is tried again, and says so, when Cloudflare answers with %i in place of the receiver',
    async (status, text, error) => {
      const answer = () => new Response(text, { status, headers: { server: 'cloudflare' } })
      const { received, step } = await onboard(answer, 'failed')
      expect(received).toHaveLength(11)
      expect(step).toMatchObject({ attempts: 11, error })
    },
  )

  it.each([301, 307, 400, 401, 404, 410, 422])('fails at once after %i', async (status) => {
    const { received, step } = await onboard(
      () => new Response('', { status, headers: { location: RECEIVER } }),
      'failed',
    )
    expect(received).toHaveLength(1)
    expect(step).toMatchObject({ attempts: 1, status: 'failed', error: `answered ${status}` })
  })

  it('is given up after eleven attempts, and the event names the error', async () => {
    const { key, id, received } = await onboard(() => new Response('', { status: 500 }), 'failed')
    expect(received).toHaveLength(11)
    const event = (await eventsOf(key, id)).at(-1)
    expect(event.type).toBe('customer.onboarding.failed')
    expect(event.data.detail).toEqual({ workflow: 'default', step: 'billing', error: 'answered 500' })
  })

  it.each([
    [{ metadata: { plan: {} } }, 'metadata.plan'],
    [{ metadata: 'plan' }, 'metadata'],
    [{ metadata: { ['k'.repeat(41)]: 'v' } }, `metadata.${'k'.repeat(41)}`],
    [{ integration_entity_mapping: [{ provider: 'stripe' }] }, 'integration_entity_mapping.0.id'],
    [{ integration_entity_mapping: {} }, 'integration_entity_mapping'],
  ])('fails at once when the answer is %j, and names the field', async (answer, field) => {
    const { received, step } = await onboard(() => Response.json(answer), 'failed')
    expect(received).toHaveLength(1)
    expect(step.error).toContain(`answered with ${field}, which`)
  })

  it.each(['', 'OK', '[1]', 'null', '{"other": {"metadata": 1}}'])(
    'is done by the answer %j, and stores nothing',
    async (text) => {
      const { key, id } = await onboard(() => new Response(text), 'completed')
      expect(await typesOf(key, id)).toEqual(['customer.created', 'customer.onboarding.completed'])
    },
  )

  it('adds to the existing integrations and metadata', async () => {
    const known = { provider: 'stripe', id: 'cus_old' }
    const { key, id } = await onboard(linked, 'completed', {
      metadata: { own: '1' },
      integration_entity_mapping: [known, { provider: 'hubspot', id: '7' }],
    })
    const { body } = await call('GET', `/v1/customers/${id}?expand=integrations`, { key })
    expect(body.metadata).toEqual({ own: '1', billing: 'ready' })
    expect(body.integrations).toMatchObject([
      known,
      { provider: 'hubspot', id: '7' },
      { provider: 'stripe', id: 'cus_1' },
    ])
  })

  it('fails at once when another customer has the entity', async () => {
    const { key } = await onboard(linked, 'completed')
    await using _ = await hurry()
    const { id } = await newCustomer(key)
    const run = await waitForRun(key, id, 'failed')
    expect(run.steps[0]).toMatchObject({ attempts: 1, error: 'integration_taken' })
  })

  it('reads no more of an answer than 64 KiB', async () => {
    const { step } = await onboard(() => Response.json({ metadata: { note: 'x'.repeat(65_536) } }), 'failed')
    expect(step).toMatchObject({ attempts: 1, error: 'answered with 65536 bytes or more' })
  })
})

describe('a step that waits', () => {
  const WAITS = [{ type: 'wait_for', signal: 'signed', timeout_seconds: 3_600 }]

  it('continues when the signal comes', async () => {
    const { key } = await tenantWith(WAITS)
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    expect((await signal(key, id, 'signed')).status).toBe(202)
    await waitForRun(key, id, 'completed')
  })

  it('continues at once when the signal came before it', async () => {
    const { key } = await tenantWith([{ type: 'wait_for', signal: 'first', timeout_seconds: 3_600 }, ...WAITS])
    const { id } = await newCustomer(key)
    await signal(key, id, 'signed')
    await waitForRun(key, id, 'waiting', 0)
    await signal(key, id, 'first')
    await waitForRun(key, id, 'completed')
  })

  it('continues when the signal came before the engine had received the run', async () => {
    const { key, ...tenant } = await tenantWith(WAITS)
    const { id } = await createdBehindTheGate(tenant)
    expect((await signal(key, id, 'signed')).status).toBe(202)
    expect((await runOf(key, id)).status).toBe('pending')
    await startOnboarding({ tenantId: tenant.tenantId, mode: tenant.mode, customerId: id }, env)
    await waitForRun(key, id, 'completed')
  })

  it('continues at the end of its time when the engine missed the signal', async () => {
    const { key, ...tenant } = await tenantWith(WAITS)
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    const row = await rowOf(tenant, id)
    await setRun(tenant, id, { progress: row?.progress.map((step) => ({ ...step, signalledAtMs: 1 })) ?? [] })
    expect(await performerOf(tenant, id).endWait(0, true)).toBe('done')
  })

  it('continues when the signal is sent twice, or to two steps', async () => {
    const { key } = await tenantWith([...WAITS, ...WAITS])
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    const responses = await Promise.all([signal(key, id, 'signed'), signal(key, id, 'signed')])
    expect(responses.map(({ status }) => status)).toEqual([202, 202])
    await waitForRun(key, id, 'completed')
    expect((await signal(key, id, 'signed')).status).toBe(202)
    expect((await typesOf(key, id)).filter((type) => type === 'customer.onboarding.completed')).toHaveLength(1)
  })

  it('keeps every one of concurrent signals', async () => {
    const steps = ['a', 'b'].map((name) => ({ type: 'wait_for', signal: name, timeout_seconds: 3_600 }))
    const tenant = await tenantWith(steps)
    const { id } = await createdBehindTheGate(tenant)
    const sendSignal = (name: string, d1: D1Database) =>
      runStore(d1, tenant).change(id, (run) => signalled(run, name, Date.now()))
    let updates = 0
    const d1 = {
      withSession(start: string) {
        const session = env.DB.withSession(start)
        return {
          prepare(text: string) {
            const statement = session.prepare(text)
            if (!text.startsWith('update') || updates++ > 0) return statement
            // Between the read of the run and its change.
            const run = async (bound: D1PreparedStatement) => (await sendSignal('a', env.DB)) && bound.run()
            return { bind: (...values: unknown[]) => ({ run: () => run(statement.bind(...values)) }) }
          },
        }
      },
    } as unknown as D1Database
    await sendSignal('b', d1)
    const { progress = [] } = (await rowOf(tenant, id)) ?? {}
    expect(progress.map(({ signalledAtMs }) => signalledAtMs)).toEqual([expect.any(Number), expect.any(Number)])
    expect(updates).toBe(2)
  })

  it('receives one signal from a request that is repeated with its key, with the same response', async () => {
    const { key } = await tenantWith(WAITS)
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    const sendSignal = (name: string) =>
      call('POST', `/v1/customers/${id}/onboarding/signal`, {
        key,
        body: { signal: name },
        headers: { 'idempotency-key': 'one' },
      })
    const first = await sendSignal('signed')
    await waitForRun(key, id, 'completed')
    const again = await sendSignal('signed')
    expect([again.status, again.text]).toEqual([202, first.text])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect((await sendSignal('other')).status).toBe(422)
  })

  it('fails when the time is up, with an event that names the cause', async () => {
    const { key } = await tenantWith([{ ...WAITS[0], timeout_seconds: 1 }])
    const { id } = await newCustomer(key)
    const run = await waitForRun(key, id, 'failed')
    expect(run.steps[0].error).toBe('signed did not come within 1 seconds')
    const { body } = await signal(key, id, 'signed')
    expect(body.details.errors).toEqual([
      { field: 'signal', message: 'comes too late', fix: 'send none: the onboarding has ended' },
    ])
    expect((await eventsOf(key, id)).at(-1).data.detail.step).toBe('step_1')
  })

  it('refuses a signal that no step waits for, and names those that are waited for', async () => {
    const { key } = await tenantWith(WAITS)
    const { id } = await newCustomer(key)
    const { status, body } = await signal(key, id, 'other')
    expect(status).toBe(400)
    expect(body.details.errors).toEqual([
      { field: 'signal', message: 'is a signal that no step waits for', fix: 'send one of signed' },
    ])
  })
})

describe('a customer that is archived or erased meanwhile', () => {
  const WAITS = [
    { type: 'wait_for', signal: 'go', timeout_seconds: 3_600 },
    { type: 'webhook', url: RECEIVER },
  ]

  it('is sent to no receiver once it is erased, and the run is gone', async () => {
    const { key, ...tenant } = await tenantWith(WAITS)
    const received = receive(linked)
    const { id } = await newCustomer(key, { name: 'Ada' })
    await waitForRun(key, id, 'waiting', 0)
    await call('POST', `/v1/customers/${id}/erase`, { key })
    expect((await signal(key, id, 'go')).status).toBe(404)
    expect(await rowOf(tenant, id)).toBeUndefined()
    const performer = performerOf(tenant, id)
    expect(await runStore(env.DB, tenant).find(id, 'any', 0)).toBeNull()
    const went = [await performer.plan(), await performer.endWait(0, false), await performer.act(1)]
    expect(went).toEqual([null, 'ended', 'ended'])
    await performer.fail()
    await performer.finish()
    expect(received).toHaveLength(0)
  })

  it('is not called for once it is archived: the run fails, and names the cause', async () => {
    const { key } = await tenantWith(WAITS)
    const received = receive(linked)
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    await call('DELETE', `/v1/customers/${id}`, { key })
    await signal(key, id, 'go')
    await waitForRun(key, id, 'failed')
    expect(received).toHaveLength(0)
    const event = (await eventsOf(key, id)).at(-1)
    expect(event).toMatchObject({ type: 'customer.onboarding.failed', data: { customer: { status: 'archived' } } })
    expect(event.data.detail.error).toBe('the customer is archived')
    expect((await runOf(key, id)).steps[1].status).toBe('pending')
  })
})
