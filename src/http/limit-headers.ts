/**
 * The rate limit headers of a response: those of draft-ietf-httpapi-ratelimit-headers-11, and the older `x-ratelimit-*`
 * that more clients read. The limit (guarantee C1) is a token bucket, so the window is the time in which the burst
 * refills.
 */
import type { LimitState } from '../gate/protocol/writes.ts'

/** The values of the headers as text. */
export interface LimitValues {
  policy: string
  left: string
  limit: string
  remaining: string
  resetSeconds: string
}

/** The values of a policy, which is the same for all requests under a lease. */
const policies = new WeakMap<LimitState['policy'], Pick<LimitValues, 'policy' | 'limit'>>()

export function limitValues({ policy, remaining, fullInMs }: LimitState): LimitValues {
  let known = policies.get(policy)
  if (!known) {
    const windowSeconds = Math.max(1, Math.ceil(policy.burst / policy.ratePerSecond))
    known = { policy: `"${policy.tier}";q=${policy.burst};w=${windowSeconds}`, limit: String(policy.burst) }
    policies.set(policy, known)
  }
  const left = String(Math.max(0, Math.floor(remaining)))
  const resetSeconds = String(Math.ceil(fullInMs / 1000))
  return {
    policy: known.policy,
    left: `"${policy.tier}";r=${left};t=${resetSeconds}`,
    limit: known.limit,
    remaining: left,
    resetSeconds,
  }
}
