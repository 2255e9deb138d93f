/**
 * Decides when a value is put into KV, which costs as much as ten reads of it: when this isolate uses the value again that it
 * has read from D1, and never for a tenant that changes so fast that other isolates could not judge the value once they see
 * it. Pure.
 */
import { CHANGES_KEPT } from '../protocol/constants.ts'
import type { FreshnessDelta } from '../protocol/leases.ts'

/** The time after which most locations see a value that was put into KV. */
const KV_SETTLES_MS = 60_000

/** Something that this isolate keeps in memory, and may put into KV. */
export interface Shareable {
  /** False until this isolate has put it into KV, or got it from there. */
  isShared: boolean
}

/** Counts the changes of a tenant, as leases tell them. */
export class ChangeRate {
  #sinceMs = 0
  #count = 0
  #countBefore = 0

  note({ changes }: Pick<FreshnessDelta, 'changes'>, nowMs: number): void {
    const elapsedMs = nowMs - this.#sinceMs
    if (elapsedMs >= KV_SETTLES_MS || elapsedMs < 0) {
      // A count of a longer time says less of the last minute.
      this.#countBefore = elapsedMs < 2 * KV_SETTLES_MS ? this.#count : 0
      this.#count = 0
      this.#sinceMs = nowMs
    }
    this.#count += changes.length / 2
  }

  /** True if a gate has forgotten so many changes by the time that others see a value in KV. */
  get isAboveKv(): boolean {
    return Math.max(this.#count, this.#countBefore) >= CHANGES_KEPT
  }
}

/** Returns true, once, if this use of the value is the one with which it is put into KV. */
export function takesToKv(kept: Shareable, rate: ChangeRate): boolean {
  if (kept.isShared || rate.isAboveKv) return false
  kept.isShared = true
  return true
}
