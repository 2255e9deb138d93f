/**
 * Stands in for the Durable Object's storage and life in the models: plain objects that outlive the gate, writes
 * that take effect at once, an instance that has been replaced and finds out at its next write, and an event that dies
 * before its writes became durable (then, by the output gate, its response was never sent either).
 */

import type { GateStorage, StoredGate } from '../../../src/gate/core/gate-storage.ts'

export class Replaced extends Error {}

export class DurableStore {
  stored: StoredGate = { loaded: null, policy: null, keys: [], state: null, writes: [], stable: null, keyUses: [] }
  /** Times the state row was written. */
  stateRows = 0
  /** Times the row of a key's use was written. */
  useRows = 0
  #instance = 0

  /** Storage for a new instance; all instances before are ghosts from now on. */
  open(): GateStorage {
    const instance = ++this.#instance
    const write = (change: () => void) => {
      if (instance !== this.#instance) throw new Replaced()
      change()
    }
    const { stored } = this
    return {
      load: () => structuredClone(stored),
      savePolicy: (policy, keys) => write(() => Object.assign(stored, { policy, keys })),
      saveLoaded: (loaded) => write(() => Object.assign(stored, { loaded })),
      saveState: (state) =>
        write(() => {
          this.stateRows++
          stored.state = structuredClone(state)
        }),
      insertWrite: (added) => write(() => void stored.writes.push({ ...added })),
      saveStable: (stable) => write(() => Object.assign(stored, { stable })),
      pruneWrites: (belowSeq) =>
        write(() => {
          stored.writes = stored.writes.filter(({ seq }) => seq >= belowSeq)
        }),
      saveKeyUse: (use) =>
        write(() => {
          this.useRows++
          stored.keyUses = [...stored.keyUses.filter(({ keyId }) => keyId !== use.keyId), { ...use }]
        }),
      forgetKeyUse: (forgotten) =>
        write(() => {
          stored.keyUses = stored.keyUses.filter(({ keyId }) => keyId !== forgotten)
        }),
    }
  }

  /** Runs one event of an instance that dies before anything it wrote is durable. */
  rollBack(event: () => void): void {
    const before = structuredClone(this.stored)
    event()
    Object.assign(this.stored, before)
  }
}
