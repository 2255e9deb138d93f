/** The onboardings of a suspended tenant wait before each step, without an attempt, and go on when it is active again. */
import { afterEach, expect, it, vi } from 'vitest'
import { Performer, StillHeld } from '../../../src/onboarding/perform.ts'
import { admin, newCustomer } from '../support/roster.ts'
import {
  createdBehindTheGate,
  hurry,
  performerOf,
  RECEIVER,
  receive,
  rowOf,
  tenantWith,
  waitForRun,
} from './support.ts'

afterEach(() => vi.restoreAllMocks())

it('attempts no step while the tenant is suspended', async () => {
  const tenant = await tenantWith([{ type: 'webhook', url: RECEIVER }])
  const received = receive(() => new Response('{}'))
  const { id } = await createdBehindTheGate(tenant)
  const performer = performerOf(tenant, id)
  await performer.awaitResumption()
  await admin('PUT', `/${tenant.tenantId}`, { status: 'suspended' })
  expect([await performer.act(0), received.length]).toEqual(['held', 0])
  expect((await rowOf(tenant, id))?.progress).toEqual([])
  await expect(performer.awaitResumption()).rejects.toThrow(StillHeld)
  await admin('PUT', `/${tenant.tenantId}`, { status: 'active' })
  await performer.awaitResumption()
  expect([await performer.act(0), received.length]).toEqual(['done', 1])
})

it('holds a run in the middle, and completes it after the reactivation', async () => {
  await using _ = await hurry()
  const steps = [
    { type: 'webhook', name: 'first', url: RECEIVER },
    { type: 'webhook', name: 'second', url: RECEIVER },
  ]
  const { tenantId, key } = await tenantWith(steps)
  const received = receive(async (at) => {
    if (at === 0) await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    return new Response('{}')
  })
  const { id } = await newCustomer(key)
  const asks = vi.spyOn(Performer.prototype, 'awaitResumption')
  await vi.waitUntil(() => asks.mock.calls.length > 1, { timeout: 120_000, interval: 20 })
  expect(received).toHaveLength(1)
  await admin('PUT', `/${tenantId}`, { status: 'active' })
  const run = await waitForRun(key, id, 'completed')
  expect(run.steps.map(({ attempts }: { attempts: number }) => attempts)).toEqual([1, 1])
  expect(received).toHaveLength(2)
})
