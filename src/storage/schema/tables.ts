/**
 * The D1 schema of customers and their events as Drizzle sees it: names, types, keys and checks. What SQLite has and
 * Drizzle cannot express (WITHOUT ROWID, triggers) is in `migrations/`. `src/storage/README.md` says who writes and reads
 * each table and how long a row lives.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { EVENT_TYPES } from '../../events/catalogue.ts'
import type { Integration } from '../../registry/customer.ts'
import type { CUSTOMER_FIELDS, CustomerFieldName, TextsOfDocument } from '../../registry/customer-fields.ts'
import type { Failure } from '../../registry/errors.ts'
import type { MergeGift } from '../../registry/merge.ts'
import { tenants } from './tenant-tables.ts'

/** The registry. One row is one whole customer: no read needs a join. */
export const customers = sqliteTable(
  'customers',
  {
    tenantId: text('tenant_id')
      .notNull()
      .references(() => tenants.id),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    id: text().notNull(),
    externalId: text('external_id').notNull(),
    name: text(),
    email: text(),
    /** The address with its domain in ASCII, if the domain has other characters. Look-ups compare it. */
    emailAscii: text('email_ascii'),
    contact: text(),
    addressLine1: text('address_line1'),
    addressLine2: text('address_line2'),
    addressCity: text('address_city'),
    addressState: text('address_state'),
    addressPostalCode: text('address_postal_code'),
    addressCountry: text('address_country'),
    timezone: text().notNull(),
    parentId: text('parent_id'),
    metadata: text({ mode: 'json' }).$type<Record<string, string>>().notNull(),
    /** `[{provider, id, details?}]`. The triggers mirror it into `integration_mappings`, which makes an entity unique. */
    integrations: text({ mode: 'json' }).$type<Integration[]>().notNull(),
    /** Fields that only the FlatPeak API has, under its names. */
    profile: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    status: text({ enum: ['published', 'draft'] }).notNull(),
    archivedAtMs: integer('archived_at'),
    /** Set when the customer was erased. The row then has only its id and these stamps, and is archived too. */
    erasedAtMs: integer('erased_at'),
    /** The customer that this one was merged into, at the end of the chain. The row is archived then, and no API shows it. */
    mergedInto: text('merged_into'),
    version: integer().notNull(),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    createdBy: text('created_by').notNull(),
    updatedBy: text('updated_by').notNull(),
    /** The change that made this version: the id of its row in `events`, which the triggers write. */
    changeId: text('change_id').notNull(),
    changeRequestId: text('change_request_id'),
    changeReason: text('change_reason'),
    /** Onboarding workflow that a creation starts. Null: the default one, if there is one. Empty: none. */
    changeOnboarding: text('change_onboarding'),
    /** The content of the event of a merge. It is of the last change only if it has the id of that change. */
    changeDetail: text('change_detail', { mode: 'json' }).$type<Record<string, unknown>>(),
    /** JSON of texts in the form in which they are searched, see folded.ts. Only lists read it. */
    folded: text().notNull().default('{}'),
    /** Seals what the archive has of the customer, see archive/seal.ts. Its erasure empties it, and then nobody can read that. */
    archiveKey: text('archive_key'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.id] }),
    uniqueIndex('customers_external_id')
      .on(table.externalId, table.tenantId, table.mode)
      .where(sql`archived_at IS NULL`),
    // These four give the lists of a tenant their order, so they have every customer, with or without the value.
    index('customers_external_id_order').on(table.tenantId, table.mode, table.externalId),
    index('customers_email_order').on(table.tenantId, table.mode, sql`coalesce(email_ascii, email, '') COLLATE NOCASE`),
    index('customers_name_order').on(table.tenantId, table.mode, sql`coalesce(name, '')`),
    index('customers_updated_order').on(table.tenantId, table.mode, table.updatedAtMs),
    index('customers_parent').on(table.tenantId, table.mode, table.parentId).where(sql`parent_id IS NOT NULL`),
    index('customers_merged').on(table.tenantId, table.mode, table.mergedInto).where(sql`merged_into IS NOT NULL`),
    // The full-text index has the id in lower case.
    check('customers_id', sql`length(${table.id}) = 31 AND ${table.id} = 'cust_' || upper(substr(${table.id}, 6))`),
    check('customers_mode', sql`${table.mode} IN ('live', 'test')`),
    check('customers_status', sql`${table.status} IN ('published', 'draft')`),
    check('customers_external_id_length', sql`length(${table.externalId}) BETWEEN 1 AND 255`),
    check('customers_not_own_parent', sql`${table.parentId} IS NULL OR ${table.parentId} <> ${table.id}`),
  ],
)

type Checked<Columns extends Expected, Expected> = Columns
type CustomerSelect = typeof customers.$inferSelect

/**
 * Stops the compiler unless each field of `registry/customer-fields.ts` is a column above of the same name, and each column
 * is a field or one of those that are no field.
 */
export type CustomerColumnNames = Checked<
  { [Name in keyof CustomerSelect]: (typeof customers)[Name]['_']['name'] },
  { [Name in CustomerFieldName]: (typeof CUSTOMER_FIELDS)[Name]['column'] } & {
    [Name in Exclude<keyof CustomerSelect, CustomerFieldName | NoField>]: never
  }
>
type NoField =
  | 'tenantId'
  | 'mode'
  | 'emailAscii'
  | 'archivedAtMs'
  | 'erasedAtMs'
  | 'mergedInto'
  | 'changeId'
  | 'changeRequestId'
  | 'changeReason'
  | 'changeOnboarding'
  | 'changeDetail'
  | 'folded'
  | 'archiveKey'

/** Earlier external ids of a customer, as long as no other customer has them. Maintained by triggers. */
export const customerAliases = sqliteTable(
  'customer_aliases',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    externalId: text('external_id').notNull(),
    customerId: text('customer_id').notNull(),
    /** The customer that had it before it was merged into this one. */
    mergedFrom: text('merged_from'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.externalId] }),
    index('customer_aliases_customer').on(table.tenantId, table.mode, table.customerId),
  ],
)

/** Maps an entity of a provider to its customer: at most one that is not archived. Maintained by triggers. */
export const integrationMappings = sqliteTable(
  'integration_mappings',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    provider: text().notNull(),
    entityId: text('entity_id').notNull(),
    customerId: text('customer_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.provider, table.entityId] })],
)

/**
 * The things that a merge gave the other customer, so that an unmerge can take them back. `survivor_id` is the customer that
 * the merge named, though that one may have been merged into another since.
 */
export const customerMerges = sqliteTable(
  'customer_merges',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    sourceId: text('source_id').notNull(),
    survivorId: text('survivor_id').notNull(),
    changeId: text('change_id').notNull(),
    mergedAtMs: integer('merged_at').notNull(),
    given: text({ mode: 'json' }).$type<MergeGift>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.sourceId] }),
    index('customer_merges_age').on(table.mergedAtMs),
  ],
)

/** Number of customers of each status, so that a list has its total without reading them. Maintained by triggers. */
export const customerCounts = sqliteTable(
  'customer_counts',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    status: text({ enum: ['published', 'draft', 'archived'] }).notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.status] })],
)

/** Bytes of the customers and events of a tenant and mode, about as D1 stores them. Maintained by triggers. */
export const storageUse = sqliteTable(
  'storage_use',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    bytes: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode] })],
)

/**
 * One row for each change of a customer, written with it by the triggers. It is both the event log and the audit, and
 * its insertion makes the deliveries. The few events that are not a change of a customer are written directly.
 */
export const events = sqliteTable(
  'events',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    id: text().notNull(),
    type: text({ enum: EVENT_TYPES }).notNull(),
    /** Empty for an event that concerns no customer. */
    customerId: text('customer_id').notNull(),
    version: integer().notNull(),
    actor: text().notNull(),
    requestId: text('request_id'),
    reason: text(),
    /** The fields of the customer that had another value before, and the customer after; `event-documents.ts` reads both. */
    before: text({ mode: 'json' }).$type<StoredDocument>(),
    after: text({ mode: 'json' }).$type<StoredDocument>().notNull(),
    /** Details of an event beside the customer, as `events/catalogue.ts` defines them. */
    detail: text({ mode: 'json' }).$type<Record<string, unknown>>(),
    createdAtMs: integer('created_at').notNull(),
    /** The number of endpoints that get the event, for `storage_use`. */
    deliveries: integer().notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.id] }),
    index('events_customer').on(table.customerId, table.tenantId, table.mode, table.id),
    index('events_customer_version').on(table.customerId, table.tenantId, table.mode, table.version),
    index('events_left_external_id')
      .on(
        sql`coalesce(before ->> '$.external_id', after ->> '$.external_id')`,
        table.tenantId,
        table.mode,
        table.createdAtMs,
      )
      .where(
        sql`type = 'customer.archived' OR (type = 'customer.updated' AND before ->> '$.external_id' IS NOT NULL AND after ->> '$.archived_at' IS NULL)`,
      ),
  ],
)

/**
 * The role and the session with which an operator made a change as a tenant. A row is inserted with the event of the
 * change and deleted with it; the events of other callers have none.
 */
export const operatorChanges = sqliteTable(
  'operator_changes',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    eventId: text('event_id').notNull(),
    role: text().notNull(),
    sessionId: text('session_id'),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.eventId] })],
)

export type EventRow = typeof events.$inferSelect

/** A customer as the readers of an event see it, whole. */
export interface CustomerDocument extends TextsOfDocument {
  id: string
  external_id: string
  timezone: string
  parent_id: string | null
  metadata: Record<string, string>
  integrations: Integration[]
  profile: Record<string, unknown>
  status: 'published' | 'draft'
  archived_at: number | null
  version: number
  stamps: { created_at: number; updated_at: number; created_by: string; updated_by: string }
  /** Only in the event of an erasure: in how many rows it removed something. */
  erased_rows?: Record<'customers' | 'events' | 'aliases' | 'integrations' | 'idempotency_records', number> &
    Partial<Record<'webhook_attempts' | 'onboarding_runs', number>>
}

/** The fields of a customer that an event stores: those that its reader cannot know otherwise. */
export type StoredDocument = { [Key in keyof CustomerDocument]?: Stored<CustomerDocument[Key]> }

type Stored<Value> = Value extends CustomerDocument['stamps'] | CustomerDocument['address'] ? Partial<Value> : Value

/** Erased customers whose KV entries are deleted a second time, when no reader can write an old value any more. */
export const erasures = sqliteTable(
  'erasures',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    customerId: text('customer_id').notNull(),
    /** KV keys of all external ids the customer ever had; null while only the customer's own key is known. */
    kvKeys: text('kv_keys', { mode: 'json' }).$type<string[]>(),
    dueAtMs: integer('due_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.customerId] })],
)

/**
 * Responses to keyed POSTs, kept for a day so that a repeat of the request gets the same response and changes nothing. Those of
 * operators, webhooks and onboarding are sealed, because they may hold an API key or a secret.
 */
export const idempotencyRecords = sqliteTable(
  'idempotency_records',
  {
    /** Empty for operators, as the mode is. */
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test', ''] }).notNull(),
    /** SHA-256 of the caller's key, which may be personal data such as an e-mail address. */
    key: text().notNull(),
    /** SHA-256 of the request, and of the admin key of an operator; empty once the customer it was about is erased. */
    fingerprint: text().notNull(),
    customerId: text('customer_id'),
    /** The change in the response: its event has the customer as it was then. Null for a failure. */
    changeId: text('change_id'),
    effect: text({ enum: ['created', 'updated', 'unchanged', 'archived', 'restored', 'merged', 'unmerged', 'erased'] }),
    failure: text({ mode: 'json' }).$type<Failure>(),
    /** The encrypted response. Reading it takes the caller's key, and the admin key or a signing secret. Null for a customer's change. */
    sealed: text(),
    expiresAtMs: integer('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.key] }),
    index('idempotency_records_expiry').on(table.expiresAtMs),
    index('idempotency_records_customer')
      .on(table.tenantId, table.mode, table.customerId)
      .where(sql`customer_id IS NOT NULL`),
  ],
)
