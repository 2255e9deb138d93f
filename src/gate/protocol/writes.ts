/**
 * The messages of a write and of its reply. Plain data, under the version of the protocol.
 */
import type { Customer } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { Command, Effect, Idempotency } from '../../registry/ports.ts'
import type { Policy } from './leases.ts'
import type { Erased } from './write-store.ts'

/** When an isolate sent a message, by its own clock, and the id of its tally. */
export interface IsolateClock {
  sentAtMs: number
  isolate: string
}

export interface WriteRequest extends IsolateClock {
  command: Command
  /** SHA-256 of the caller's secret; null for a bound Worker, which its deployer has authorised. */
  credential: string | null
  /** Name of a bound Worker, as it gives it; a key has its own name. */
  caller: string | null
  requestId: string
  reason: string | null
  /** Absent from an isolate that runs older code. */
  idempotency?: Idempotency | null
}

/** The facts for the RateLimit headers. */
export interface LimitState {
  policy: Policy
  remaining: number
  fullInMs: number
}

/** `replayed`: the reply is that of an earlier request with the same idempotency key. */
export type WriteReply = { limits: LimitState; replayed?: true | undefined } & (
  | {
      ok: true
      customer: Customer
      effect: Effect
      erased?: Erased | undefined
      actor: string
      /** False if the caller's key may not read customers. True for a bound Worker, whose isolate knows its scopes. */
      mayRead: boolean
      seq: number
      bookmark: string
      /** After this time no isolate returns the value before the write, with or without the token. */
      strongInMs: number
    }
  /** `recoversInMs`: time until which the gate, after a restart, may admit what it refused now. */
  | { ok: false; failure: Failure; recoversInMs?: number }
)
