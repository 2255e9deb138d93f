/**
 * A write as it travels to the gate, and what comes back. Plain data, versioned like the leases.
 */
import type { Customer } from '../registry/customer.ts'
import type { Failure } from '../registry/failures.ts'
import type { Command, Effect } from '../registry/ports.ts'
import type { Policy } from './protocol.ts'

export interface WriteRequest {
  command: Command
  /** SHA-256 of the caller's secret; null for a bound Worker, whose deployer vouched for it. */
  credential: string | null
  /** Who a bound Worker says it is; a key speaks for itself. */
  caller: string | null
  requestId: string
  reason: string | null
}

/** What the RateLimit headers need. */
export interface LimitState {
  policy: Policy
  remaining: number
  fullInMs: number
}

export type WriteReply = { limits: LimitState } & (
  | { ok: true; customer: Customer; effect: Effect; actor: string; seq: number; bookmark: string }
  | { ok: false; failure: Failure }
)
