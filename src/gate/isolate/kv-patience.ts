/**
 * Decides how long a read waits for KV alone. What this location has comes within milliseconds. Anything else takes the way to
 * another region, and most often there is nothing: so a read that goes to D1 meanwhile takes one such way instead of two.
 */
import { type Sleep, within } from '../../shared/sleep.ts'

/** Cloudflare states up to 10 ms for a value that the location has. */
const NEARBY_MS = 10
/**
 * Reads of an isolate for which KV is late, in a second. The others wait for KV, without a timer: when it is slow everywhere, D1
 * must not get all that KV answers.
 */
const LATE_MAX = 100
const WINDOW_MS = 1_000

export class KvPatience {
  #sinceMs = 0
  /** Reads of this second that KV has not answered soon. */
  #count = 0

  /** Resolves as the work does, or with `late` if it takes long and D1 may be asked meanwhile. */
  async soon<T>(work: Promise<T>, { sleep, clock }: { sleep: Sleep; clock(): number }): Promise<T | 'late'> {
    const nowMs = clock()
    const elapsedMs = nowMs - this.#sinceMs
    if (elapsedMs >= WINDOW_MS || elapsedMs < 0) {
      this.#sinceMs = nowMs
      this.#count = 0
    }
    if (this.#count >= LATE_MAX) return work
    this.#count++
    const first = await within(work, NEARBY_MS, sleep, 'late' as const)
    if (first !== 'late' && this.#count > 0) this.#count--
    return first
  }
}
