/**
 * The Cloudflare Workflow that runs the onboarding of a customer. It is a thin shell: the engine stores which steps are
 * done, waits and repeats, and `perform.ts` does the work of a step. Params, names and results of steps hold no
 * personal data, because the engine stores them where an erasure cannot delete them.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from 'cloudflare:workers'
import { NonRetryableError } from 'cloudflare:workflows'
import { services } from '../composition/services.ts'
import { type Performer, type PlannedStep, StepFailed, type StepOutcome, StillHeld } from '../onboarding/perform.ts'
import type { OnboardingParams } from '../onboarding/ports.ts'
import { describeError, log } from '../shared/log.ts'

/** For steps that act: eleven attempts over an hour and a half, with waits of 5 s, 10 s, 20 s, … 43 min. */
const ACTS: WorkflowStepConfig = {
  retries: { limit: 10, delay: '5 seconds', backoff: 'exponential' },
  timeout: '2 minutes',
}
/** For steps that only read and write D1. Their writes must not be lost, so the engine repeats them for a week. */
const RECORDS: WorkflowStepConfig = {
  retries: { limit: 10_000, delay: '1 minute', backoff: 'constant' },
  timeout: '1 minute',
}

/**
 * For the end of a suspension: the engine asks every ten minutes, for more than two months. Asking again is an attempt
 * of one step, so a long suspension uses up no steps of the workflow.
 */
const HELD: WorkflowStepConfig = {
  retries: { limit: 10_000, delay: '10 minutes', backoff: 'constant' },
  timeout: '1 minute',
}

export class Onboarding extends WorkflowEntrypoint<Cloudflare.Env, OnboardingParams> {
  override async run({ payload }: Readonly<WorkflowEvent<OnboardingParams>>, step: WorkflowStep): Promise<void> {
    const performer = services.performer(this.env, this.ctx, payload)
    const run = new EngineRun(step, performer, payload)
    const plan = await run.do<PlannedStep[] | null>('plan', RECORDS, () => performer.plan())
    if (!plan) return
    try {
      for (const [at, planned] of plan.entries()) {
        if ((await run.go(at, planned)) === 'ended') return
      }
    } catch {
      // The failed step has stored its error in D1.
      await run.do('fail', RECORDS, () => performer.fail())
      return
    }
    await run.do('finish', RECORDS, () => performer.finish())
  }
}

/** Hands the steps of one run to the engine. */
class EngineRun {
  readonly #step: WorkflowStep
  readonly #performer: Performer
  readonly #params: OnboardingParams

  constructor(step: WorkflowStep, performer: Performer, params: OnboardingParams) {
    this.#step = step
    this.#performer = performer
    this.#params = params
  }

  async go(at: number, planned: PlannedStep): Promise<StepOutcome> {
    const name = `${at + 1} ${planned.type}`
    const performer = this.#performer
    if (planned.type === 'set_metadata' || planned.type === 'webhook') {
      let went = await this.do<StepOutcome>(name, ACTS, () => performer.act(at))
      for (let held = 1; went === 'held'; held++) {
        await this.do(`${name}: held ${held}`, HELD, () => performer.awaitResumption())
        went = await this.do<StepOutcome>(`${name}: resumed ${held}`, ACTS, () => performer.act(at))
      }
      return went
    }
    const went = await this.do<StepOutcome>(`${name}: begin`, RECORDS, () => performer.beginWait(at))
    if (went !== 'wait') return went
    const timedOut = await this.#wait(name, planned)
    return this.do<StepOutcome>(`${name}: end`, RECORDS, () => performer.endWait(at, timedOut))
  }

  /** Runs a step. Throws errors that say only whether to repeat it, because the engine stores their messages. */
  do<T extends Rpc.Serializable<T>>(name: string, config: WorkflowStepConfig, work: () => Promise<T>): Promise<T> {
    return this.#step.do<T>(name, config, async () => {
      try {
        return await work()
      } catch (error) {
        if (error instanceof StepFailed && error.final) throw new NonRetryableError('failed')
        if (!(error instanceof StepFailed || error instanceof StillHeld)) {
          log('error', { event: 'onboarding_step_failed', step: name, error: describeError(error), ...this.#params })
        }
        throw new Error('failed for now')
      }
    })
  }

  /** Returns true if the signal did not come before the timeout. */
  async #wait(name: string, wait: Extract<PlannedStep, { type: 'wait' | 'wait_for' }>): Promise<boolean> {
    if (wait.type === 'wait') {
      await this.#step.sleep(name, wait.seconds * 1_000)
      return false
    }
    try {
      await this.#step.waitForEvent(name, { type: wait.signal, timeout: wait.timeoutSeconds * 1_000 })
      return false
    } catch {
      return true
    }
  }
}
