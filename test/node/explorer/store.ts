/**
 * The stored rows of a gate as one plain object that can be copied. An instance that has been replaced finds out at its next
 * write, as in the Durable Object.
 */

import type {
  GateKey,
  GateStorage,
  KeyUseRow,
  LoadedRow,
  StableRow,
  StateRow,
  StoredGate,
  WriteRow,
} from '../../../src/gate/core/gate-storage.ts'
import type { Policy } from '../../../src/gate/protocol/leases.ts'
import { Replaced } from '../gate/durable-store.ts'
import { copyOf } from './components.ts'

export class ExplorerStore implements GateStorage {
  rows: StoredGate
  isReplaced = false

  constructor(
    rows: StoredGate = { loaded: null, policy: null, keys: [], state: null, writes: [], stable: null, keyUses: [] },
  ) {
    this.rows = rows
  }

  load(): StoredGate {
    return copyOf(this.rows)
  }

  savePolicy(policy: Policy, keys: GateKey[]): void {
    this.mayWrite()
    Object.assign(this.rows, { policy, keys })
  }

  saveLoaded(loaded: LoadedRow): void {
    this.mayWrite()
    this.rows.loaded = loaded
  }

  saveState(state: StateRow): void {
    this.mayWrite()
    this.rows.state = structuredClone(state)
  }

  insertWrite(row: WriteRow): void {
    this.mayWrite()
    this.rows.writes.push({ ...row })
  }

  saveStable(stable: StableRow): void {
    this.mayWrite()
    this.rows.stable = stable
  }

  pruneWrites(belowSeq: number): void {
    this.mayWrite()
    this.rows.writes = this.rows.writes.filter(({ seq }) => seq >= belowSeq)
  }

  saveKeyUse(row: KeyUseRow): void {
    this.mayWrite()
    this.rows.keyUses = [...this.rows.keyUses.filter(({ keyId }) => keyId !== row.keyId), { ...row }]
  }

  forgetKeyUse(forgotten: string): void {
    this.mayWrite()
    this.rows.keyUses = this.rows.keyUses.filter(({ keyId }) => keyId !== forgotten)
  }

  private mayWrite(): void {
    if (this.isReplaced) throw new Replaced()
  }
}
