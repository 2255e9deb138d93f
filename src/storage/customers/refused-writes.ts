/**
 * Finds the result of a write that the database refused when it was alone in its batch: the failure of the rule, or the
 * change itself if it was committed before.
 */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { CommitResult, PreparedCommand, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import { fail, UNAVAILABLE } from '../../registry/errors.ts'
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

/** The rules by which a change is planned, by its kind. */
const TAKEN = [EXTERNAL_ID_TAKEN, uniqueOver('integration_mappings', 'provider', 'entity_id')]
const PLANNED_RULES: Partial<Record<PreparedCommand['kind'], ReadonlySet<string>>> = {
  revert: new Set([
    ...TAKEN,
    ...['parent_not_found', 'parent_cycle', 'parent_too_deep', 'too_many_descendants', 'has_children'],
  ]),
  unmerge: new Set([...TAKEN, 'parent_not_found']),
}

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
  // It is planned by these rules: another change came between, and it is planned anew.
  const targetMoved = PLANNED_RULES[write.command.kind]?.has(rule)
  if (failure) return { ...fail(failure), ...(targetMoved && { targetMoved }) }
  if (targetMoved) return { ...fail(UNAVAILABLE), targetMoved }
  switch (rule) {
    case EXTERNAL_ID_TAKEN:
      return externalIdTaken(db, scope, write.command)
    case uniqueOver('customers', 'id'):
    case uniqueOver('events', 'id'): {
      // The gate made the id for this one change. So it was committed before, and the customer has changed since.
      const customer = await readCustomer(db, scope, customerIdOf(write.command))
      if (!customer) break
      const { command, changeId } = write
      const merge = command.kind === 'merge' ? command.plan?.report : undefined
      return { ok: true, customer, effect: EFFECTS[command.kind], changeId, merge }
    }
  }
  return fail(storageFailure(error, { requestId: write.requestId, ...scope }))
}

/**
 * Returns the refusal of a new external id that is in use, or of a restored customer whose own external id is in use.
 */
async function externalIdTaken(db: Database, scope: Scope, command: PreparedCommand): Promise<CommitResult> {
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
