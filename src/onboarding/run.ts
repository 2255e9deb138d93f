/**
 * The state of one customer's onboarding, and its transitions. Pure: each function returns the next state of the run,
 * or null if nothing changes. Signals are stored here, with the step they are for, so that none is lost.
 */
import type { EventType } from '../events/catalogue.ts'
import { type Step, stepName } from './steps.ts'

type StepStatus = 'pending' | 'running' | 'waiting' | 'completed' | 'failed'

export interface StepProgress {
  status: StepStatus
  attempts: number
  startedAtMs: number | null
  finishedAtMs: number | null
  /** The last error. Never personal data. */
  error: string | null
  /** When the signal arrived that a `wait_for` step waits for. It may arrive before the step begins. */
  signalledAtMs: number | null
}

export interface Run {
  customerId: string
  workflow: string
  /** As they were configured when the customer was created. */
  steps: Step[]
  /** Progress of the steps that have begun, in their order. */
  progress: StepProgress[]
  status: 'pending' | 'running' | 'completed' | 'failed'
  createdAtMs: number
  finishedAtMs: number | null
}

const NOT_BEGUN: StepProgress = {
  status: 'pending',
  attempts: 0,
  startedAtMs: null,
  finishedAtMs: null,
  error: null,
  signalledAtMs: null,
}

export function progressOf(run: Run, at: number): StepProgress {
  return run.progress[at] ?? NOT_BEGUN
}

export function hasEnded({ status }: Run): boolean {
  return status === 'completed' || status === 'failed'
}

/** Begins a step, or begins it again. A done step stays done although it may be run twice. */
export function begun(run: Run, at: number, nowMs: number): Run | null {
  const before = progressOf(run, at)
  if (hasEnded(run) || before.status === 'completed') return null
  const status = isWait(run.steps[at]) ? 'waiting' : 'running'
  const startedAtMs = before.startedAtMs ?? nowMs
  return withStep({ ...run, status: 'running' }, at, { status, startedAtMs, attempts: before.attempts + 1 })
}

export function completed(run: Run, at: number, nowMs: number): Run | null {
  if (hasEnded(run) || progressOf(run, at).status === 'completed') return null
  return withStep(run, at, { status: 'completed', finishedAtMs: nowMs, error: null })
}

/** Notes a failed attempt of the step. The engine decides whether it is retried. */
export function failStep(run: Run, at: number, error: string): Run | null {
  return hasEnded(run) ? null : withStep(run, at, { error })
}

/** Notes the signal for every step that waits for it. A repeated signal changes nothing. */
export function signalled(run: Run, signal: string, nowMs: number): Run | null {
  if (hasEnded(run)) return null
  const missing = run.steps.flatMap((step, at) =>
    waitsFor(step, signal) && progressOf(run, at).signalledAtMs === null ? [at] : [],
  )
  if (missing.length === 0) return null
  return missing.reduce((next, at) => withStep(next, at, { signalledAtMs: nowMs }), run)
}

/** Returns true if the current step has failed and waits for its next attempt. */
export function awaitsRetry(run: Run): boolean {
  const at = currentStep(run)
  const { status, error } = progressOf(run, at)
  return run.status === 'running' && status === 'running' && error !== null && !isWait(run.steps[at])
}

/**
 * Gives the `webhook` steps that are not done the URLs of the same steps of `current`: those in the same place with the
 * same name. Returns null if no URL differs, or if the run has ended.
 */
export function retargeted(run: Run, current: readonly Step[]): Run | null {
  if (hasEnded(run)) return null
  const steps = run.steps.map((step, at) => {
    const now = current[at]
    const isSame = step.type === 'webhook' && now?.type === 'webhook' && now.name === step.name
    return isSame && progressOf(run, at).status !== 'completed' ? { ...step, url: now.url } : step
  })
  return JSON.stringify(steps) === JSON.stringify(run.steps) ? null : { ...run, steps }
}

export function waitsFor(step: Step, signal: string): boolean {
  return step.type === 'wait_for' && step.signal === signal
}

/** Returns the signals that steps of the run wait for, in their order. */
export function signalsOf(run: Run): string[] {
  return [...new Set(run.steps.flatMap((step) => (step.type === 'wait_for' ? [step.signal] : [])))]
}

/** Ends a run after its last step. */
export function finished(run: Run, nowMs: number): Run | null {
  return hasEnded(run) ? null : { ...run, status: 'completed', finishedAtMs: nowMs }
}

/** Fails the current step, and with it the run. A run whose steps are all done has succeeded. */
export function failed(run: Run, nowMs: number): Run | null {
  const at = currentStep(run)
  if (hasEnded(run) || progressOf(run, at).status === 'completed') return finished(run, nowMs)
  const error = progressOf(run, at).error ?? UNKNOWN_ERROR
  const ended = withStep(run, at, { status: 'failed', finishedAtMs: nowMs, error })
  return { ...ended, status: 'failed', finishedAtMs: nowMs }
}

/** Used when the engine gave up a step that had no time to report its error. */
const UNKNOWN_ERROR = 'did not end in time'

/** Returns the event for the end of a run. */
export function endOf(run: Run): { type: EventType; detail: Record<string, unknown> } {
  const { workflow } = run
  if (run.status === 'completed') return { type: 'customer.onboarding.completed', detail: { workflow } }
  const at = currentStep(run)
  const step = run.steps[at]
  const error = progressOf(run, at).error ?? UNKNOWN_ERROR
  return { type: 'customer.onboarding.failed', detail: { workflow, step: step ? stepName(step, at) : null, error } }
}

/** Returns the index of the first step that is not done. */
export function currentStep(run: Run): number {
  const at = run.steps.findIndex((_, index) => progressOf(run, index).status !== 'completed')
  return at === -1 ? run.steps.length - 1 : at
}

function isWait(step: Step | undefined): boolean {
  return step?.type === 'wait' || step?.type === 'wait_for'
}

function withStep(run: Run, at: number, change: Partial<StepProgress>): Run {
  const length = Math.max(run.progress.length, at + 1)
  const progress = Array.from({ length }, (_, index) => progressOf(run, index))
  progress[at] = { ...progressOf(run, at), ...change }
  return { ...run, progress }
}
