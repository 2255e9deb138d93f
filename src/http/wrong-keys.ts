/**
 * Counts the wrong credentials of operators. After ten from one address within a minute, further ones get 429. A right
 * one is always accepted, because others may share its address.
 */
import { LRUCache } from 'lru-cache'
import type { Bindings } from '../env.ts'
import { describeError, log } from '../shared/log.ts'
import { guardOf, judgeFailure, networksOf } from './admin-attempts.ts'

const NETWORKS_MAX = 1_000

/** This isolate's state for a network: the times of its wrong keys, and the time until which it is blocked. */
interface Failures {
  failuresMs: number[]
  blockedUntilMs: number
}

/** Returns a function that counts wrong keys, with a memory of its own for this isolate. */
export function wrongKeyCounter() {
  const known = new LRUCache<string, Failures>({ max: NETWORKS_MAX })

  /** Counts a wrong key. Returns how many milliseconds its address has to wait, or 0 if it is not blocked. */
  return async function countWrongKey(
    address: string | null,
    nowMs: number,
    requestId: string,
    { adminGuards, signingSecrets }: Bindings,
  ): Promise<number> {
    const networks = networksOf(address)
    // The isolate counts first, so a flood of wrong keys makes few calls to the guard a minute in each isolate.
    const judged = networks.map(({ network, failuresMax }) => {
      const before = known.get(network)
      if (before && before.blockedUntilMs > nowMs) return { ...before, blockedMs: before.blockedUntilMs - nowMs }
      return judgeFailure(before?.failuresMs ?? [], nowMs, failuresMax)
    })
    const blockedMs = Math.max(...judged.map((one) => one.blockedMs))
    if (blockedMs > 0) return blockedMs
    for (const [at, { network }] of networks.entries()) {
      known.set(network, { failuresMs: judged[at]?.failuresMs ?? [], blockedUntilMs: nowMs })
    }
    try {
      // readEnv requires at least one secret.
      const guard = await guardOf(networks, signingSecrets[0] as string)
      const byGuardMs = await adminGuards.getByName(guard.name).countFailure(guard.networks)
      const narrowest = networks.at(-1)?.network ?? ''
      const failures = known.get(narrowest)
      if (byGuardMs > 0 && failures) failures.blockedUntilMs = nowMs + byGuardMs
      return byGuardMs
    } catch (error) {
      // This isolate has counted the guess, so it was not free.
      log('error', { event: 'admin_guard_failed', requestId, error: describeError(error) })
      return 0
    }
  }
}
