/**
 * Finds the outcome of the batches that D1 has not answered: at once after an error, and by the alarm of the object for
 * intents that an error or a restart left. Looks on the primary and never guesses.
 */
import type { Scope } from '../../registry/customer.ts'
import type { GateCore } from '../core/gate-core.ts'
import { INTENT_GRACE_MS } from '../protocol/constants.ts'
import type { Found } from '../protocol/write-store.ts'
import type { GateDeps } from './deps.ts'

/** When the primary could not be reached for a look-up, it is tried again after this. */
const WATCH_INTENTS_EVERY_MS = 30_000
/**
 * Looks for the outcome of a batch. The first is immediate, the second when it is decided, more if D1's clock is odd.
 */
const LOOKS_MAX = 4

export class IntentWatch {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #setAlarm: (atMs: number) => Promise<void>
  #alarmAtMs = 0

  /** `setAlarm` takes an instant by the gate's own clock. */
  constructor(scope: Scope, core: GateCore, deps: GateDeps, setAlarm: (atMs: number) => Promise<void>) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#setAlarm = setAlarm
  }

  /**
   * Sets an alarm for the time when an intent is overdue, in case its batch is never settled. An alarm stays when its batch is
   * settled, and serves the next ones: to set and delete one for each batch would bill two more rows, and an alarm stores what
   * is settled by then.
   */
  async watch(notBeforeMs = 0): Promise<void> {
    const nowMs = this.#deps.clock()
    const nextLookMs = this.#core.nextLookMs(nowMs)
    if (nextLookMs === null) return
    const nextMs = Math.max(nextLookMs, notBeforeMs)
    if (this.#alarmAtMs > nowMs && this.#alarmAtMs <= nextMs) return
    this.#alarmAtMs = nextMs
    await this.#setAlarm(nextMs)
  }

  /**
   * Looks up the outcome of a batch until it is decided, and settles it. A change that is found was made. A missing
   * one is certainly missing only when a response of D1 is past the deadline by D1's own clock. `onFound` gets what
   * each look found. Returns null if D1 could not be reached; the alarm then looks again.
   */
  async learn(
    seq: number,
    changeIds: string[],
    deadlineMs: number,
    onFound: (found: Found) => void = () => undefined,
  ): Promise<Found | null> {
    for (let look = 0; look < LOOKS_MAX; look++) {
      const found = await this.#find(changeIds).catch(() => null)
      if (!found) return null
      if (found.found.size === changeIds.length || this.#core.isDecided(seq, found.d1Ms)) {
        this.#core.settleWrite(seq, found.bookmark)
        onFound(found)
        return found
      }
      onFound(found)
      await this.#deps.sleep(deadlineMs + INTENT_GRACE_MS - found.d1Ms)
    }
    return null
  }

  /** Settles writes with unknown outcome that can no longer be committed, and stores what is settled. The alarm calls it. */
  async resolveOverdue(): Promise<void> {
    this.#alarmAtMs = 0
    const nowMs = this.#deps.clock()
    const overdue = this.#core.overdueIntents(nowMs)
    if (overdue.length > 0) {
      try {
        // For those that are decided the time and the bookmark are enough: the primary has all of them that were made.
        const { bookmark, d1Ms } = await this.#find([])
        for (const { seq } of overdue) if (this.#core.isDecided(seq, d1Ms)) this.#core.settleWrite(seq, bookmark)
      } catch (error) {
        this.#deps.onStorageFailure(error, this.#scope)
      }
    }
    this.#core.saveStable()
    // Sets an alarm instead of failing this one: the runtime gives up a failing alarm after a few tries, and D1 may be
    // unavailable for longer. Without one that is left, the next one is due by its own time.
    const isLeft = this.#core.overdueIntents(nowMs).length > 0
    await this.watch(isLeft ? nowMs + WATCH_INTENTS_EVERY_MS : 0)
  }

  async #find(changeIds: string[]): Promise<Found> {
    const found = await this.#deps.writes.findCommitted(this.#scope, changeIds)
    this.#core.noteD1Time(found.d1Ms, this.#deps.clock())
    return found
  }
}
