/**
 * The tables beside the full-text index of customers, as Drizzle sees them. The index itself, its triggers and the view
 * that says what is in it are in `migrations/0007_search.sql`, because Drizzle cannot express them.
 */
import { sql } from 'drizzle-orm'
import { check, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { tenants } from './tenant-tables.ts'

/** The number of a tenant, which begins each of its tokens in the index. Maintained by triggers. */
export const searchScopes = sqliteTable(
  'search_scopes',
  {
    tenantId: text('tenant_id')
      .primaryKey()
      .references(() => tenants.id),
    number: integer().notNull(),
  },
  (table) => [
    uniqueIndex('search_scopes_number').on(table.number),
    uniqueIndex('search_scopes_code').on(sql`printf('%05x', number)`),
    check('search_scopes_number', sql`${table.number} BETWEEN 1 AND 1048575`),
  ],
)

/**
 * One row, or none before the first customer is gone: the merges of the index, each with its number. `owed` is raised by triggers,
 * see `customers/removed-words.ts`.
 */
export const searchMerges = sqliteTable(
  'search_merges',
  {
    id: integer().primaryKey(),
    owed: integer().notNull(),
    begun: integer().notNull(),
    done: integer().notNull(),
    begunAtMs: integer('begun_at').notNull(),
  },
  (table) => [check('search_merges_one_row', sql`${table.id} = 1`)],
)

/**
 * The rowid of each customer in the index: its place in the order of creation. Maintained by triggers. The view `customer_numbers`
 * has the tenant and the mode instead of the scope.
 */
export const customerPlaces = sqliteTable(
  'customer_places',
  {
    id: text().notNull(),
    /** Twice the number of the tenant, and one more in test mode. */
    scope: integer().notNull(),
    number: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.id, table.scope] })],
)
