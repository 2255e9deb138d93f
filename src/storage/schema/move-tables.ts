/**
 * The tables of moves of tenants from one database to another, as Drizzle sees them. `moves` stands in the directory; the others
 * are in the databases of the tenants, and empty while no tenant is moved.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { MOVE_STATES } from '../../tenants/moves/move.ts'

/** The last move of a tenant: between which databases, and how far it is. */
export const moves = sqliteTable(
  'moves',
  {
    tenantId: text('tenant_id').primaryKey(),
    id: text().notNull(),
    fromDatabase: integer('from_database').notNull(),
    toDatabase: integer('to_database').notNull(),
    state: text({ enum: MOVE_STATES }).notNull(),
    /** Rows that were copied, and those that were copied again because they had changed. */
    copied: integer().notNull().default(0),
    copiedAgain: integer('copied_again').notNull().default(0),
    /** The reason why it was aborted, or why its last step failed. */
    problem: text(),
    /** The operator who began it. */
    actor: text().notNull(),
    createdAtMs: integer('created_at').notNull(),
    /** When a run last did something for it. */
    updatedAtMs: integer('updated_at').notNull(),
    frozenAtMs: integer('frozen_at'),
    flippedAtMs: integer('flipped_at'),
    endedAtMs: integer('ended_at'),
    /** Until then one run does its steps, and no other begins. */
    claimedUntilMs: integer('claimed_until').notNull().default(0),
  },
  (table) => [index('moves_under_way').on(table.tenantId).where(sql`ended_at IS NULL`)],
)

/** In the database that a tenant is moved to, as long as its rows there are a copy: triggers make nothing of them. */
export const arrivingTenants = sqliteTable('arriving_tenants', {
  tenantId: text('tenant_id').primaryKey(),
  moveId: text('move_id').notNull(),
  /** `removed`: the move was aborted, and the copy is being deleted. */
  state: text({ enum: ['copied', 'removed'] }).notNull(),
  /** JSON: how far the copy is. A step is done only if it stands as the step read it. */
  position: text().notNull(),
})

/** In the database that a tenant is moved from. */
export const leavingTenants = sqliteTable('leaving_tenants', {
  tenantId: text('tenant_id').primaryKey(),
  moveId: text('move_id').notNull(),
  /**
   * `copied`: triggers note what changes. `frozen`: they refuse every change. `removed`: they let rows be deleted, and refuse
   * the other changes.
   */
  state: text({ enum: ['copied', 'frozen', 'removed'] }).notNull(),
  /** The number of the last change that was noted. */
  changes: integer().notNull().default(0),
})

/** The keys of rows that changed while their tenant is copied. */
export const movingChanges = sqliteTable(
  'moving_changes',
  {
    tenantId: text('tenant_id').notNull(),
    number: integer().notNull(),
    ofTable: text('of_table').notNull(),
    rowKey: text('row_key').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.number] })],
)
