/** A Durable Object that computes on request and returns the readings of its clocks. */
import { DurableObject } from 'cloudflare:workers'
import { errorText } from './error-text.ts'
import type { ProbeEnv } from './index.ts'

export interface BurnRequest {
  /** Rounds of the loop; the caller finds out how long one takes, because no clock runs here meanwhile. */
  rounds: number
  /** A timer that is pending while this computes, so many milliseconds ahead. Null: none. */
  timerMs: number | null
}

export interface SqlReading {
  ms: number | null
  error: string | null
}

export class ProbeObject extends DurableObject<ProbeEnv> {
  /** An id that changes with each restart. */
  readonly #instance = crypto.randomUUID()

  identity() {
    return { instance: this.#instance, version: this.env.VERSION }
  }

  jurisdiction() {
    return this.ctx.id.jurisdiction ?? null
  }

  /** Reads the clocks first, as a gate does at the start of an event, and once more after the work. */
  burn({ rounds, timerMs }: BurnRequest) {
    const beforeMs = Date.now()
    const sqlBefore = this.#sqlClock()
    if (timerMs !== null) setTimeout(() => {}, timerMs)
    const result = spin(rounds)
    return { ...this.identity(), beforeMs, sqlBefore, afterMs: Date.now(), sqlAfter: this.#sqlClock(), result }
  }

  /** Ends this object. The next call starts it anew. */
  restart() {
    this.ctx.abort('restarted by the probe')
  }

  #sqlClock(): SqlReading {
    try {
      const { ms } = this.ctx.storage.sql.exec<{ ms: number }>("SELECT unixepoch('subsec') * 1000 AS ms").one()
      return { ms, error: null }
    } catch (error) {
      return { ms: null, error: errorText(error) }
    }
  }
}

/** Its result is returned, so that no compiler leaves the loop out. */
function spin(rounds: number): number {
  let state = 1
  for (let round = 0; round < rounds; round++) state = Math.imul(state ^ round, 0x9e3779b1)
  return state
}
