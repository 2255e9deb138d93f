/**
 * A write as it travels to the gate, and what comes back. Plain data, under the version of the protocol.
 */
import type { Customer } from '../registry/customer.ts'
import type { Failure } from '../registry/failures.ts'
import type { Command, Effect, Idempotency } from '../registry/ports.ts'
import type { Policy } from './protocol.ts'
import type { Erased } from './write-store.ts'

export interface WriteRequest {
  command: Command
  /** SHA-256 of the caller's secret; null for a bound Worker, whose deployer vouched for it. */
  credential: string | null
  /** Who a bound Worker says it is; a key speaks for itself. */
  caller: string | null
  requestId: string
  reason: string | null
  /** Absent from an isolate that runs older code. */
  idempotency?: Idempotency | null
}

/** What the RateLimit headers need. */
export interface LimitState {
  policy: Policy
  remaining: number
  fullInMs: number
}

/** `replayed`: what an earlier request with the same idempotency key was answered. */
export type WriteReply = { limits: LimitState; replayed?: true | undefined } & (
  | {
      ok: true
      customer: Customer
      effect: Effect
      erased?: Erased | undefined
      actor: string
      seq: number
      bookmark: string
      /** After this no isolate answers what was before, whether or not it is shown the token. */
      strongInMs: number
    }
  /** `recoversInMs`: the gate has restarted and may admit what it refused now by then. */
  | { ok: false; failure: Failure; recoversInMs?: number }
)
