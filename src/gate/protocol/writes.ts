/**
 * The messages of a write and of its reply. Plain data, under the version of the protocol.
 */
import type { Customer } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { MergeReport } from '../../registry/merge.ts'
import type { Command, Effect, Idempotency } from '../../registry/ports.ts'
import type { ContestedField } from '../../registry/revert.ts'
import type { Policy } from './leases.ts'
import type { Erased, Unmerged } from './write-store.ts'

/** When an isolate sent a message, by its own clock, and the id of its tally. */
export interface IsolateClock {
  sentAtMs: number
  isolate: string
}

/** The operator who makes a change as the tenant, as the isolate checked it on the D1 primary. */
export interface SendingOperator {
  role: string
  /** The session of the console; null for one that uses a key or Cloudflare Access. */
  sessionId: string | null
}

/** The sender of a change. */
export interface Sending {
  /** SHA-256 of the caller's secret; null for a bound Worker, which its deployer has authorised, and for an operator. */
  credential: string | null
  /** Name of a bound Worker, as it gives it, or the actor of an operator; a key has its own name. */
  caller: string | null
  /** Absent for any other caller, and from an isolate that runs older code. */
  operator?: SendingOperator | null
  requestId: string
  reason: string | null
}

export interface WriteRequest extends Sending, IsolateClock {
  command: Command
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
      merge?: MergeReport | undefined
      unmerged?: Unmerged | undefined
      /** All customers that the change concerns, if they are more than `customer`. */
      changedIds?: string[] | undefined
      /** The fields in which the customer is not what it was, after a revert. */
      left?: ContestedField[] | undefined
      actor: string
      /** False if the caller's key may not read customers. True for a bound Worker, whose isolate knows its scopes. */
      mayRead: boolean
      seq: number
      bookmark: string
      /**
       * The customer shows every write up to this number. Absent if it may lack an earlier one, or another one of the same batch,
       * and from a gate that runs older code.
       */
      asof?: number
      /** After this time no isolate returns the value before the write, with or without the token. */
      strongInMs: number
    }
  /** `recoversInMs`: time until which the gate, after a restart, may admit what it refused now. */
  | { ok: false; failure: Failure; recoversInMs?: number }
)
