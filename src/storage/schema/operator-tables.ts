/**
 * The tables of operators, as Drizzle sees them: who they are, and what they prove it with. A secret is never stored, only
 * its SHA-256.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { ROLES } from '../../operators/operator.ts'

/** The people and scripts who run the deployment. */
export const operators = sqliteTable(
  'operators',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    email: text().notNull(),
    role: text({ enum: ROLES }).notNull(),
    /** The minute of the last request. Null before the first one. */
    lastSeenAtMs: integer('last_seen_at'),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    /** Rises with every change of name, address or role. The etag. */
    version: integer().notNull(),
  },
  (table) => [
    check('operators_role', sql`${table.role} IN ('viewer', 'support', 'admin', 'owner')`),
    // Two letters of other alphabets that look or fold alike are two addresses: one must never sign in as the other.
    uniqueIndex('operators_email').on(sql`email COLLATE NOCASE`),
  ],
)

/** Keys that operators and their scripts send as `x-api-key`. A revoked key has no row. */
export const operatorKeys = sqliteTable(
  'operator_keys',
  {
    id: text().primaryKey(),
    operatorId: text('operator_id')
      .notNull()
      .references(() => operators.id),
    name: text().notNull(),
    secretHash: text('secret_hash').notNull(),
    createdAtMs: integer('created_at').notNull(),
    expiresAtMs: integer('expires_at'),
    /** The minute of the last request. Null before the first one. */
    lastUsedAtMs: integer('last_used_at'),
  },
  (table) => [index('operator_keys_operator').on(table.operatorId)],
)

/** Sessions of the console. A session that was ended has no row. */
export const operatorSessions = sqliteTable(
  'operator_sessions',
  {
    id: text().primaryKey(),
    /** The operator. Null for a session that was made with an admin key. */
    operatorId: text('operator_id').references(() => operators.id),
    /** The key that it was made with, whose end is its end. */
    keyId: text('key_id'),
    /** The actor of the admin key that it was made with. */
    adminActor: text('admin_actor'),
    /** Recognises that admin key, see `operators/credential.ts`. */
    adminKeySeal: text('admin_key_seal'),
    secretHash: text('secret_hash').notNull(),
    createdAtMs: integer('created_at').notNull(),
    expiresAtMs: integer('expires_at').notNull(),
  },
  (table) => [
    check('operator_sessions_owner', sql`(${table.operatorId} IS NULL) = (${table.adminActor} IS NOT NULL)`),
    index('operator_sessions_operator').on(table.operatorId),
  ],
)

/** Links that sign an operator in once. A link that was used has no row. */
export const signInLinks = sqliteTable(
  'sign_in_links',
  {
    id: text().primaryKey(),
    operatorId: text('operator_id')
      .notNull()
      .references(() => operators.id),
    secretHash: text('secret_hash').notNull(),
    createdAtMs: integer('created_at').notNull(),
    expiresAtMs: integer('expires_at').notNull(),
  },
  (table) => [index('sign_in_links_operator').on(table.operatorId)],
)
