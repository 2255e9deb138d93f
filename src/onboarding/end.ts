/**
 * Ends a run and enqueues the event of it. A run that has ended already, or whose customer was erased, stays as it is.
 */
import type { Scope } from '../registry/customer.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import { log } from '../shared/log.ts'
import type { RunStore } from './ports.ts'
import { currentStep, failed, finished, type Run } from './run.ts'

/** Actor of the changes that a workflow makes, as the event log names it. */
export const ONBOARDING_ACTOR = 'onboarding'

export interface EndDeps {
  scope: Scope
  runs: RunStore
  clock: Clock
  newId: NewId
  /** Enqueues the deliveries of an event of the customer. Never throws. */
  enqueueDeliveries(customerId: string): Promise<void>
}

/** Ends a run whose steps are all done. */
export async function finishRun(deps: EndDeps, customerId: string): Promise<void> {
  await end(deps, customerId, finished)
}

/** Ends a run whose current step has failed for good, or that the engine has given up. */
export async function failRun(deps: EndDeps, customerId: string): Promise<void> {
  const run = await end(deps, customerId, failed)
  if (run?.status !== 'failed') return
  const { tenantId, mode } = deps.scope
  log('warn', { event: 'onboarding_failed', customerId, step: currentStep(run) + 1, tenantId, mode })
}

/** Returns the request id of the event that ends a run. */
export function endRequestId(customerId: string): string {
  return `onboarding_${customerId}`
}

async function end(
  { runs, clock, newId, enqueueDeliveries }: EndDeps,
  customerId: string,
  next: (run: Run, nowMs: number) => Run | null,
): Promise<Run | null> {
  const run = await runs.end(customerId, next, () => {
    const nowMs = clock()
    return { id: newId('event', nowMs), nowMs, requestId: endRequestId(customerId) }
  })
  if (run) await enqueueDeliveries(customerId)
  return run
}
