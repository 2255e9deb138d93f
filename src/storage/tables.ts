/**
 * The D1 schema as Drizzle sees it. Owns names, types, keys and checks.
 * What SQLite can do and Drizzle can not say (WITHOUT ROWID, triggers) is in `migrations/`; `README.md` here tells who
 * writes and reads each table and how long a row lives.
 */
import { sql } from 'drizzle-orm'
import { check, foreignKey, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { EVENT_TYPES } from '../events/catalogue.ts'
import type { Failure } from '../registry/failures.ts'

/** Companies that use the API. The admin door calls them customers. */
export const tenants = sqliteTable(
  'tenants',
  {
    id: text().primaryKey(),
    companyName: text('company_name').notNull(),
    contactEmail: text('contact_email').notNull(),
    tier: text({ enum: ['starter', 'growth', 'scale', 'enterprise', 'custom'] }).notNull(),
    status: text({ enum: ['active', 'suspended'] }).notNull(),
    requestsPerSecond: integer('requests_per_second').notNull(),
    burst: integer().notNull(),
    annualCommitment: integer('annual_commitment').notNull(),
    annualValidationLimit: integer('annual_validation_limit').notNull(),
    contractStartMs: integer('contract_start'),
    contractEndMs: integer('contract_end'),
    metadata: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    /** Rises with every change of tier, status, limits or keys; the gates compare it. */
    policyVersion: integer('policy_version').notNull(),
    /** Highest version both gates have confirmed. Behind `policyVersion` means a change was interrupted: the sweep repeats it. */
    policyAppliedVersion: integer('policy_applied_version').notNull().default(0),
  },
  (table) => [
    check('tenants_tier', sql`${table.tier} IN ('starter', 'growth', 'scale', 'enterprise', 'custom')`),
    check('tenants_status', sql`${table.status} IN ('active', 'suspended')`),
    check('tenants_limits', sql`${table.requestsPerSecond} > 0 AND ${table.burst} > 0`),
    check(
      'tenants_contract',
      sql`${table.contractEndMs} IS NULL OR ${table.contractStartMs} IS NULL OR ${table.contractEndMs} >= ${table.contractStartMs}`,
    ),
    index('tenants_policy_unapplied').on(table.id).where(sql`policy_applied_version < policy_version`),
  ],
)

/** API keys, without the secret: its SHA-256 is enough to recognise it. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    tenantId: text('tenant_id')
      .notNull()
      .references(() => tenants.id),
    id: text().notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    name: text().notNull(),
    secretHash: text('secret_hash').notNull(),
    scopes: text({ mode: 'json' }).$type<string[]>().notNull(),
    createdAtMs: integer('created_at').notNull(),
    expiresAtMs: integer('expires_at'),
    revokedAtMs: integer('revoked_at'),
    /** The key this one took the place of. */
    rotatedFrom: text('rotated_from'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    check('api_keys_mode', sql`${table.mode} IN ('live', 'test')`),
  ],
)

/** The registry. One row is one customer, whole: no read needs a join. */
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
    /** `[{provider, id, …}]`; the triggers mirror it into `integration_mappings`, which makes an entity unique. */
    integrations: text({ mode: 'json' }).$type<Record<string, unknown>[]>().notNull(),
    /** What only the FlatPeak door has words for, in its words. */
    profile: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    status: text({ enum: ['published', 'draft'] }).notNull(),
    archivedAtMs: integer('archived_at'),
    /** The row is what is left of a customer that was erased: its id and these stamps. Such a one is always archived too. */
    erasedAtMs: integer('erased_at'),
    version: integer().notNull(),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    createdBy: text('created_by').notNull(),
    updatedBy: text('updated_by').notNull(),
    /** The change that made this version: the id of its row in `events`, with what the triggers write there. */
    changeId: text('change_id').notNull(),
    changeRequestId: text('change_request_id'),
    changeReason: text('change_reason'),
    /** Of a creation: the onboarding workflow to start; null the default one if there is one, empty none. */
    changeOnboarding: text('change_onboarding'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.id] }),
    foreignKey({
      columns: [table.tenantId, table.mode, table.parentId],
      foreignColumns: [table.tenantId, table.mode, table.id],
    }),
    uniqueIndex('customers_external_id')
      .on(table.tenantId, table.mode, table.externalId)
      .where(sql`archived_at IS NULL`),
    index('customers_email').on(table.tenantId, table.mode, sql`email COLLATE NOCASE`).where(sql`email IS NOT NULL`),
    index('customers_parent').on(table.tenantId, table.mode, table.parentId).where(sql`parent_id IS NOT NULL`),
    check('customers_mode', sql`${table.mode} IN ('live', 'test')`),
    check('customers_status', sql`${table.status} IN ('published', 'draft')`),
    check('customers_external_id_length', sql`length(${table.externalId}) BETWEEN 1 AND 255`),
    check('customers_not_own_parent', sql`${table.parentId} IS NULL OR ${table.parentId} <> ${table.id}`),
  ],
)

/** External ids a customer had before, as long as no other customer takes them. Kept by triggers. */
export const customerAliases = sqliteTable(
  'customer_aliases',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    externalId: text('external_id').notNull(),
    customerId: text('customer_id').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.externalId] }),
    index('customer_aliases_customer').on(table.tenantId, table.mode, table.customerId),
  ],
)

/** Which customer an entity of a provider belongs to: at most one that is not archived. Kept by triggers. */
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

/** How many customers there are of each status, so that a list knows its total without reading them. Kept by triggers. */
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

/**
 * One row for each change of a customer, written with it by the triggers: log and audit are the same fact, and what is to be
 * delivered follows from its insertion. The few events that are no change of a customer are written beside them.
 */
export const events = sqliteTable(
  'events',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    id: text().notNull(),
    type: text({ enum: EVENT_TYPES }).notNull(),
    /** Empty for an event that is about no customer. */
    customerId: text('customer_id').notNull(),
    version: integer().notNull(),
    actor: text().notNull(),
    requestId: text('request_id'),
    reason: text(),
    /** The row before and after, as the triggers write it; without what was personal once the customer is erased. */
    before: text({ mode: 'json' }).$type<CustomerDocument>(),
    after: text({ mode: 'json' }).$type<CustomerDocument>().notNull(),
    /** What an event tells that is not in the customer, in the words of `events/catalogue.ts`. */
    detail: text({ mode: 'json' }).$type<Record<string, unknown>>(),
    createdAtMs: integer('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.id] }),
    index('events_customer').on(table.tenantId, table.mode, table.customerId),
  ],
)

/** A customer as an event has it. */
export interface CustomerDocument {
  id: string
  external_id: string
  name: string | null
  email: string | null
  contact: string | null
  timezone: string
  address: Record<'line1' | 'line2' | 'city' | 'state' | 'postal_code' | 'country', string | null>
  parent_id: string | null
  metadata: Record<string, string>
  integrations: Record<string, unknown>[]
  profile: Record<string, unknown>
  status: 'published' | 'draft'
  archived_at: number | null
  version: number
  stamps: { created_at: number; updated_at: number; created_by: string; updated_by: string }
  /** Only in the event that tells of the erasure: how many rows it took something from. */
  erased_rows?: Record<'customers' | 'events' | 'aliases' | 'integrations' | 'idempotency_records', number> &
    Partial<Record<'webhook_attempts' | 'onboarding_runs', number>>
}

/** Erased customers whose keys in KV are deleted once more, when no reader can still put an old value there. */
export const erasures = sqliteTable(
  'erasures',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    customerId: text('customer_id').notNull(),
    /** The keys of the external ids it ever had; null as long as only the customer's own is known. */
    kvKeys: text('kv_keys', { mode: 'json' }).$type<string[]>(),
    dueAtMs: integer('due_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.customerId] })],
)

/** What a keyed POST answered, kept for a day so that a repeat of the request gets the same answer and changes nothing. */
export const idempotencyRecords = sqliteTable(
  'idempotency_records',
  {
    tenantId: text('tenant_id').notNull(),
    mode: text({ enum: ['live', 'test'] }).notNull(),
    /** SHA-256 of the caller's key, which may be an e-mail address or whatever else. */
    key: text().notNull(),
    /** SHA-256 of the request; empty once the customer it was about is erased. */
    fingerprint: text().notNull(),
    customerId: text('customer_id'),
    /** The change that was answered with: its event has the customer as it then was. Null for a failure. */
    changeId: text('change_id'),
    effect: text({ enum: ['created', 'updated', 'unchanged', 'archived', 'restored', 'erased'] }),
    failure: text({ mode: 'json' }).$type<Failure>(),
    expiresAtMs: integer('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.key] }),
    index('idempotency_records_expiry').on(table.expiresAtMs),
  ],
)

/**
 * What a keyed POST to the operator's door, webhooks or onboarding answered, kept for a day so that a repeat of the request
 * gets the same answer and changes nothing. Operators had it first, hence the name.
 */
export const adminIdempotencyRecords = sqliteTable(
  'admin_idempotency_records',
  {
    /** SHA-256 of the caller's key, and of the tenant and mode unless it is an operator's. */
    key: text().primaryKey(),
    /** SHA-256 of the request, and of the admin key it came with if it is an operator's. */
    fingerprint: text().notNull(),
    /** Whose policy has to be in force before the answer is given again; null for none. */
    tenantId: text('tenant_id'),
    /** The answer, which may hold an API key or a secret. To read it takes the caller's key, and the admin key or a signing secret. */
    sealed: text().notNull(),
    keptAtMs: integer('kept_at').notNull(),
    expiresAtMs: integer('expires_at').notNull(),
  },
  (table) => [index('admin_idempotency_records_expiry').on(table.expiresAtMs)],
)

/** What operators did to tenants and keys. Changes of customers are in `events`. Never a key, nor the hash of one. */
export const adminAudit = sqliteTable('admin_audit', {
  /** Of the same kind as the ids of events, so that both sort as one. */
  id: text().primaryKey(),
  type: text({
    enum: ['tenant.created', 'tenant.updated', 'key.created', 'key.revoked', 'key.rotated'],
  }).notNull(),
  tenantId: text('tenant_id').notNull(),
  keyId: text('key_id'),
  actor: text().notNull(),
  requestId: text('request_id'),
  reason: text(),
  before: text({ mode: 'json' }).$type<Record<string, unknown>>(),
  after: text({ mode: 'json' }).$type<Record<string, unknown>>(),
  createdAtMs: integer('created_at').notNull(),
})
