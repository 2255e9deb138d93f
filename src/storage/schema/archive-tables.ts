/** The tables of the archive, as Drizzle sees them; tables.ts says what Drizzle cannot express. */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** An object of the archive: events of a tenant and mode that follow each other, all of one day. */
export const archiveObjects = sqliteTable(
  'archive_objects',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    lastId: text('last_id').notNull(),
    firstId: text('first_id').notNull(),
    /** The key of the object in R2. */
    name: text().notNull(),
    events: integer().notNull(),
    bytes: integer().notNull(),
    /** The times of the oldest and the newest change. */
    firstAtMs: integer('first_at').notNull(),
    lastAtMs: integer('last_at').notNull(),
    /** The filter of its customers, see archive/customer-filter.ts. */
    customers: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.lastId] }),
    index('archive_objects_ends').on(table.lastId, table.firstId),
  ],
)

/** One row: the objects of this database, their events and bytes. Maintained by triggers. */
export const archiveTotals = sqliteTable(
  'archive_totals',
  {
    id: integer().primaryKey(),
    objects: integer().notNull(),
    events: integer().notNull(),
    bytes: integer().notNull(),
  },
  (table) => [check('archive_totals_one_row', sql`${table.id} = 1`)],
)

/** A time for which a customer was merged into another one, see archive/stays.ts. Triggers write it with the events. */
export const customerStays = sqliteTable(
  'customer_stays',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    hostId: text('host_id').notNull(),
    customerId: text('customer_id').notNull(),
    aboveVersion: integer('above_version').notNull(),
    untilVersion: integer('until_version'),
    sinceMs: integer('since').notNull(),
    untilMs: integer('until_at'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.hostId, table.customerId, table.aboveVersion] }),
    index('customer_stays_customer').on(table.tenantId, table.mode, table.customerId),
  ],
)

/** A customer that gave up an external id, of events that are in the archive. */
export const formerExternalIds = sqliteTable(
  'former_external_ids',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    externalId: text('external_id').notNull(),
    leftAtMs: integer('left_at').notNull(),
    customerId: text('customer_id').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.externalId, table.leftAtMs, table.customerId] }),
    index('former_external_ids_customer').on(table.tenantId, table.mode, table.customerId),
  ],
)
