/**
 * Performs each step of an onboarding for the current state of its run. Every action is safe to repeat: a change is
 * made on the version that was read before the change existed, and a call has the same id each time. Methods return
 * only whether to go on, because the engine stores results where no erasure reaches them.
 */
import { postSigned } from '../events/deliver.ts'
import type { Customer, CustomerChanges } from '../registry/customer.ts'
import { type Failure, RegistryError } from '../registry/errors.ts'
import { updateCustomer } from '../registry/operations.ts'
import { endRequestId, failRun, finishRun } from './end.ts'
import type { Found, RunDeps } from './ports.ts'
import { begun, completed, failStep, hasEnded, progressOf, type Run } from './run.ts'
import type { Step } from './steps.ts'
import { resultOfResponse, STEP_RESPONSE_BOUNDS, type StepResult, webhookIdOf } from './webhook-step.ts'

/** Thrown when a step has failed. Its message may be shown to the tenant. `final`: another attempt would fail too. */
export class StepFailed extends Error {
  readonly final: boolean
  constructor(reason: string, final: boolean) {
    super(reason)
    this.name = 'StepFailed'
    this.final = final
  }
}

/** Thrown while a tenant is suspended. It is no failure: the engine asks again later. */
export class StillHeld extends Error {
  constructor() {
    super('the tenant is suspended')
    this.name = 'StillHeld'
  }
}

/** The part of a step that the engine needs: how long to wait, and for which signal. */
export type PlannedStep =
  | { type: 'set_metadata' }
  | { type: 'webhook' }
  | { type: 'wait'; seconds: number }
  | { type: 'wait_for'; signal: string; timeoutSeconds: number }

/**
 * `ended`: there is no run any more, because its customer was erased or the run was ended. `held`: the tenant is
 * suspended, so nothing was attempted.
 */
export type StepOutcome = 'done' | 'wait' | 'ended' | 'held'

export class Performer {
  readonly #customerId: string
  readonly #deps: RunDeps

  constructor(customerId: string, deps: RunDeps) {
    this.#customerId = customerId
    this.#deps = deps
  }

  /** Returns the steps in their order; null when there is nothing to do. */
  async plan(): Promise<PlannedStep[] | null> {
    const run = await this.#deps.runs.read(this.#customerId)
    return run && !hasEnded(run) ? run.steps.map(plannedStep) : null
  }

  /**
   * Performs a step that changes or calls something. Any error justifies another attempt, except a final
   * `StepFailed`. Does nothing and returns `held` while the tenant is suspended.
   */
  async act(at: number): Promise<StepOutcome> {
    if (await this.#deps.runs.isHeld()) return 'held'
    const run = await this.#begin(at)
    if (!run) return 'ended'
    if (progressOf(run, at).status === 'completed') return 'done'
    return this.#storingFailure(at, async () => {
      const found = await this.#find(run, at)
      if (!found) return 'ended'
      if (!found.made) await this.#attempt(run, at, found.customer)
      return this.#complete(at)
    })
  }

  /** Throws `StillHeld` as long as the tenant is suspended. */
  async awaitResumption(): Promise<void> {
    if (await this.#deps.runs.isHeld()) throw new StillHeld()
  }

  /** Begins a waiting step. Returns `done` if what it waits for has happened already. */
  async beginWait(at: number): Promise<StepOutcome> {
    const run = await this.#begin(at)
    if (!run) return 'ended'
    const { status, signalledAtMs } = progressOf(run, at)
    if (status === 'completed') return 'done'
    return signalledAtMs === null ? 'wait' : this.#complete(at)
  }

  /** Ends a waiting step. `timedOut`: the engine received no signal in time. */
  async endWait(at: number, timedOut: boolean): Promise<StepOutcome> {
    const run = await this.#deps.runs.read(this.#customerId)
    if (!run || hasEnded(run)) return 'ended'
    const step = run.steps[at]
    // The signal may have been stored although the engine never received it.
    const isLate = timedOut && step?.type === 'wait_for' && progressOf(run, at).signalledAtMs === null
    return this.#storingFailure(at, async () => {
      if (isLate) throw new StepFailed(`${step.signal} did not come within ${step.timeoutSeconds} seconds`, true)
      return (await this.#find(run, at)) ? this.#complete(at) : 'ended'
    })
  }

  finish(): Promise<void> {
    return finishRun(this.#deps, this.#customerId)
  }

  /** Ends the run as failed at its current step. */
  fail(): Promise<void> {
    return failRun(this.#deps, this.#customerId)
  }

  /** Returns the customer as it is; null when it has been erased. */
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

  /** Stores the error of a step with the step, and rethrows it. */
  async #storingFailure(at: number, work: () => Promise<StepOutcome>): Promise<StepOutcome> {
    try {
      return await work()
    } catch (error) {
      await this.#change((now) => failStep(now, at, reasonOf(error)))
      throw error
    }
  }

  async #resultOf(run: Run, at: number, customer: Customer): Promise<StepResult> {
    const { settings, post, format } = this.#deps
    const step = run.steps[at]
    if (step?.type === 'set_metadata') return { changes: { metadata: { merge: step.metadata } } }
    if (step?.type !== 'webhook') return { changes: null }
    const kept = await settings.read()
    // A call that is not signed would be taken for another's.
    if (!kept?.secrets.length) throw new StepFailed('the signing secret cannot be read', false)
    const posted = await postSigned(
      {
        url: step.url,
        secrets: kept.secrets,
        id: webhookIdOf(this.#customerId, at),
        body: format.body(run, at, customer),
        response: STEP_RESPONSE_BOUNDS,
      },
      post,
    )
    return resultOfResponse(posted, customer, format)
  }

  /**
   * Writes on the version that was read when the change did not exist yet, so one of two overlapping attempts is
   * refused.
   */
  async #write(customer: Customer, changes: CustomerChanges, requestId: string): Promise<void> {
    const registry = this.#deps.registry(requestId)
    try {
      await updateCustomer(registry, { id: customer.id }, changes, { versions: [customer.version] })
    } catch (error) {
      if (error instanceof RegistryError) throw new StepFailed(error.failure.reason, !isRetryable(error.failure))
      throw error
    }
  }

  async #begin(at: number): Promise<Run | null> {
    const run = await this.#change((now) => begun(now, at, this.#deps.clock()))
    return run && !hasEnded(run) ? run : null
  }

  async #complete(at: number): Promise<StepOutcome> {
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

/** Returns the request id of a step's change, as the event log stores it. */
function requestIdOf(customerId: string, at: number): string {
  return `${endRequestId(customerId)}_${at + 1}`
}

/** Returns true if the same change may succeed the next time. */
function isRetryable({ reason }: Failure): boolean {
  switch (reason) {
    case 'version_conflict':
    case 'rate_limited':
    case 'annual_limit_reached':
    case 'tenant_suspended':
    case 'unavailable':
    case 'insufficient_storage':
    case 'internal':
      return true
    default:
      return false
  }
}

/** Returns an error text that is ours: a library's message may contain a name or a value. */
function reasonOf(error: unknown): string {
  return error instanceof StepFailed ? error.message : 'internal'
}
