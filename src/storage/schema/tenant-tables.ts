/**
 * The tables of the whole deployment and of its tenants, as Drizzle sees them; tables.ts has those of customers and says
 * what Drizzle cannot express.
 */
import { sql } from 'drizzle-orm'
import { check, customType, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { OPERATOR_CHANGES } from '../../tenants/ports.ts'
import { storedJson } from '../../validation/json.ts'

/** JSON with the metadata of a tenant in it, whose numbers keep their digits. Only SQL writes it. */
const documentWithDigits = customType<{ data: Record<string, unknown>; driverData: string }>({
  dataType: () => 'text',
  fromDriver: (text) => storedJson(text) as Record<string, unknown>,
})

/** One row of facts about the whole database. */
export const deployment = sqliteTable(
  'deployment',
  {
    id: integer().primaryKey(),
    /**
     * Identifies the history of this database: milliseconds when it was made, or last set back or restored. It
     * changes at no other time. Data from a cache, a gate or a token under another value may belong to a history
     * that no longer exists.
     */
    dataEpoch: integer('data_epoch').notNull(),
    /** Rises with each change of an operator or a session. In the directory; see operators/copies.ts. */
    operatorsVersion: integer('operators_version').notNull().default(0),
    /** The version of the operators and sessions that were copied to this database. In any other one than the directory. */
    operatorsCopiedVersion: integer('operators_copied_version').notNull().default(0),
  },
  (table) => [check('deployment_one_row', sql`${table.id} = 1`)],
)

/** Companies that use the API. The admin API calls them customers. */
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
    /** Bytes that live mode may store. The triggers of customers compare it with `storage_use`. */
    storageBytes: integer('storage_bytes').notNull(),
    contractStartMs: integer('contract_start'),
    contractEndMs: integer('contract_end'),
    /** JSON text, which nothing below the admin API parses. */
    metadata: text().notNull(),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    /** Rises with every change of what the admin API shows. The etag. */
    version: integer().notNull(),
    /** Rises with every change of tier, status, limits or keys; the gates compare it. */
    policyVersion: integer('policy_version').notNull(),
    /**
     * Highest version that both gates have confirmed. If it is behind `policyVersion`, a change was interrupted and
     * the sweep repeats it.
     */
    policyAppliedVersion: integer('policy_applied_version').notNull().default(0),
    /**
     * When an operator deleted the tenant. It is then found nowhere, and the row is the last that the sweep deletes.
     */
    deletedAtMs: integer('deleted_at'),
    /** JSON of texts in the form in which they are searched, see folded.ts. */
    folded: text().notNull().default('{}'),
    /** The number of the database that has the customers. Changes only when the tenant is moved. */
    database: integer('database_number').notNull().default(0),
    /** Days for which the changes of its customers are kept. */
    eventRetentionDays: integer('event_retention_days').notNull().default(400),
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
    index('tenants_contact_email').on(sql`contact_email COLLATE NOCASE`),
    index('tenants_deleted').on(table.id).where(sql`deleted_at IS NOT NULL`),
  ],
)

/** API keys without the secret: its SHA-256 is enough to recognise it. */
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
    /** The key that this one replaced. */
    rotatedFrom: text('rotated_from'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    check('api_keys_mode', sql`${table.mode} IN ('live', 'test')`),
  ],
)

/** Where a sweep goes on that handles some tenants in each run. */
export const sweeps = sqliteTable('sweeps', {
  name: text().primaryKey(),
  position: text().notNull(),
})

/** Errors of a minute that Roster alone is to blame for, by API and status. */
export const errorCounts = sqliteTable(
  'error_counts',
  {
    minuteMs: integer('minute').notNull(),
    api: text().notNull(),
    status: integer().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.minuteMs, table.api, table.status] })],
)

/**
 * Operators' changes to tenants, keys, webhook endpoints and operators. Changes of customers are in `events`. Never holds a key
 * or its hash.
 */
export const adminAudit = sqliteTable(
  'admin_audit',
  {
    /** In the format of event ids, so that both sort together. */
    id: text().primaryKey(),
    type: text({
      enum: OPERATOR_CHANGES,
    }).notNull(),
    /** Empty for a change of an operator, which belongs to no tenant. */
    tenantId: text('tenant_id').notNull(),
    keyId: text('key_id'),
    actor: text().notNull(),
    requestId: text('request_id'),
    reason: text(),
    before: documentWithDigits(),
    after: documentWithDigits(),
    createdAtMs: integer('created_at').notNull(),
    /** The operator that was changed. */
    operatorId: text('operator_id'),
    /** The role that the actor had, and its session. */
    role: text(),
    sessionId: text('session_id'),
  },
  (table) => [index('admin_audit_tenant').on(table.tenantId, table.id)],
)
