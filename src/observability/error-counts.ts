/**
 * Counts the errors of an isolate for operators: by minute, API and status. An isolate stores them at most once in ten
 * seconds and only after an error, so nothing is written while nothing fails. What comes within the ten seconds, or could not be
 * stored because D1 itself failed, is stored with a later request of any kind: no request waits for a timer, and an isolate
 * that ends without another one loses it. Labels come from Roster, so the rows are few and hold no personal data. Pure.
 */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/durations.ts'
import { describeError, log } from '../shared/log.ts'

/** A response that Roster alone is to blame for. */
export interface RosterError {
  api: string
  status: number
}

/** The errors of one minute. */
export interface ErrorCount extends RosterError {
  minuteMs: number
  count: number
}

type Store = (counts: readonly ErrorCount[]) => Promise<void>

/** Lets work go on after the response. Reading `executionCtx` may be expensive, so it is read only when needed. */
interface At {
  readonly executionCtx: { waitUntil(work: Promise<unknown>): void }
}

const STORED_EVERY_MS = 10 * SECOND_MS
/** Nobody asks for older ones. */
const KEPT_MS = HOUR_MS

export class ErrorCounts {
  readonly #counts = new Map<string, ErrorCount>()
  #storedAtMs = Number.NEGATIVE_INFINITY

  /** True while errors are counted that D1 does not have. */
  get hasUnstored(): boolean {
    return this.#counts.size > 0
  }

  /** Counts an error, and stores the counts if ten seconds are over since the last attempt. */
  count({ api, status }: RosterError, nowMs: number, store: Store, at: At): void {
    const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
    this.#add({ minuteMs, api, status, count: 1 })
    this.storeIfDue(nowMs, store, at)
  }

  /** Stores the counts that are left from before, if ten seconds are over since the last attempt. */
  storeIfDue(nowMs: number, store: Store, at: At): void {
    if (nowMs < this.#storedAtMs + STORED_EVERY_MS) return
    this.#storedAtMs = nowMs
    this.#forgetBefore(nowMs - KEPT_MS)
    at.executionCtx.waitUntil(this.#store(store))
  }

  async #store(store: Store): Promise<void> {
    const taken = [...this.#counts.values()]
    this.#counts.clear()
    if (taken.length === 0) return
    try {
      await store(taken)
    } catch (error) {
      for (const count of taken) this.#add(count)
      log('warn', { event: 'error_counts_not_stored', error: describeError(error) })
    }
  }

  #add({ minuteMs, api, status, count }: ErrorCount): void {
    const key = `${minuteMs} ${api} ${status}`
    const known = this.#counts.get(key)
    if (known) known.count += count
    else this.#counts.set(key, { minuteMs, api, status, count })
  }

  #forgetBefore(timeMs: number): void {
    for (const [key, { minuteMs }] of this.#counts) if (minuteMs < timeMs) this.#counts.delete(key)
  }
}
