/** Stores the sessions of the console, and deletes them with the sign-in links once they have expired. */
import { and, desc, eq, inArray, lte, sql } from 'drizzle-orm'
import { encodeTime } from 'ulid'
import { SESSION_TTL_MS, SESSIONS_MAX, SIGN_IN_LINK_TTL_MS } from '../../operators/operator.ts'
import type { OperatorStore } from '../../operators/ports.ts'
import { CHUNK_ROWS_MAX, inChunks } from '../chunks.ts'
import { type Database, openDatabase } from '../database.ts'
import { operatorSessions, signInLinks } from '../schema/operator-tables.ts'
import type { auditOf } from '../tenants/audit-writes.ts'
import { attempt, falseIfNoOperator } from './attempt.ts'

type SessionStore = Pick<OperatorStore, 'startSession' | 'startSessionByLink' | 'endSession'>
type Audit = ReturnType<typeof auditOf>

/** `copied` resolves when every database has a change of the sessions. */
export function sessionStore(db: Database, audit: Audit, copied: <T>(change: Promise<T>) => Promise<T>): SessionStore {
  const isSession = (id: string) => eq(operatorSessions.id, id)

  /** Ends the session that the new one replaces, and the oldest ones of the same operator or admin key if there are too many. */
  function ending(operatorId: string | null, nowMs: number, replacedId: string | null) {
    const { id, operatorId: owner } = operatorSessions
    // Sessions of all admin keys count together.
    const isOfOwner = sql`${owner} IS ${operatorId}`
    const newest = db.select({ id }).from(operatorSessions).where(isOfOwner).orderBy(desc(id)).limit(SESSIONS_MAX)
    const isReplaced = replacedId === null ? sql`0` : isSession(replacedId)
    return [
      audit.removed('operator.session.ended', 'session', nowMs, isReplaced),
      db.delete(operatorSessions).where(isReplaced),
      db.delete(operatorSessions).where(and(isOfOwner, sql`${id} NOT IN (SELECT id FROM ${newest})`)),
    ] as const
  }

  return {
    startSession: (session, replacedId) =>
      copied(
        falseIfNoOperator(async () => {
          const { id, operatorId, createdAtMs: nowMs } = session
          await db.batch([
            db.insert(operatorSessions).values(session),
            audit.created('session', nowMs, isSession(id)),
            ...ending(operatorId, nowMs, replacedId),
          ])
        }),
      ),

    startSessionByLink: (session, linkId, replacedId) =>
      copied(
        attempt(async () => {
          const { id, operatorId, createdAtMs: nowMs } = session
          const [, , , , , , [started]] = await db.batch([
            db.insert(operatorSessions).select(
              db
                .select({
                  id: sql<string>`${id}`.as('id'),
                  operatorId: signInLinks.operatorId,
                  keyId: sql<null>`NULL`.as('key_id'),
                  adminActor: sql<null>`NULL`.as('admin_actor'),
                  adminKeySeal: sql<null>`NULL`.as('admin_key_seal'),
                  secretHash: sql<string>`${session.secretHash}`.as('secret_hash'),
                  createdAtMs: sql<number>`${nowMs}`.as('created_at'),
                  expiresAtMs: sql<number>`${session.expiresAtMs}`.as('expires_at'),
                })
                .from(signInLinks)
                .where(eq(signInLinks.id, linkId)),
            ),
            audit.created('session', nowMs, isSession(id)),
            db.delete(signInLinks).where(eq(signInLinks.id, linkId)),
            ...ending(operatorId, nowMs, replacedId),
            db.select({ id: operatorSessions.id }).from(operatorSessions).where(isSession(id)),
          ])
          return started !== undefined
        }),
      ),

    endSession: (id, nowMs) =>
      copied(
        attempt(async () => {
          await db.batch([
            audit.removed('operator.session.ended', 'session', nowMs, isSession(id)),
            db.delete(operatorSessions).where(isSession(id)),
          ])
        }),
      ),
  }
}

/**
 * Deletes sessions and links that have expired. Their ids begin with the time they were made, and each lives at most as long as
 * its kind, so no index by end is needed.
 */
export async function sweepOperatorSessions(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const sweep = (table: typeof operatorSessions | typeof signInLinks, prefix: string, ttlMs: number) =>
    inChunks(() => {
      const madeBefore = `${prefix}_${encodeTime(Math.max(0, nowMs - ttlMs), ULID_TIME_LENGTH)}`
      const expired = db.select({ id: table.id }).from(table).where(lte(table.id, madeBefore)).limit(CHUNK_ROWS_MAX)
      return db.delete(table).where(inArray(table.id, expired))
    })
  await sweep(operatorSessions, 'ses', SESSION_TTL_MS)
  await sweep(signInLinks, 'sil', SIGN_IN_LINK_TTL_MS)
}

const ULID_TIME_LENGTH = 10
