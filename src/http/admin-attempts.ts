/**
 * Decides when an address has sent too many wrong admin keys. Pure: `entrypoints/admin-guard.ts` stores the results.
 */
import { fnv1a } from '../shared/hash.ts'

export const FAILURES_MAX = 10
export const FAILURE_MEMORY_MS = 60_000

/**
 * Number of guard objects. An attacker could keep a single object busy, and could create any number of objects if each
 * address had its own.
 */
const GUARDS = 256

/** Returns the name of the guard object that counts the failures of an address. */
export function guardNameOf(address: string): string {
  return `admin:${(fnv1a(address) >>> 0) % GUARDS}`
}

/**
 * Returns the times of the failures that count after this wrong key, and how many milliseconds the address has to wait.
 * The wait is 0 if the address is not blocked.
 */
export function judgeFailure(failuresMs: number[], nowMs: number): { failuresMs: number[]; blockedMs: number } {
  const recent = failuresMs.filter((failedAtMs) => failedAtMs > nowMs - FAILURE_MEMORY_MS)
  const oldestMs = recent[0]
  // A blocked attempt is not counted, so an address that waits for `blockedMs` is not blocked any more.
  if (oldestMs !== undefined && recent.length >= FAILURES_MAX) {
    return { failuresMs: recent, blockedMs: oldestMs + FAILURE_MEMORY_MS - nowMs }
  }
  return { failuresMs: [...recent, nowMs], blockedMs: 0 }
}
