/**
 * Ports of onboarding, for one tenant and mode each: the stores of settings and runs, the engine that runs workflows,
 * the registry for changes, and a sender for calls to a tenant's systems. Storage and composition implement them.
 */
import type { PostDeps } from '../events/deliver.ts'
import type { Secret } from '../events/signature.ts'
import type { ResponseStore, ResponseToStore } from '../idempotency/idempotency.ts'
import type { Customer, Scope } from '../registry/customer.ts'
import type { Registry } from '../registry/ports.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { EndDeps } from './end.ts'
import type { Run } from './run.ts'
import type { OnboardingSettings } from './steps.ts'
import type { StepFormat } from './webhook-step.ts'

/** Ids only, because no erasure reaches what the engine stores. */
export interface OnboardingParams extends Scope {
  customerId: string
}

export interface StoredSettings {
  settings: OnboardingSettings
  /** Rises with every change; 0 before the first. */
  version: number
  /** The first signs until it is rotated out, the others until they expire. Never shown, never logged. */
  /** Empty if they cannot be opened: the signing secret that sealed them has been removed. */
  secrets: Secret[]
  /** The secrets as they are stored. */
  sealedSecrets: string
  updatedAtMs: number | null
  updatedBy: string | null
}

/** Writes a stored response only if the change was made. */
export interface SettingsStore extends ResponseStore {
  /** Returns null if settings were never stored. */
  read(): Promise<StoredSettings | null>
  /**
   * Replaces all settings. Stores `secret` only with the first settings. Throws `RegistryError` with
   * `version_conflict` if the settings do not meet the precondition. Settings that were never stored have version 0.
   */
  replace(
    settings: OnboardingSettings,
    by: { precondition: Precondition | null; secret: string; actor: string; nowMs: number },
  ): Promise<StoredSettings>
  /** Replaces the secrets only if they are still those that the caller has read. */
  replaceSecrets(
    seen: StoredSettings,
    secrets: Secret[],
    nowMs: number,
    response: ResponseToStore | null,
  ): Promise<boolean>
}

/** The state that a step finds before it changes anything, all as of one moment. */
export interface Found {
  customer: Customer
  /** True when the change with this request id has been made. */
  made: boolean
}

export interface RunStore {
  read(customerId: string): Promise<Run | null>
  /** Returns whether the tenant is suspended. Reads the primary. */
  isHeld(): Promise<boolean>
  /**
   * Applies `next` to the current run, also under concurrent changes, and returns the result. Returns null if there
   * is no such run.
   */
  change(customerId: string, next: (run: Run) => Run | null): Promise<Run | null>
  /** Returns null if there is no such customer, or it was erased. `sinceMs` is when the change was first attempted. */
  find(customerId: string, requestId: string, sinceMs: number): Promise<Found | null>
  /**
   * Ends the run as `next` says, and writes the event of it with the customer as it is, in one transaction. Calls
   * `stamp` after the customer was read, so that the id of the event is later than those of its changes. Returns null
   * if there is nothing to end.
   */
  end(
    customerId: string,
    next: (run: Run, nowMs: number) => Run | null,
    stamp: () => { id: string; nowMs: number; requestId: string },
  ): Promise<Run | null>
}

/** Runs of all tenants that the engine does not have yet, or that it may have given up. */
export interface RunQueue {
  /** Claims overdue runs, so that no other sweep starts them for a minute. */
  claimOverdue(nowMs: number): Promise<OnboardingParams[]>
  /** Marks runs that the engine has accepted. */
  started(all: readonly OnboardingParams[], nowMs: number): Promise<void>
  /** Claims runs that have been under way for a day since their last check. They are due again in a day. */
  claimUnderWay(nowMs: number): Promise<OnboardingParams[]>
}

export interface Engine {
  /** Returns those that the engine has now, including those it had before. */
  start(all: readonly OnboardingParams[]): Promise<OnboardingParams[]>
  /** Wakes a run that waits for the signal. Returns false if the engine has no such run. */
  signal(params: OnboardingParams, signal: string): Promise<boolean>
  /** Begins the run anew, which skips what is done. Returns false if the engine has no such run. */
  restart(params: OnboardingParams): Promise<boolean>
  isAlive(params: OnboardingParams): Promise<boolean>
}

export interface RunDeps extends EndDeps {
  settings: SettingsStore
  /** The registry for the changes of a step, with an actor of its own. */
  registry(requestId: string): Registry
  post: PostDeps
  format: StepFormat
}
