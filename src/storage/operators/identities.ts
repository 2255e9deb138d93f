/**
 * Looks up on the D1 primary whom a credential belongs to. A replica may not have heard that an operator was removed, so
 * none is read.
 */
import { and, eq, gt, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import type { OperatorIdentities } from '../../operators/ports.ts'
import { openDatabase } from '../database.ts'
import { operatorKeys, operatorSessions, operators, signInLinks } from '../schema/operator-tables.ts'
import { attempt } from './attempt.ts'

export function operatorIdentities(d1: D1Database): OperatorIdentities {
  const db = openDatabase(d1)
  return {
    ofKey: ({ id, secretHash }, nowMs) =>
      attempt(async () => {
        const { expiresAtMs } = operatorKeys
        const [found] = await db
          .select({ operator: operators, key: operatorKeys })
          .from(operatorKeys)
          .innerJoin(operators, eq(operators.id, operatorKeys.operatorId))
          .where(
            and(
              eq(operatorKeys.id, id),
              eq(operatorKeys.secretHash, secretHash),
              or(isNull(expiresAtMs), gt(expiresAtMs, nowMs)),
            ),
          )
        return found ?? null
      }),

    ofSession: ({ id, secretHash }, nowMs) =>
      attempt(async () => {
        const [found] = await db
          .select({ session: operatorSessions, operator: operators })
          .from(operatorSessions)
          .leftJoin(operators, eq(operators.id, operatorSessions.operatorId))
          .where(
            and(
              eq(operatorSessions.id, id),
              eq(operatorSessions.secretHash, secretHash),
              gt(operatorSessions.expiresAtMs, nowMs),
              // A session that is begun while its key is revoked is stored after the others of the key were deleted.
              sql`(key_id IS NULL OR EXISTS (SELECT 1 FROM operator_keys k WHERE k.id = key_id))`,
            ),
          )
        return found ?? null
      }),

    ofLink: ({ id, secretHash }, nowMs) =>
      attempt(async () => {
        const [found] = await db
          .select({ operator: operators })
          .from(signInLinks)
          .innerJoin(operators, eq(operators.id, signInLinks.operatorId))
          .where(
            and(eq(signInLinks.id, id), eq(signInLinks.secretHash, secretHash), gt(signInLinks.expiresAtMs, nowMs)),
          )
        return found?.operator ?? null
      }),

    ofEmail: (email) =>
      attempt(async () => {
        const [operator] = await db.select().from(operators).where(sql`email = ${email} COLLATE NOCASE`)
        return operator ?? null
      }),

    touch: (operatorId, keyId, minuteMs) =>
      attempt(async () => {
        const { lastSeenAtMs } = operators
        const { lastUsedAtMs } = operatorKeys
        await db.batch([
          db
            .update(operators)
            .set({ lastSeenAtMs: minuteMs })
            .where(and(eq(operators.id, operatorId), isBefore(lastSeenAtMs, minuteMs))),
          db
            .update(operatorKeys)
            .set({ lastUsedAtMs: minuteMs })
            .where(and(eq(operatorKeys.id, keyId ?? ''), isBefore(lastUsedAtMs, minuteMs))),
        ])
      }),
  }
}

function isBefore(
  column: typeof operators.lastSeenAtMs | typeof operatorKeys.lastUsedAtMs,
  timeMs: number,
): SQL | undefined {
  return or(isNull(column), lt(column, timeMs))
}
