/**
 * What onboarding needs of the world, of one tenant and mode each: where settings and runs are kept, the engine that runs
 * workflows, the registry for its changes, and a way to call a tenant's systems. Storage and wiring supply them.
 */
import type { PostDeps } from '../events/deliver.ts'
import type { Secret } from '../events/signature.ts'
import type { Customer, Scope } from '../registry/customer.ts'
import type { AnswerStore, KeptAnswer } from '../registry/once.ts'
import type { Registry } from '../registry/ports.ts'
import type { EndDeps } from './end.ts'
import type { Run } from './run.ts'
import type { OnboardingSettings } from './steps.ts'
import type { StepWords } from './webhook-step.ts'

/** Ids and nothing else: what the engine keeps, no erasure can reach. */
export interface OnboardingParams extends Scope {
  customerId: string
}

export interface KeptSettings {
  settings: OnboardingSettings
  /** Rises with every change; 0 where nothing was ever set. */
  version: number
  /** The first signs for good, the others until they expire. Never shown, never logged. */
  secrets: Secret[]
  updatedAtMs: number | null
  updatedBy: string | null
}

/** An answer to be kept is kept if the change was made. */
export interface SettingsStore extends AnswerStore {
  /** Null: nothing was ever set. */
  read(): Promise<KeptSettings | null>
  /**
   * Replaces the whole if the version is still `ifVersion` (null: whatever it is). `secret` is kept with the first. Null:
   * the version was another.
   */
  replace(
    settings: OnboardingSettings,
    by: { ifVersion: number | null; secret: string; actor: string; nowMs: number },
  ): Promise<KeptSettings | null>
  /** Only if the secrets are still those that the caller has seen. */
  replaceSecrets(seen: readonly Secret[], secrets: Secret[], kept: KeptAnswer | null): Promise<boolean>
}

/** What a step meets before it changes anything, all as of one moment. */
export interface Found {
  customer: Customer
  /** Whether the change that bears this request id has been made. */
  made: boolean
}

export interface RunStore {
  read(customerId: string): Promise<Run | null>
  /** Does what `next` says to the run as it is, however many do; answers what it is then. Null: there is no such run. */
  change(customerId: string, next: (run: Run) => Run | null): Promise<Run | null>
  /** Null: there is no such customer, or it was erased. `sinceMs` is when the change was first tried. */
  find(customerId: string, requestId: string, sinceMs: number): Promise<Found | null>
  /**
   * Ends the run as `next` says, and writes the event that tells of it with the customer as it is, in one transaction.
   * `stamp` is asked when the customer has been looked at, so that the id of the event comes behind those of its changes.
   * Null: there is nothing to end.
   */
  end(
    customerId: string,
    next: (run: Run, nowMs: number) => Run | null,
    stamp: () => { id: string; nowMs: number; requestId: string },
  ): Promise<Run | null>
}

/** Runs whose beginning was not told to the engine, or that may have been given up by it, of all tenants. */
export interface RunQueue {
  /** Takes those on that should have been started, so that nobody else does for a minute. */
  claimOverdue(nowMs: number): Promise<OnboardingParams[]>
  /** The engine has them. */
  started(all: readonly OnboardingParams[], nowMs: number): Promise<void>
  /** Those under way that were not looked at for a day; they will be in another. */
  claimUnderWay(nowMs: number): Promise<OnboardingParams[]>
}

export interface Engine {
  /** Answers those that it has now, or had already. */
  start(all: readonly OnboardingParams[]): Promise<OnboardingParams[]>
  /** Wakes a run that waits for the signal. False: the engine has no such run. */
  signal(params: OnboardingParams, signal: string): Promise<boolean>
  isAlive(params: OnboardingParams): Promise<boolean>
}

export interface RunDeps extends EndDeps {
  settings: SettingsStore
  /** For the changes of a step: the registry as any caller has it, under a name of its own. */
  registry(requestId: string): Registry
  post: PostDeps
  words: StepWords
}
