import { env } from 'cloudflare:workers'
import { beforeAll, expect, it } from 'vitest'
import { begun, completed, finished } from '../../../src/onboarding/run.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { runQueue, runStore, sweepEndedRuns } from '../../../src/storage/onboarding/runs.ts'
import { onboardingSettings } from '../../../src/storage/onboarding/settings.ts'
import { creation, insertTenant, metered, prepared, spent } from '../storage/support.ts'

/** Costs of an onboarding beside the changes that its steps make. D1 bills by rows. */
const OTHERS = 2_000

const { d1, costs } = metered(env.DB)

import { vault } from '../events/support.ts'

let scope: Scope

beforeAll(async () => {
  scope = await insertTenant()
  await set([{ type: 'wait', name: null, seconds: 1 }])
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${OTHERS})
     INSERT INTO onboarding_runs SELECT ?, 'live', 'cust_' || i, 'default', '[]', '[]',
       CASE i % 3 WHEN 0 THEN 'pending' WHEN 1 THEN 'running' ELSE 'completed' END, 9e12, 0, NULL FROM n`,
  )
    .bind(scope.tenantId)
    .run()
})

async function set(steps: object[]): Promise<void> {
  const settings = { workflows: { default: { steps: steps as never } } }
  await onboardingSettings(env.DB, scope, vault).replace(settings, {
    precondition: null,
    secret: 's',
    actor: 'key_1',
    nowMs: 1,
  })
}

async function priced(work: () => Promise<unknown>): Promise<{ rowsRead: number; rowsWritten: number }> {
  costs.length = 0
  await work()
  return spent(costs)
}

async function rowsOf(work: () => Promise<unknown>): Promise<number> {
  return (await priced(work)).rowsWritten
}

async function created(onboarding: string | null): Promise<{ id: string; rowsWritten: number }> {
  const command = { ...creation({}), onboarding } as ReturnType<typeof creation>
  const { rowsWritten } = await priced(() => writeStore(d1).commitWrites(scope, [prepared(command)]))
  return { id: command.kind === 'create' ? command.id : '', rowsWritten }
}

it('costs two rows to exist, two to start, two a step, seven to end, and one to be deleted', async () => {
  const runs = runStore(d1, scope)
  const queue = runQueue(d1)
  const nowMs = Date.now()
  const plain = await created('')
  const { id, rowsWritten } = await created(null)
  const params = { ...scope, customerId: id }
  const event = () => ({ id: newId('event', nowMs), nowMs, requestId: 'onboarding' })
  const prices = {
    create: rowsWritten - plain.rowsWritten,
    started: await rowsOf(() => queue.started([params], nowMs)),
    begun: await rowsOf(() => runs.change(id, (run) => begun(run, 0, nowMs))),
    find: await rowsOf(() => runs.find(id, 'onboarding', nowMs)),
    completed: await rowsOf(() => runs.change(id, (run) => completed(run, 0, nowMs))),
    end: await rowsOf(() => runs.end(id, finished, event)),
    forgotten: await rowsOf(() => sweepEndedRuns(d1, nowMs + 91 * 86_400_000)),
  }
  expect(prices).toEqual({
    create: 2,
    started: 2,
    begun: 1,
    find: 0,
    completed: 1,
    end: 7,
    forgotten: 1,
  })
})

it('reads no rows of other tenants, neither for a run nor in a sweep', async () => {
  const runs = runStore(d1, scope)
  const queue = runQueue(d1)
  const nowMs = Date.now()
  const { id } = await created(null)
  const works = [
    () => queue.started([{ ...scope, customerId: id }], nowMs),
    () => runs.change(id, (run) => begun(run, 0, nowMs)),
    () => runs.find(id, 'onboarding', nowMs),
    () => runs.end(id, finished, () => ({ id: newId('event', nowMs), nowMs, requestId: 'onboarding' })),
    () => queue.claimOverdue(nowMs),
    () => queue.claimUnderWay(nowMs),
    () => sweepEndedRuns(d1, nowMs),
  ]
  for (const work of works) expect((await priced(work)).rowsRead, work.toString()).toBeLessThanOrEqual(12)
})
