/**
 * Maps failures of D1 to `unavailable` (with a time to retry), to a full database or to `internal`, and logs them.
 * Stored responses pass through, and so do errors of a statement in `orUnavailable`: its caller may know the rule.
 */

import { AlreadyStored } from '../idempotency/idempotency.ts'
import type { Scope } from '../registry/customer.ts'
import { RegistryError, type ServiceFailure, UNAVAILABLE } from '../registry/errors.ts'
import { describeError, type LogLine, log } from '../shared/log.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'
import { uniqueOver } from './scoped.ts'

/** The unique key that refuses a batch whose idempotency key has a stored response. */
const ALREADY_STORED = uniqueOver('idempotency_records', 'key')

/**
 * The rule that refuses the change of an operator who was demoted or removed since the request was let in. The triggers
 * `operator_changes_in_force` and `admin_audit_in_force` apply it.
 */
export const NOT_IN_FORCE = 'operator_not_in_force'

/**
 * Logs a failure of D1 (or, with another error, of KV or a gate) and returns the failure for the caller: `internal` if
 * the statement is at fault and a repeat fails too, else one that says when to come again.
 */
export function storageFailure(error: unknown, facts: Omit<LogLine, 'event'>): ServiceFailure {
  const problem = classifyD1Error(error)
  const { kind } = problem
  if (isStatementFault(problem)) {
    log('error', { event: 'statement_failed', kind, error: describeError(error), ...facts })
    return { reason: 'internal' }
  }
  if (kind === 'moving') {
    log('info', { event: 'tenant_moving', ...facts })
    return UNAVAILABLE
  }
  const isFull = kind === 'full'
  log('error', { event: isFull ? 'database_full' : 'storage_failed', kind, error: describeError(error), ...facts })
  return isFull ? { reason: 'insufficient_storage' } : UNAVAILABLE
}

/** Returns true for D1's own error, and for the failure made of it. */
export function isDatabaseFull(error: unknown): boolean {
  if (error instanceof RegistryError) return error.failure.reason === 'insufficient_storage'
  return classifyD1Error(error).kind === 'full'
}

/** Returns true for the error of a statement that was refused because the tenant is being moved to another database. */
export function isTenantMoving(error: unknown): boolean {
  return classifyD1Error(error).kind === 'moving'
}

/**
 * Throws `RegistryError` for errors that the statement did not cause; the log line has `facts`. A `RegistryError` of the
 * work itself passes through.
 */
export async function orUnavailable<T>(work: () => Promise<T>, facts: Omit<LogLine, 'event'>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof RegistryError) throw error
    const problem = classifyD1Error(error)
    if (problem.kind === 'refused' && problem.rule === ALREADY_STORED) throw new AlreadyStored()
    if (problem.kind === 'refused' && problem.rule === NOT_IN_FORCE) throw new RegistryError({ reason: 'unauthorized' })
    if (isStatementFault(problem)) throw error
    throw new RegistryError(storageFailure(error, facts))
  }
}

/** Like `orUnavailable`, for one tenant and mode, which the log line names. */
export function orUnavailableIn({ tenantId, mode }: Scope) {
  return <T>(work: () => Promise<T>): Promise<T> => orUnavailable(work, { tenantId, mode })
}
