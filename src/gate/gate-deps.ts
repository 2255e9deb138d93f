/**
 * What a gate needs of the world: time, chance, ids, and D1. `wiring.ts` supplies it.
 */
import type { Scope } from '../registry/customer.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import type { GateKey } from './gate-storage.ts'
import type { ImportStore } from './import-protocol.ts'
import type { Policy } from './protocol.ts'
import type { WriteStore } from './write-store.ts'

export interface GateDeps {
  clock: Clock
  random(): number
  newId: NewId
  sleep(ms: number): Promise<unknown>
  writes: WriteStore
  imports: ImportStore
  /** Null: there is no such tenant. Reads the primary. */
  loadPolicy(scope: Scope): Promise<{ policy: Policy; keys: GateKey[] } | null>
  /** Somebody may have to be told of changes of these customers, which have just been committed. Must not throw. */
  announce(scope: Scope, customerIds: string[]): Promise<void>
  onStorageFailure(error: unknown, scope: Scope): void
}
