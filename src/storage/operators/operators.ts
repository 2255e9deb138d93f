/**
 * Stores operators, their keys and their sign-in links in D1. Every change is one batch with its entry in the audit, and
 * goes to the primary. Triggers keep the rules between rows (`operators/refusals.ts`).
 */
import { and, desc, eq, exists, lt, lte, type SQL, sql } from 'drizzle-orm'
import type { ResponseToStore } from '../../idempotency/idempotency.ts'
import type { OperatorStore } from '../../operators/ports.ts'
import { requireMet } from '../../registry/errors.ts'
import { newId } from '../../shared/ids.ts'
import type { Author } from '../../tenants/ports.ts'
import { openDatabase } from '../database.ts'
import { differsFrom } from '../differs.ts'
import { OPERATOR_SCOPE, responseStore, storeResponseStatements } from '../idempotency/records.ts'
import { meets } from '../precondition.ts'
import { operatorKeys, operatorSessions, operators, signInLinks } from '../schema/operator-tables.ts'
import { auditOf } from '../tenants/audit-writes.ts'
import { pageOf } from '../tenants/rows.ts'
import { attempt, falseIfNoOperator } from './attempt.ts'
import { copyOperators } from './copies.ts'
import { sessionStore } from './sessions.ts'

/**
 * `databases` are all by their numbers, the first with the directory. `author` is named in the audit for the changes made through this
 * store. A change of who may do what resolves when every database has it.
 */
export function operatorStore(databases: readonly D1Database[], author: Author): OperatorStore {
  const db = openDatabase(databases[0] as D1Database)
  const copied = async <T>(change: Promise<T>): Promise<T> => {
    const made = await change
    await copyOperators(databases)
    return made
  }
  const audit = auditOf(db, author, newId)
  const selectOperator = (id: string) => db.select().from(operators).where(eq(operators.id, id)).limit(1)
  const storing = (response: ResponseToStore | null) =>
    response ? storeResponseStatements(db, OPERATOR_SCOPE, response) : []

  return {
    ...responseStore(() => db, OPERATOR_SCOPE, attempt),
    ...sessionStore(db, audit, copied),

    insert: (operator, response) =>
      copied(
        attempt(async () => {
          await db.batch([
            db.insert(operators).values(operator),
            audit.created('operator', operator.createdAtMs, eq(operators.id, operator.id)),
            ...storing(response),
          ])
        }),
      ),

    get: (id) => attempt(async () => (await selectOperator(id))[0] ?? null),

    list: (page) =>
      attempt(async () => {
        const rows = await db
          .select()
          .from(operators)
          .where(page.afterId === null ? undefined : lt(operators.id, page.afterId))
          .orderBy(desc(operators.id))
          .limit(page.limit + 1)
        return pageOf(rows, page)
      }),

    update: (id, changes, precondition, nowMs) =>
      copied(
        attempt(async () => {
          const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
          const where = and(eq(operators.id, id), differsFrom(operators, given), meets(operators, precondition))
          const { begin, end } = audit.changed('operator.updated', 'operator', nowMs)
          const [[before], , , , [operator]] = await db.batch([
            selectOperator(id),
            begin(where),
            db
              .update(operators)
              .set({ ...given, updatedAtMs: nowMs, version: sql`${operators.version} + 1` })
              .where(where),
            end(eq(operators.id, id)),
            selectOperator(id),
          ])
          // One batch is one transaction, so the condition of the change met the operator in this state.
          if (before) requireMet(precondition, before, 'operator')
          return operator ?? null
        }),
      ),

    delete: (id, precondition, nowMs) =>
      copied(
        attempt(async () => {
          const where = and(eq(operators.id, id), meets(operators, precondition))
          const isDeleted = exists(db.select({ found: sql`1` }).from(operators).where(where))
          const [[before]] = await db.batch([
            selectOperator(id),
            audit.removed('operator.deleted', 'operator', nowMs, where),
            db.delete(operatorSessions).where(and(eq(operatorSessions.operatorId, id), isDeleted)),
            db.delete(signInLinks).where(and(eq(signInLinks.operatorId, id), isDeleted)),
            db.delete(operatorKeys).where(and(eq(operatorKeys.operatorId, id), isDeleted)),
            db.delete(operators).where(where),
          ])
          if (before) requireMet(precondition, before, 'operator')
          return before !== undefined
        }),
      ),

    insertKey: (key, response) =>
      falseIfNoOperator(async () => {
        await db.batch([
          db.insert(operatorKeys).values(key),
          audit.created('operatorKey', key.createdAtMs, eq(operatorKeys.id, key.id)),
          ...storing(response),
        ])
      }),

    listKeys: (operatorId) =>
      attempt(async () => {
        const [[operator], keys] = await db.batch([
          selectOperator(operatorId),
          db.select().from(operatorKeys).where(eq(operatorKeys.operatorId, operatorId)).orderBy(desc(operatorKeys.id)),
        ])
        return operator ? keys : null
      }),

    deleteKey: (operatorId, keyId, nowMs) =>
      copied(
        attempt(async () => {
          const where: SQL | undefined = and(eq(operatorKeys.id, keyId), eq(operatorKeys.operatorId, operatorId))
          const [[before]] = await db.batch([
            db.select({ id: operatorKeys.id }).from(operatorKeys).where(where),
            audit.removed('operator.key.revoked', 'operatorKey', nowMs, where),
            db
              .delete(operatorSessions)
              .where(and(eq(operatorSessions.operatorId, operatorId), eq(operatorSessions.keyId, keyId))),
            db.delete(operatorKeys).where(where),
          ])
          return before !== undefined
        }),
      ),

    insertLink: (link, response) =>
      falseIfNoOperator(async () => {
        const { operatorId, createdAtMs: nowMs } = link
        await db.batch([
          // Makes room. A link that has expired counts no more.
          db
            .delete(signInLinks)
            .where(and(eq(signInLinks.operatorId, operatorId), lte(signInLinks.expiresAtMs, nowMs))),
          db.insert(signInLinks).values(link),
          audit.created('signInLink', nowMs, eq(signInLinks.id, link.id)),
          ...storing(response),
        ])
      }),
  }
}
