/**
 * How a run ends, and who is told. A run that has ended already, or whose customer was erased, stays as it is.
 */
import type { Scope } from '../registry/customer.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import { log } from '../shared/log.ts'
import type { RunStore } from './ports.ts'
import { currentStep, failed, finished, type Run } from './run.ts'

/** Whom the log of events names for what a workflow does. */
export const ONBOARDING_ACTOR = 'onboarding'

export interface EndDeps {
  scope: Scope
  runs: RunStore
  clock: Clock
  newId: NewId
  /** Says through the queue that an event of the customer is to be sent. Never throws. */
  announce(customerId: string): Promise<void>
}

/** Every step is done. */
export async function finishRun(deps: EndDeps, customerId: string): Promise<void> {
  await end(deps, customerId, finished)
}

/** The step that the run is at has failed for good, or nobody takes it further. */
export async function failRun(deps: EndDeps, customerId: string): Promise<void> {
  const run = await end(deps, customerId, failed)
  if (run?.status !== 'failed') return
  const { tenantId, mode } = deps.scope
  log('warn', { event: 'onboarding_failed', customerId, step: currentStep(run) + 1, tenantId, mode })
}

/** What the end of a run goes by in the log of events. */
export function endRequestId(customerId: string): string {
  return `onboarding_${customerId}`
}

async function end(
  { runs, clock, newId, announce }: EndDeps,
  customerId: string,
  next: (run: Run, nowMs: number) => Run | null,
): Promise<Run | null> {
  const run = await runs.end(customerId, next, () => {
    const nowMs = clock()
    return { id: newId('event', nowMs), nowMs, requestId: endRequestId(customerId) }
  })
  if (run) await announce(customerId)
  return run
}
