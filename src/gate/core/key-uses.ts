/**
 * When each key was last used, to the minute. Isolates report uses with their requests for leases, and the gate sees
 * those of writes itself. A use in another minute than the last one is stored at once, in a row of its own: a gate that
 * is gone before the next event forgets none, and a key costs at most one row a minute. Pure.
 */
import { minuteOf } from '../../shared/durations.ts'
import { KEY_USES_MAX } from '../protocol/constants.ts'
import type { GateStorage, KeyUseRow } from './gate-storage.ts'

export class KeyUses {
  readonly #storage: Pick<GateStorage, 'saveKeyUse' | 'forgetKeyUse'>
  readonly #minutes: Map<string, number>

  constructor(storage: Pick<GateStorage, 'saveKeyUse' | 'forgetKeyUse'>, rows: readonly KeyUseRow[]) {
    this.#storage = storage
    this.#minutes = new Map(rows.map(({ keyId, usedAtMs }) => [keyId, usedAtMs]))
  }

  /**
   * Notes a use at this time of day, of one of the keys that the gate knows. An isolate may report that of another one: it
   * takes a key for good until its next lease.
   */
  note(keyId: string, atMs: number, known: ReadonlySet<string>): void {
    if (!known.has(keyId)) return
    const usedAtMs = minuteOf(atMs)
    if (usedAtMs <= (this.#minutes.get(keyId) ?? -1)) return
    this.#minutes.set(keyId, usedAtMs)
    this.#storage.saveKeyUse({ keyId, usedAtMs })
    if (this.#minutes.size > KEY_USES_MAX) this.#forgetOne(keyId, known)
  }

  /** Returns the minutes by the ids of the keys, each as the milliseconds of its beginning. */
  all(): Record<string, number> {
    return Object.fromEntries(this.#minutes)
  }

  /** Drops the use that is the longest ago, of a key that ended if there is one. Never that of `usedNow`. */
  #forgetOne(usedNow: string, known: ReadonlySet<string>): void {
    let forgotten: { keyId: string; isKnown: boolean; usedAtMs: number } | null = null
    for (const [keyId, usedAtMs] of this.#minutes) {
      if (keyId === usedNow) continue
      const isKnown = known.has(keyId)
      const goesFirst =
        forgotten === null || (isKnown === forgotten.isKnown ? usedAtMs < forgotten.usedAtMs : forgotten.isKnown)
      if (goesFirst) forgotten = { keyId, isKnown, usedAtMs }
    }
    if (forgotten === null) return
    this.#minutes.delete(forgotten.keyId)
    this.#storage.forgetKeyUse(forgotten.keyId)
  }
}
