/**
 * Records the role and session of an operator beside the events of its changes, in the transaction that made them. A
 * trigger then refuses the whole transaction if the operator may not do this any more: it was demoted, removed or signed
 * out since its request was let in.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { SendingOperator } from '../../gate/protocol/writes.ts'
import type { Scope } from '../../registry/customer.ts'
import { openDatabase } from '../database.ts'

/** Returns the insertion to run after the changes. A change that was not made has no event, and gets no row. */
export function recordOperator(
  { tenantId, mode }: Scope,
  changeIds: readonly string[],
  { role, sessionId }: SendingOperator,
): SQL {
  return sql`INSERT INTO operator_changes (tenant_id, mode, event_id, role, session_id)
    SELECT e.tenant_id, e.mode, e.id, ${role}, ${sessionId} FROM json_each(${JSON.stringify(changeIds)}) c
    CROSS JOIN events e ON e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.id = c.value WHERE 1
    ON CONFLICT DO NOTHING`
}

/** Returns the same as a statement of this session. */
export function recordOperatorIn(
  session: D1DatabaseSession,
  scope: Scope,
  changeIds: readonly string[],
  operator: SendingOperator,
): D1PreparedStatement {
  const { sql: text, params } = openDatabase(session)
    .all(recordOperator(scope, changeIds, operator))
    .getQuery()
  return session.prepare(text).bind(...params)
}
