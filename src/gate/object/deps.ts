/**
 * The ports of a gate: time, randomness, ids, and D1. `composition/` supplies them.
 */
import type { Scope } from '../../registry/customer.ts'
import type { ServiceFailure } from '../../registry/errors.ts'
import type { Clock } from '../../shared/clock.ts'
import type { NewId } from '../../shared/ids.ts'
import type { GateKey } from '../core/gate-storage.ts'
import type { ImportStore } from '../protocol/imports.ts'
import type { Policy } from '../protocol/leases.ts'
import type { UndoStore } from '../protocol/undo.ts'
import type { WriteStore } from '../protocol/write-store.ts'

/** The policy of a tenant and mode as D1 has it, and the state of D1 it was read from. */
export interface LoadedPolicy {
  dataEpoch: number
  /** The time by D1's clock. */
  d1Ms: number
  tenant: { policy: Policy; keys: GateKey[] } | null
}

/** A change that was made, as the log has it: what, of which customer, by whom, with which request. */
export interface LoggedChange extends Record<string, string> {
  requestId: string
  customerId: string
  effect: string
  actor: string
}

export interface GateDeps {
  clock: Clock
  random(): number
  newId: NewId
  sleep(ms: number): Promise<unknown>
  writes: WriteStore
  imports: ImportStore
  undos: UndoStore
  /** Reads the primary, all of it as of one moment. `tenant` is null when D1 has no such tenant. */
  loadPolicy(scope: Scope): Promise<LoadedPolicy>
  /** Waits for a moment, then loads the policy: a tenant that is frozen for a move may be in its other database by then. */
  awaitMove(): Promise<void>
  /** Enqueues the deliveries for these customers, whose changes have just been committed. Must not throw. */
  enqueueDeliveries(scope: Scope, customerIds: string[]): Promise<void>
  /** Logs the changes of a batch, within a second. Must not throw. */
  onChanges(scope: Scope, changes: readonly LoggedChange[]): void
  /** Logs a failure of D1 and returns the failure for the caller. */
  onStorageFailure(error: unknown, scope: Scope): ServiceFailure
}
