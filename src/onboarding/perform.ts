/**
 * What each step of an onboarding does, given the run as it stands. Whatever is done here may be done twice, and then has
 * happened once: a change is made on the version that was seen when it was not yet made, a call bears the same id.
 * Nothing is answered but whether to go on, because the engine keeps answers where no erasure can reach them.
 */
import { postSigned } from '../events/deliver.ts'
import type { Customer, CustomerChanges } from '../registry/customer.ts'
import { type Failure, Refused } from '../registry/failures.ts'
import { updateCustomer } from '../registry/operations.ts'
import { endRequestId, failRun, finishRun } from './end.ts'
import type { Found, RunDeps } from './ports.ts'
import { begun, completed, hasEnded, progressOf, type Run, wentWrong } from './run.ts'
import type { Step } from './steps.ts'
import { resultOfAnswer, STEP_ANSWER_BYTES_MAX, type StepResult, webhookIdOf } from './webhook-step.ts'

/** A step failed, in words that may be told. `final`: another attempt would not mend it. */
export class StepFailed extends Error {
  readonly final: boolean
  constructor(reason: string, final: boolean) {
    super(reason)
    this.name = 'StepFailed'
    this.final = final
  }
}

/** What the engine has to know of a step: how long to wait, and for what. */
export type PlannedStep =
  | { type: 'set_metadata' }
  | { type: 'webhook' }
  | { type: 'wait'; seconds: number }
  | { type: 'wait_for'; signal: string; timeoutSeconds: number }

/** `ended`: the run is no more, because its customer was erased or somebody ended it. */
export type Went = 'done' | 'wait' | 'ended'

export class Performer {
  readonly #customerId: string
  readonly #deps: RunDeps

  constructor(customerId: string, deps: RunDeps) {
    this.#customerId = customerId
    this.#deps = deps
  }

  /** The steps in their order; null when there is nothing to do. */
  async plan(): Promise<PlannedStep[] | null> {
    const run = await this.#deps.runs.read(this.#customerId)
    return run && !hasEnded(run) ? run.steps.map(plannedStep) : null
  }

  /** A step that changes or calls something. Whatever it throws is worth another attempt, but for a final `StepFailed`. */
  async act(at: number): Promise<Went> {
    const run = await this.#begin(at)
    if (!run) return 'ended'
    if (progressOf(run, at).status === 'completed') return 'done'
    return this.#told(at, async () => {
      const found = await this.#find(run, at)
      if (!found) return 'ended'
      if (!found.made) await this.#attempt(run, at, found.customer)
      return this.#complete(at)
    })
  }

  /** `done`: what the step waits for has happened. */
  async beginWait(at: number): Promise<Went> {
    const run = await this.#begin(at)
    if (!run) return 'ended'
    const { status, signalledAtMs } = progressOf(run, at)
    if (status === 'completed') return 'done'
    return signalledAtMs === null ? 'wait' : this.#complete(at)
  }

  /** `timedOut`: the signal did not come, as far as the engine has heard. */
  async endWait(at: number, timedOut: boolean): Promise<Went> {
    const run = await this.#deps.runs.read(this.#customerId)
    if (!run || hasEnded(run)) return 'ended'
    const step = run.steps[at]
    // It may have been told of where the engine did not hear it.
    const isLate = timedOut && step?.type === 'wait_for' && progressOf(run, at).signalledAtMs === null
    return this.#told(at, async () => {
      if (isLate) throw new StepFailed(`${step.signal} did not come within ${step.timeoutSeconds} seconds`, true)
      return (await this.#find(run, at)) ? this.#complete(at) : 'ended'
    })
  }

  finish(): Promise<void> {
    return finishRun(this.#deps, this.#customerId)
  }

  /** Ends the run where it is. */
  fail(): Promise<void> {
    return failRun(this.#deps, this.#customerId)
  }

  /** The customer as it is; null when it is no more. */
  async #find(run: Run, at: number): Promise<Found | null> {
    const sinceMs = progressOf(run, at).startedAtMs ?? run.createdAtMs
    const found = await this.#deps.runs.find(this.#customerId, requestIdOf(this.#customerId, at), sinceMs)
    if (found?.customer.status === 'archived') throw new StepFailed('the customer is archived', true)
    return found
  }

  async #attempt(run: Run, at: number, customer: Customer): Promise<void> {
    const result = await this.#resultOf(run, at, customer)
    if ('error' in result) throw new StepFailed(result.error, result.final)
    if (result.changes) await this.#write(customer, result.changes, requestIdOf(this.#customerId, at))
  }

  /** What goes wrong with the step is kept with it. */
  async #told(at: number, work: () => Promise<Went>): Promise<Went> {
    try {
      return await work()
    } catch (error) {
      await this.#change((now) => wentWrong(now, at, reasonOf(error)))
      throw error
    }
  }

  async #resultOf(run: Run, at: number, customer: Customer): Promise<StepResult> {
    const { settings, post, words } = this.#deps
    const step = run.steps[at]
    if (step?.type === 'set_metadata') return { changes: { metadata: { merge: step.metadata } } }
    if (step?.type !== 'webhook') return { changes: null }
    const kept = await settings.read()
    const posted = await postSigned(
      {
        url: step.url,
        secrets: kept?.secrets ?? [],
        id: webhookIdOf(this.#customerId, at),
        body: words.body(run, at, customer),
        answerBytesMax: STEP_ANSWER_BYTES_MAX,
      },
      post,
    )
    return resultOfAnswer(posted, customer, words)
  }

  /** On the version that was seen when the change was not made yet: of two attempts that overlap one is refused. */
  async #write(customer: Customer, changes: CustomerChanges, requestId: string): Promise<void> {
    const registry = this.#deps.registry(requestId)
    try {
      await updateCustomer(registry, { id: customer.id }, changes, customer.version)
    } catch (error) {
      if (error instanceof Refused) throw new StepFailed(error.failure.reason, !mayPass(error.failure))
      throw error
    }
  }

  async #begin(at: number): Promise<Run | null> {
    const run = await this.#change((now) => begun(now, at, this.#deps.clock()))
    return run && !hasEnded(run) ? run : null
  }

  async #complete(at: number): Promise<Went> {
    const run = await this.#change((now) => completed(now, at, this.#deps.clock()))
    return run && !hasEnded(run) ? 'done' : 'ended'
  }

  #change(next: (run: Run) => Run | null): Promise<Run | null> {
    return this.#deps.runs.change(this.#customerId, next)
  }
}

function plannedStep(step: Step): PlannedStep {
  switch (step.type) {
    case 'wait':
      return { type: step.type, seconds: step.seconds }
    case 'wait_for':
      return { type: step.type, signal: step.signal, timeoutSeconds: step.timeoutSeconds }
    case 'set_metadata':
    case 'webhook':
      return { type: step.type }
  }
}

/** What the change of a step goes by in the log of events. */
function requestIdOf(customerId: string, at: number): string {
  return `${endRequestId(customerId)}_${at + 1}`
}

/** Whether the same change may go well the next time. */
function mayPass({ reason }: Failure): boolean {
  switch (reason) {
    case 'version_conflict':
    case 'rate_limited':
    case 'annual_limit_reached':
    case 'tenant_suspended':
    case 'unavailable':
    case 'internal':
      return true
    default:
      return false
  }
}

/** Words of ours only: what a library says may hold a name or a value. */
function reasonOf(error: unknown): string {
  return error instanceof StepFailed ? error.message : 'internal'
}
