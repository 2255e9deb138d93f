import { createExecutionContext } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startOnboarding } from '../../../src/composition/onboarding.ts'
import { services } from '../../../src/composition/services.ts'
import { Onboarding } from '../../../src/entrypoints/onboarding-workflow.ts'
import { onboardMessage } from '../../../src/events/messages.ts'
import { gateNameOf } from '../../../src/gate/isolate/deps.ts'
import { versioned } from '../../../src/gate/protocol/leases.ts'
import { instanceIdOf, workflowEngine } from '../../../src/onboarding/engine.ts'
import type { OnboardingParams } from '../../../src/onboarding/ports.ts'
import { newId } from '../../../src/shared/ids.ts'
import { call, newCustomer, newTenant, newTenantOfBothModes } from '../support/roster.ts'
import {
  configure,
  createdBehindTheGate,
  eventsOf,
  hurry,
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

const CALLS = [{ type: 'webhook', url: RECEIVER }]
const MARKS = [{ type: 'set_metadata', metadata: { onboarded: 'yes' } }]
const ok = () => new Response('OK')
const noRun = async (key: string, id: string) =>
  expect((await call('GET', `/v1/customers/${id}/onboarding`, { key })).status).toBe(404)

describe('an onboarding', () => {
  it('is started once, however often and by whichever sender it is announced', async () => {
    const received = receive(ok)
    const tenant = await tenantWith(CALLS)
    const { id } = await newCustomer(tenant.key)
    const params: OnboardingParams = { tenantId: tenant.tenantId, mode: 'live', customerId: id }
    const engine = workflowEngine(env.ONBOARDING)
    await Promise.all([
      startOnboarding(params, env),
      startOnboarding(params, env),
      engine.start([params]),
      engine.start([params, params]),
      env.OUTBOX.sendBatch([{ body: onboardMessage(tenant, id) }, { body: onboardMessage(tenant, id) }]),
    ])
    await waitForRun(tenant.key, id, 'completed')
    await startOnboarding(params, env)
    await setRun(tenant, id, { status: 'pending', dueAtMs: 0 })
    await services.sweep(env)
    await setRun(tenant, id, { status: 'completed' })
    expect(received).toHaveLength(1)
    expect(await typesOf(tenant.key, id)).toEqual(['customer.created', 'customer.onboarding.completed'])
  })

  it('is started by the sweep when its message was lost', async () => {
    const tenant = await tenantWith(MARKS)
    const { id } = await createdBehindTheGate(tenant)
    expect((await runOf(tenant.key, id)).status).toBe('pending')
    await services.sweep(env)
    expect((await runOf(tenant.key, id)).status, 'its message may be on its way').toBe('pending')
    await setRun(tenant, id, { dueAtMs: Date.now() - 11_000 })
    await services.sweep(env)
    await waitForRun(tenant.key, id, 'completed')
  })

  it('is started for a customer of an isolate that has not loaded the settings of onboarding', async () => {
    const tenant = await tenantWith(MARKS)
    const customerId = newId('customer', Date.now())
    const gate = env.GATE.getByName(gateNameOf(tenant))
    const command = { kind: 'create', id: customerId, fields: { externalId: 'old' }, ifExists: 'fail' } as const
    const caller = { credential: null, caller: 'old-worker', requestId: 'req_1', reason: null }
    const clock = { sentAtMs: Date.now(), isolate: 'isolate' }
    expect(await gate.write(versioned({ command, ...caller, ...clock }))).toMatchObject({ ok: true })
    await waitForRun(tenant.key, customerId, 'completed')
  })

  it('is started for a customer created through FlatPeak’s API', async () => {
    const tenant = await tenantWith(MARKS)
    const { body } = await call('POST', '/customers', { key: tenant.key, body: { reference_id: 'flat' } })
    await waitForRun(tenant.key, body.id, 'completed')
  })

  it('is started in the mode of its customer', async () => {
    const { live, test } = await newTenantOfBothModes()
    await configure(live.key, { default: { steps: MARKS } })
    await noRun(test.key, (await newCustomer(test.key)).id)
  })

  it('is started with the steps of that time: later settings are for later customers', async () => {
    const { key } = await tenantWith([{ type: 'wait_for', signal: 'go', timeout_seconds: 3_600 }, ...MARKS])
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'waiting', 0)
    await configure(key, {})
    await signal(key, id, 'go')
    expect((await waitForRun(key, id, 'completed')).steps).toHaveLength(2)
    await noRun(key, (await newCustomer(key)).id)
  })
})

describe('an onboarding that is not due', () => {
  it('is not started for a customer whose request skips it', async () => {
    const { key } = await tenantWith(MARKS)
    for (const fields of [{}, { onboarding_workflow_name: 'default' }, { onboarding_workflow_name: 'unknown' }]) {
      await noRun(key, (await newCustomer(key, { skip_onboarding_workflow: true, ...fields })).id)
    }
  })

  it('is not started by an update, a restoration, or a creation that finds an existing customer', async () => {
    const { key } = await tenantWith(MARKS)
    const { id, external_id } = await newCustomer(key, { skip_onboarding_workflow: true })
    await call('PATCH', `/v1/customers/${id}`, { key, body: { name: 'Ada' } })
    await call('PUT', `/v1/customers/external/${external_id}`, { key, body: { name: 'Bob' } })
    const named = { external_id, onboarding_workflow_name: 'default' }
    expect((await call('POST', '/v1/customers?if_exists=return', { key, body: named })).status).toBe(200)
    await call('DELETE', `/v1/customers/${id}`, { key })
    expect((await call('POST', `/v1/customers/${id}/restore`, { key })).status).toBe(200)
    await noRun(key, id)
  })

  it('is not started by the changes that an onboarding makes', async () => {
    const { key } = await tenantWith([...MARKS, { type: 'set_metadata', metadata: { twice: 'yes' } }])
    const { id } = await newCustomer(key)
    await waitForRun(key, id, 'completed')
    await services.sweep(env)
    expect(await typesOf(key, id)).toEqual([
      'customer.created',
      'customer.updated',
      'customer.updated',
      'customer.onboarding.completed',
    ])
  })

  it('is not started for imported customers, unless their line names a workflow', async () => {
    const { key } = await tenantWith(MARKS)
    const lines = [{ external_id: 'plain' }, { external_id: 'named', onboarding_workflow_name: 'default' }]
    const { text } = await call('POST', '/v1/customers/import', {
      key,
      body: lines.map((line) => JSON.stringify(line)).join('\n'),
      headers: { 'content-type': 'application/x-ndjson' },
    })
    const [plain, named] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    await waitForRun(key, named.id, 'completed')
    await noRun(key, plain.id)
  })
})

describe('a workflow that is named', () => {
  const SPECIAL = { special: { steps: [{ type: 'set_metadata', metadata: { special: 'yes' } }] } }

  it('runs, for a creation and for an upsert that creates', async () => {
    const { live } = await newTenant()
    await configure(live.key, { ...SPECIAL, default: { steps: MARKS } })
    const created = await newCustomer(live.key, { onboarding_workflow_name: 'special' })
    const upserted = await call('PUT', '/v1/customers/external/up', {
      key: live.key,
      body: { onboarding_workflow_name: 'special' },
    })
    for (const id of [created.id, upserted.body.id]) {
      expect((await waitForRun(live.key, id, 'completed')).workflow).toBe('special')
      const { body } = await call('GET', `/v1/customers/${id}`, { key: live.key })
      expect(body.metadata).toEqual({ special: 'yes' })
    }
  })

  it('is refused where no workflow has the name, and no customer is created', async () => {
    const { live, test } = await newTenantOfBothModes()
    await configure(live.key, SPECIAL)
    const named = (name: string) => ({ external_id: 'one', onboarding_workflow_name: name })
    const refusals = [
      await call('POST', '/v1/customers', { key: live.key, body: named('other') }),
      await call('POST', '/v1/customers', { key: live.key, body: named('__proto__') }),
      await call('POST', '/v1/customers', { key: test.key, body: named('special') }),
      await call('PUT', '/v1/customers/external/one', { key: live.key, body: named('default') }),
    ]
    for (const { status, body } of refusals) {
      expect(status).toBe(400)
      expect(body.details.reason).toBe('unknown_workflow')
      expect(body.details.errors).toEqual([
        {
          field: 'onboarding_workflow_name',
          message: 'names no onboarding workflow',
          fix: 'send a name of GET /v1/settings/customer_onboarding, or leave it out',
        },
      ])
    }
    expect((await call('GET', '/v1/customers/external/one', { key: live.key })).status).toBe(404)
  })

  it('is refused for its line of an import alone', async () => {
    const { live } = await newTenant()
    const lines = [{ external_id: 'a' }, { external_id: 'b', onboarding_workflow_name: 'other' }, { external_id: 'c' }]
    const { text } = await call('POST', '/v1/customers/import', {
      key: live.key,
      body: lines.map((line) => JSON.stringify(line)).join('\n'),
      headers: { 'content-type': 'application/x-ndjson' },
    })
    const results = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(results.map(({ result }) => result)).toEqual(['created', 'error', 'created'])
    expect(results[1].errors[0].field).toBe('onboarding_workflow_name')
  })

  it('is named by a bound Worker with an option', async () => {
    const { tenantId, live } = await newTenant()
    await configure(live.key, { ...SPECIAL, default: { steps: MARKS } })
    const props = { tenantId, mode: 'live' as const, scopes: ['customers:read', 'customers:write'], caller: 'billing' }
    const roster = exports.Customers({ props })
    const special = await roster.create({ externalId: 'r1' }, { onboardingWorkflow: 'special' })
    const skipped = await roster.getOrCreate({ externalId: 'r2' }, { skipOnboarding: true })
    const plain = await roster.getOrCreate({ externalId: 'r3' })
    const refused = await roster.create({ externalId: 'r4' }, { onboardingWorkflow: 'other' })
    if (!special.ok || !skipped.ok || !plain.ok) throw new Error('expected three customers')
    expect((await waitForRun(live.key, special.customer.id, 'completed')).workflow).toBe('special')
    expect((await waitForRun(live.key, plain.customer.id, 'completed')).workflow).toBe('default')
    await noRun(live.key, skipped.customer.id)
    expect(refused).toMatchObject({ ok: false, failure: { reason: 'unknown_workflow' } })
  })
})

describe('the sweep', () => {
  it('ends a run that the engine has lost, with an event', async () => {
    const tenant = await tenantWith([{ type: 'wait', seconds: 5 }])
    const { id } = await createdBehindTheGate(tenant)
    await setRun(tenant, id, { status: 'running', dueAtMs: 0 })
    await services.sweep(env)
    expect(await runOf(tenant.key, id)).toMatchObject({ status: 'failed' })
    expect((await eventsOf(tenant.key, id)).at(-1)).toMatchObject({ type: 'customer.onboarding.failed' })
  })

  it('leaves a run alone that the engine has', async () => {
    const tenant = await tenantWith([{ type: 'wait_for', signal: 'go', timeout_seconds: 3_600 }])
    const { id } = await newCustomer(tenant.key)
    await waitForRun(tenant.key, id, 'waiting', 0)
    await setRun(tenant, id, { status: 'running', dueAtMs: 0 })
    await services.sweep(env)
    expect(await runOf(tenant.key, id)).toMatchObject({ status: 'running' })
    await signal(tenant.key, id, 'go')
    await waitForRun(tenant.key, id, 'completed')
  })

  it('deletes a run 90 days after it has ended, and none before', async () => {
    await using _ = await hurry()
    const tenant = await tenantWith(MARKS)
    const { id } = await newCustomer(tenant.key)
    await waitForRun(tenant.key, id, 'completed')
    const row = await rowOf(tenant, id)
    expect(row?.dueAtMs).toBe((row?.finishedAtMs ?? 0) + 90 * 86_400_000)
    await services.sweep(env)
    expect(await rowOf(tenant, id)).toBeDefined()
    await setRun(tenant, id, { dueAtMs: Date.now() - 1 })
    await services.sweep(env)
    expect(await rowOf(tenant, id)).toBeUndefined()
  })
})

describe('the engine', () => {
  it('receives only ids, and keeps a finished run for a day', async () => {
    const createBatch = vi.fn(async (_: unknown) => ({ created: [], errors: [] }))
    const params: OnboardingParams = { tenantId: crypto.randomUUID(), mode: 'test', customerId: newId('customer', 1) }
    await workflowEngine({ createBatch } as never).start([params])
    const retention = { successRetention: '1 day', errorRetention: '1 day' }
    expect(createBatch).toHaveBeenCalledWith({ instances: [{ id: instanceIdOf(params), params, retention }] })
    expect(instanceIdOf(params)).toMatch(/^[a-zA-Z0-9_][a-zA-Z0-9-_]{0,99}$/)
  })

  it('starts none that it refuses, and keeps those that it had already', async () => {
    const all = ['a', 'b', 'c', 'd'].map((customerId) => ({ tenantId: 't', mode: 'live' as const, customerId }))
    const errors = [
      { index: 0, code: 1, message: '(instance.already_exists) Workflow instance with id "a" already exists' },
      { index: 1, code: 10_405, message: 'The instance is there' },
      { index: 3, code: 2, message: '(workflow.too_many_requests) slow down' },
    ]
    const binding = { createBatch: async () => ({ created: [], errors }) }
    expect(await workflowEngine(binding as never).start(all)).toEqual(all.slice(0, 3))
  })

  it('receives nothing of the customer: not from a step that succeeded, nor from one that failed', async () => {
    const tenant = await tenantWith([{ type: 'set_metadata', metadata: { plan: 'Ada' } }, ...CALLS])
    receive(() => Response.json({ metadata: { 'Ada Lovelace': {} } }))
    const { id } = await createdBehindTheGate(tenant, { name: 'Ada Lovelace', email: 'ada@example.com' })
    const received: string[] = []
    const step = {
      async do(name: string, _config: unknown, work: () => Promise<unknown>) {
        try {
          const result = await work()
          received.push(`${name}: ${JSON.stringify(result)}`)
          return result
        } catch (error) {
          received.push(`${name}: ${error}`)
          throw error
        }
      },
    }
    const payload = { tenantId: tenant.tenantId, mode: tenant.mode, customerId: id }
    const self = { env, ctx: createExecutionContext() }
    await Onboarding.prototype.run.call(self as never, { payload } as never, step as never)
    expect(received).toEqual([
      'plan: [{"type":"set_metadata"},{"type":"webhook"}]',
      '1 set_metadata: "done"',
      '2 webhook: NonRetryableError: failed',
      'fail: undefined',
    ])
    expect((await runOf(tenant.key, id)).steps[1].error).toContain('Ada Lovelace')
  })
})
