/**
 * How far the onboarding of one customer has come, and how it gets further. Pure: each function answers what the run is next,
 * or null where nothing is to change. Signals are kept here, with the step they are for, so that none is lost.
 */
import type { EventType } from '../events/catalogue.ts'
import { type Step, stepName } from './steps.ts'

type StepStatus = 'pending' | 'running' | 'waiting' | 'completed' | 'failed'

export interface StepProgress {
  status: StepStatus
  attempts: number
  startedAtMs: number | null
  finishedAtMs: number | null
  /** What went wrong last. Never personal data. */
  error: string | null
  /** When the signal came that a `wait_for` is for; it may come before the step. */
  signalledAtMs: number | null
}

export interface Run {
  customerId: string
  workflow: string
  /** As they were configured when the customer was created. */
  steps: Step[]
  /** Of the first so many steps; those behind them have not begun. */
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

/** A step is begun, or begun once more. One that is done stays so: it may be run twice. */
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

/** An attempt of the step went wrong; whether it is tried again is not for the run to say. */
export function wentWrong(run: Run, at: number, error: string): Run | null {
  return hasEnded(run) ? null : withStep(run, at, { error })
}

/** Every step that waits for the signal has it now. It is a fact that was told: a second time changes nothing. */
export function signalled(run: Run, signal: string, nowMs: number): Run | null {
  if (hasEnded(run)) return null
  const missing = run.steps.flatMap((step, at) =>
    waitsFor(step, signal) && progressOf(run, at).signalledAtMs === null ? [at] : [],
  )
  if (missing.length === 0) return null
  return missing.reduce((next, at) => withStep(next, at, { signalledAtMs: nowMs }), run)
}

export function waitsFor(step: Step, signal: string): boolean {
  return step.type === 'wait_for' && step.signal === signal
}

/** The signals that steps of the run wait for, in their order. */
export function signalsOf(run: Run): string[] {
  return [...new Set(run.steps.flatMap((step) => (step.type === 'wait_for' ? [step.signal] : [])))]
}

/** The last step is done. */
export function finished(run: Run, nowMs: number): Run | null {
  return hasEnded(run) ? null : { ...run, status: 'completed', finishedAtMs: nowMs }
}

/** The step that the run is at failed for good, and with it the run. A run whose every step is done has ended well. */
export function failed(run: Run, nowMs: number): Run | null {
  const at = currentStep(run)
  if (hasEnded(run) || progressOf(run, at).status === 'completed') return finished(run, nowMs)
  const error = progressOf(run, at).error ?? UNKNOWN_ERROR
  const ended = withStep(run, at, { status: 'failed', finishedAtMs: nowMs, error })
  return { ...ended, status: 'failed', finishedAtMs: nowMs }
}

/** The engine gave a step up that had no time to say why. */
const UNKNOWN_ERROR = 'did not end in time'

/** The event that tells how a run ended. */
export function endOf(run: Run): { type: EventType; detail: Record<string, unknown> } {
  const { workflow } = run
  if (run.status === 'completed') return { type: 'customer.onboarding.completed', detail: { workflow } }
  const at = currentStep(run)
  const step = run.steps[at]
  const error = progressOf(run, at).error ?? UNKNOWN_ERROR
  return { type: 'customer.onboarding.failed', detail: { workflow, step: step ? stepName(step, at) : null, error } }
}

/** Where a run is: the first step that is not done. */
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
