/** Stores in the directory how far the moves of tenants are. One row for each tenant: that of its last move. */
import { and, eq, isNull, lt, sql } from 'drizzle-orm'
import { newId } from '../../shared/ids.ts'
import { KEPT_MS, type Move } from '../../tenants/moves/move.ts'
import type { MoveStore } from '../../tenants/moves/ports.ts'
import type { Author } from '../../tenants/ports.ts'
import { type Database, openDatabase } from '../database.ts'
import { moves } from '../schema/move-tables.ts'
import { adminAudit, tenants } from '../schema/tenant-tables.ts'
import { rowsStatement } from '../statement-texts.ts'
import { orUnavailable } from '../unavailable.ts'

/** Moves that one run of the sweep goes on with. */
const IDLE_MAX = 20
/** A run sends the next one itself. The sweep does so when none has come for this long. */
const IDLE_AFTER_MS = 45_000

type MoveRow = typeof moves.$inferSelect

/** The states in which a move is not flipped, and can be taken back. */
const CAN_BE_ABORTED = sql`${moves.state} IN ('copying', 'catching_up', 'frozen')`

export function moveStore(directory: D1Database): MoveStore {
  const db = openDatabase(directory)
  const isOf = (tenantId: string) => eq(moves.tenantId, tenantId)
  const isMove = ({ tenantId, id, state }: Move) => and(isOf(tenantId), eq(moves.id, id), eq(moves.state, state))
  const attempt = <T>(work: () => Promise<T>) => orUnavailable(work, {})
  const found = async (tenantId: string) => {
    const [row] = await db.select().from(moves).where(isOf(tenantId))
    return row ? moveOf(row) : null
  }
  const foundNow = async (move: Move) => (await found(move.tenantId)) ?? move
  return {
    get: (tenantId) => attempt(() => found(tenantId)),

    begin: ({ tenantId, moveId, to, author, nowMs }) =>
      attempt(async () => {
        const mayBegin = sql`${tenants.id} = ${tenantId} AND ${tenants.deletedAtMs} IS NULL AND ${tenants.database} <> ${to}
          AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.tenant_id = ${tenantId} AND m.ended_at IS NULL)`
        const [, , [move], [tenant]] = await db.batch([
          audited(db, 'tenant.move.started', author, nowMs, to, mayBegin),
          rowsStatement(
            db,
            sql`
            INSERT INTO moves (tenant_id, id, from_database, to_database, state, actor, created_at, updated_at)
            SELECT id, ${moveId}, database_number, ${to}, 'copying', ${author.actor}, ${nowMs}, 0 FROM tenants WHERE ${mayBegin}
            ON CONFLICT (tenant_id) DO UPDATE SET id = excluded.id, from_database = excluded.from_database,
              to_database = excluded.to_database, state = excluded.state, copied = 0, copied_again = 0, problem = NULL,
              actor = excluded.actor, created_at = excluded.created_at, updated_at = 0, frozen_at = NULL, flipped_at = NULL,
              ended_at = NULL, claimed_until = 0`,
          ),
          db.select().from(moves).where(isOf(tenantId)),
          db
            .select({ database: tenants.database })
            .from(tenants)
            .where(and(eq(tenants.id, tenantId), isNull(tenants.deletedAtMs))),
        ])
        return { tenant: tenant ?? null, move: move ? moveOf(move) : null, isNew: move?.id === moveId }
      }),

    abort: (tenantId, author, nowMs) =>
      attempt(async () => {
        const mayAbort = sql`EXISTS (
          SELECT 1 FROM moves WHERE ${moves.tenantId} = ${tenants.id} AND ${CAN_BE_ABORTED}
        ) AND ${tenants.id} = ${tenantId}`
        const [, , [move]] = await db.batch([
          audited(db, 'tenant.move.aborted', author, nowMs, null, mayAbort),
          db
            .update(moves)
            .set({ state: 'aborting', problem: `aborted by ${author.actor}`, updatedAtMs: 0 })
            .where(and(isOf(tenantId), CAN_BE_ABORTED)),
          db.select().from(moves).where(isOf(tenantId)),
        ])
        return move ? moveOf(move) : null
      }),

    claim: (tenantId, nowMs, untilMs) =>
      attempt(async () => {
        const [row] = await db
          .update(moves)
          .set({ claimedUntilMs: untilMs, updatedAtMs: nowMs })
          .where(and(isOf(tenantId), isNull(moves.endedAtMs), lt(moves.claimedUntilMs, nowMs)))
          .returning()
        return row ? moveOf(row) : null
      }),

    note: (move, changes, nowMs, untilMs) =>
      attempt(async () => {
        await db.batch([
          db
            .update(moves)
            .set({ ...changes, updatedAtMs: nowMs, claimedUntilMs: untilMs })
            .where(isMove(move)),
          // A tenant may have been deleted while what it had left was kept.
          rowsStatement(
            db,
            sql`DELETE FROM moves WHERE tenant_id = ${move.tenantId} AND ended_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.id = ${move.tenantId})`,
          ),
        ])
        return foundNow({ ...move, ...changes })
      }),

    flip: (move, nowMs) =>
      attempt(async () => {
        const { tenantId, to, actor } = move
        const author = { actor, role: null, sessionId: null, requestId: null, reason: null }
        const isFrozen = sql`EXISTS (SELECT 1 FROM moves WHERE ${isMove(move)})`
        const isTenant = sql`${tenants.id} = ${tenantId} AND ${isFrozen}`
        // One transaction: an abort comes before all of it, or finds the move flipped.
        await db.batch([
          audited(db, 'tenant.moved', author, nowMs, to, isTenant),
          db
            .update(tenants)
            .set({ database: to, policyVersion: sql`${tenants.policyVersion} + 1` })
            .where(isTenant),
          db.update(moves).set({ state: 'flipped', flippedAtMs: nowMs, updatedAtMs: nowMs }).where(isMove(move)),
        ])
        return foundNow(move)
      }),

    release: ({ tenantId, id }) =>
      attempt(async () => {
        await db
          .update(moves)
          .set({ claimedUntilMs: 0 })
          .where(and(isOf(tenantId), eq(moves.id, id)))
      }),

    idle: (nowMs) =>
      attempt(async () => {
        const rows = await db
          .select({ tenantId: moves.tenantId })
          .from(moves)
          // In the words of the partial index, or SQLite would not use it.
          .where(
            and(
              sql`ended_at IS NULL`,
              lt(moves.updatedAtMs, nowMs - IDLE_AFTER_MS),
              lt(moves.claimedUntilMs, nowMs),
              sql`NOT (${moves.state} = 'cleaning' AND ${moves.flippedAtMs} > ${nowMs - KEPT_MS})`,
            ),
          )
          .limit(IDLE_MAX)
        return rows.map(({ tenantId }) => tenantId)
      }),
  }
}

/** Returns the statement that records the deed if the condition selects the tenant. It goes before the change. */
function audited(
  db: Database,
  type: 'tenant.move.started' | 'tenant.move.aborted' | 'tenant.moved',
  author: Author,
  nowMs: number,
  to: number | null,
  where: ReturnType<typeof sql>,
) {
  const text = (value: string | null) => sql<string | null>`${value}`
  return db.insert(adminAudit).select(
    db
      .select({
        id: sql<string>`${newId('event', nowMs)}`.as('id'),
        type: sql<typeof type>`${type}`.as('type'),
        tenantId: tenants.id,
        keyId: sql<null>`NULL`.as('key_id'),
        actor: sql<string>`${author.actor}`.as('actor'),
        requestId: text(author.requestId).as('request_id'),
        reason: text(author.reason).as('reason'),
        before: sql<Record<string, unknown>>`json_object('database', ${tenants.database})`.as('before'),
        after: sql<Record<
          string,
          unknown
        > | null>`iif(${to} IS NULL, NULL, json_object('database', CAST(${to} AS INTEGER)))`.as('after'),
        createdAtMs: sql<number>`${nowMs}`.as('created_at'),
        operatorId: sql<null>`NULL`.as('operator_id'),
        role: text(author.role).as('role'),
        sessionId: text(author.sessionId).as('session_id'),
      })
      .from(tenants)
      .where(where),
  )
}

function moveOf({ fromDatabase, toDatabase, claimedUntilMs: _claimed, ...row }: MoveRow): Move {
  return { ...row, from: fromDatabase, to: toDatabase }
}
