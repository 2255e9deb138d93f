/**
 * Finds the result of a write that the database refused when it was alone in its batch: the failure of the rule, or the
 * change itself if it was committed before.
 */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { CommitResult, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import { fail, UNAVAILABLE } from '../../registry/errors.ts'
import type { Command } from '../../registry/ports.ts'
import { classifyD1Error } from '../d1-errors.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { inScope, uniqueOver } from '../scoped.ts'
import { storageFailure } from '../unavailable.ts'
import { customerIdOf, EFFECTS } from './commands.ts'
import { readCustomer } from './reads.ts'
import { failureOfRule } from './refused-rules.ts'

/** How SQLite names the unique index of external ids, whose columns are in an order of their own. */
const EXTERNAL_ID_TAKEN = 'customers.external_id, customers.tenant_id, customers.mode'

/** Returns the result of a change that the database refused when it was alone in its batch. */
export async function resultOfRefusal(
  db: Database,
  scope: Scope,
  write: PreparedWrite,
  error: unknown,
): Promise<CommitResult> {
  const problem = classifyD1Error(error)
  const rule = problem.kind === 'refused' ? problem.rule : problem.kind
  const failure = failureOfRule(rule)
  if (failure) return fail(failure)
  switch (rule) {
    case EXTERNAL_ID_TAKEN:
      return externalIdTaken(db, scope, write.command)
    case uniqueOver('customers', 'id'):
    case uniqueOver('events', 'id'): {
      // The gate made the id for this one change. So it was committed before, and the customer has changed since.
      const customer = await readCustomer(db, scope, customerIdOf(write.command))
      if (customer) return { ok: true, customer, effect: EFFECTS[write.command.kind], changeId: write.changeId }
    }
  }
  return fail(storageFailure(error, { requestId: write.requestId, ...scope }))
}

/**
 * Returns the refusal of a new external id that is in use, or of a restored customer whose own external id is in use.
 */
async function externalIdTaken(db: Database, scope: Scope, command: Command): Promise<CommitResult> {
  const own = alias(customers, 'own')
  const given = 'changes' in command ? command.changes?.externalId : undefined
  const wanted =
    given !== undefined
      ? sql`${given}`
      : sql`(${db
          .select({ externalId: own.externalId })
          .from(own)
          .where(and(inScope(own, scope), eq(own.id, customerIdOf(command))))})`
  const [holder] = await db
    .select({ customerId: customers.id, externalId: customers.externalId })
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.externalId, wanted), isNull(customers.archivedAtMs)))
    .limit(1)
  // The holder gave the external id up since the refusal, so a repeat will find it free.
  if (!holder) return fail(UNAVAILABLE)
  return fail({ reason: 'external_id_taken', ...holder })
}
