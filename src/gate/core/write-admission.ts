/**
 * A gate's decision about a write, before any of it is sent to D1.
 */
import type { Failure } from '../../registry/errors.ts'
import type { Policy, Verdict } from '../protocol/leases.ts'
import type { LimitState } from '../protocol/writes.ts'

/** The scope that a key needs to write. */
export const WRITE_SCOPE = 'customers:write'

/** The scope that a key needs to get the whole customer in return. */
export const READ_SCOPE = 'customers:read'

export type WriteRefusal = 'rate_limited' | 'annual_limit' | 'suspended' | 'unknown_key' | 'missing_scope' | 'no_tenant'

/** `Ticket` is null for an operator, who takes no permit. */
export type WriteAdmission<Ticket extends number | null = number> =
  /** `ticket` goes with the write into `beginWrite`, so that a restart counts it exactly once. */
  | {
      admitted: true
      policy: Policy
      verdict: Verdict | null
      ticket: Ticket
      remaining: number
      fullInMs: number
    }
  /** `recoversInMs`: until when this gate, after a restart, grants less than the limit. */
  | {
      admitted: false
      policy: Policy
      reason: WriteRefusal
      retryAfterMs: number
      recoversInMs: number
      remaining: number
      fullInMs: number
    }

export interface Intent {
  /** Tags of everything that the batch may change. `LIST_TAG` is added to them. */
  tags: readonly string[]
  /** By D1's clock. */
  deadlineMs: number
  /** The tickets of the writes in the batch. */
  tickets: readonly number[]
}

/** Returns whether the caller may see the customer that it writes. A bound Worker has no verdict: its isolate decides. */
export function mayRead(verdict: Verdict | null): boolean {
  return verdict === null || (verdict.known && verdict.scopes.includes(READ_SCOPE))
}

/** Returns the remaining permits of a caller, for the RateLimit headers. */
export function limitsOf({ policy, remaining, fullInMs }: WriteAdmission<number | null>): LimitState {
  return { policy, remaining, fullInMs }
}

/** Returns the error response for a refusal. */
export function failureOf(reason: WriteRefusal, retryAfterMs: number): Failure {
  switch (reason) {
    case 'rate_limited':
      return { reason, retryAfterMs }
    case 'annual_limit':
      return { reason: 'annual_limit_reached', retryAfterMs }
    case 'suspended':
      return { reason: 'tenant_suspended' }
    case 'unknown_key':
      return { reason: 'unauthorized' }
    case 'missing_scope':
      return { reason, scope: WRITE_SCOPE }
    case 'no_tenant':
      return { reason: 'not_found', resource: 'tenant' }
  }
}
