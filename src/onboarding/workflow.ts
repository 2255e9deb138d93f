/**
 * The Cloudflare Workflow that takes a customer through its onboarding. A shell: the engine remembers which step is done,
 * waits and repeats; what a step does is in perform.ts. Nothing personal goes into params, names or results of steps, which
 * the engine keeps where no erasure can reach them.
 */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep, type WorkflowStepConfig } from 'cloudflare:workers'
import { NonRetryableError } from 'cloudflare:workflows'
import { describeError, log } from '../shared/log.ts'
import { wiring } from '../wiring.ts'
import { type Performer, type PlannedStep, StepFailed, type Went } from './perform.ts'
import type { OnboardingParams } from './ports.ts'

/** Eleven attempts over an hour and a half: 5 s, 10 s, 20 s, … 43 min. */
const ACTS: WorkflowStepConfig = {
  retries: { limit: 10, delay: '5 seconds', backoff: 'exponential' },
  timeout: '2 minutes',
}
/** Only D1 is asked, and what it is told must be told at last: a week. */
const RECORDS: WorkflowStepConfig = {
  retries: { limit: 10_000, delay: '1 minute', backoff: 'constant' },
  timeout: '1 minute',
}

export class Onboarding extends WorkflowEntrypoint<Cloudflare.Env, OnboardingParams> {
  override async run({ payload }: Readonly<WorkflowEvent<OnboardingParams>>, step: WorkflowStep): Promise<void> {
    const performer = wiring.performer(this.env, this.ctx, payload)
    const run = new EngineRun(step, performer, payload)
    const plan = await run.do<PlannedStep[] | null>('plan', RECORDS, () => performer.plan())
    if (!plan) return
    try {
      for (const [at, planned] of plan.entries()) {
        if ((await run.go(at, planned)) === 'ended') return
      }
    } catch {
      // What went wrong is kept with the step.
      await run.do('fail', RECORDS, () => performer.fail())
      return
    }
    await run.do('finish', RECORDS, () => performer.finish())
  }
}

/** The steps of one run, as the engine is told of them. */
class EngineRun {
  readonly #step: WorkflowStep
  readonly #performer: Performer
  readonly #params: OnboardingParams

  constructor(step: WorkflowStep, performer: Performer, params: OnboardingParams) {
    this.#step = step
    this.#performer = performer
    this.#params = params
  }

  async go(at: number, planned: PlannedStep): Promise<Went> {
    const name = `${at + 1} ${planned.type}`
    const performer = this.#performer
    if (planned.type === 'set_metadata' || planned.type === 'webhook') {
      return this.do<Went>(name, ACTS, () => performer.act(at))
    }
    const went = await this.do<Went>(`${name}: begin`, RECORDS, () => performer.beginWait(at))
    if (went !== 'wait') return went
    const timedOut = await this.#wait(name, planned)
    return this.do<Went>(`${name}: end`, RECORDS, () => performer.endWait(at, timedOut))
  }

  /** Whatever is thrown, the engine is told nothing of it but whether to try again: it keeps what it is told. */
  do<T extends Rpc.Serializable<T>>(name: string, config: WorkflowStepConfig, work: () => Promise<T>): Promise<T> {
    return this.#step.do<T>(name, config, async () => {
      try {
        return await work()
      } catch (error) {
        if (error instanceof StepFailed && error.final) throw new NonRetryableError('failed')
        if (!(error instanceof StepFailed)) {
          log('error', { event: 'onboarding_step_failed', step: name, error: describeError(error), ...this.#params })
        }
        throw new Error('failed for now')
      }
    })
  }

  /** True when it was waited for in vain. */
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
