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

export function limitValues({ policy, remaining, fullInMs }: LimitState): LimitValues {
  const windowSeconds = Math.max(1, Math.ceil(policy.burst / policy.ratePerSecond))
  const left = Math.max(0, Math.floor(remaining))
  const resetSeconds = Math.ceil(fullInMs / 1000)
  return {
    policy: `"${policy.tier}";q=${policy.burst};w=${windowSeconds}`,
    left: `"${policy.tier}";r=${left};t=${resetSeconds}`,
    limit: String(policy.burst),
    remaining: String(left),
    resetSeconds: String(resetSeconds),
  }
}
