/**
 * Records what operators do to tenants, keys, webhook endpoints and operators: statements for the batch of the change,
 * so that either both are committed or neither. The state before is read before the change and the state after behind
 * it, both in SQL and in the same transaction. Never holds a key or its hash. Customers have `events`; audit-reads.ts
 * reads both.
 */
import { eq, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { NewId } from '../../shared/ids.ts'
import type { Author } from '../../tenants/ports.ts'
import type { Database } from '../database.ts'
import { operatorKeys, operatorSessions, operators, signInLinks } from '../schema/operator-tables.ts'
import { adminAudit, apiKeys, tenants } from '../schema/tenant-tables.ts'
import { settings, webhookEndpoints } from '../schema/webhook-tables.ts'

type AuditType = (typeof adminAudit.$inferSelect)['type']

const TENANT = sql`json_object(
  'company_name', ${tenants.companyName}, 'contact_email', ${tenants.contactEmail},
  'tier', ${tenants.tier}, 'status', ${tenants.status},
  'limits', json_object(
    'requests_per_second', ${tenants.requestsPerSecond}, 'burst', ${tenants.burst},
    'annual_commitment', ${tenants.annualCommitment}, 'annual_validation_limit', ${tenants.annualValidationLimit},
    'storage_bytes', ${tenants.storageBytes}
  ),
  'database', ${tenants.database}, 'contract_start', ${tenants.contractStartMs}, 'contract_end', ${tenants.contractEndMs},
  'event_retention_days', ${tenants.eventRetentionDays}, 'metadata', json(${tenants.metadata}), 'created_at', ${tenants.createdAtMs}, 'updated_at', ${tenants.updatedAtMs}
)`

/** The facts that stay of a deleted tenant: no contact address and no metadata. */
const DELETED_TENANT = sql`json_object(
  'company_name', ${tenants.companyName}, 'tier', ${tenants.tier}, 'status', ${tenants.status},
  'created_at', ${tenants.createdAtMs}
)`

const CUSTOMERS_HERE = sql`(
  SELECT coalesce(sum(count), 0) FROM customer_counts WHERE customer_counts.tenant_id = ${tenants.id}
)`

const KEY = sql`json_object(
  'name', ${apiKeys.name}, 'mode', ${apiKeys.mode}, 'scopes', json(${apiKeys.scopes}),
  'expires_at', ${apiKeys.expiresAtMs}, 'revoked_at', ${apiKeys.revokedAtMs}, 'rotated_from', ${apiKeys.rotatedFrom},
  'created_at', ${apiKeys.createdAtMs}
)`

const ENDPOINT = sql`json_object(
  'id', ${webhookEndpoints.id}, 'mode', ${webhookEndpoints.mode}, 'url', ${webhookEndpoints.url},
  'description', ${webhookEndpoints.description}, 'event_types', json(${webhookEndpoints.eventTypes}),
  'enabled', json(iif(${webhookEndpoints.enabled}, 'true', 'false')), 'created_at', ${webhookEndpoints.createdAtMs},
  'created_by', ${webhookEndpoints.createdBy}
)`

const SETTING = sql`json_object('name', ${settings.name}, 'mode', ${settings.mode}, 'version', ${settings.version})`

const OPERATOR = sql`json_object(
  'name', ${operators.name}, 'email', ${operators.email}, 'role', ${operators.role}, 'created_at', ${operators.createdAtMs}
)`

const OPERATOR_KEY = sql`json_object(
  'name', ${operatorKeys.name}, 'expires_at', ${operatorKeys.expiresAtMs}, 'created_at', ${operatorKeys.createdAtMs}
)`

const SIGN_IN_LINK = sql`json_object('expires_at', ${signInLinks.expiresAtMs}, 'created_at', ${signInLinks.createdAtMs})`

const SESSION = sql`json_object(
  'id', ${operatorSessions.id}, 'expires_at', ${operatorSessions.expiresAtMs}, 'created_at', ${operatorSessions.createdAtMs}
)`

interface SubjectColumns {
  table: SQLiteTable
  document: SQL
  /** Absent for what belongs to no tenant. */
  tenantId?: SQLWrapper
  keyId?: SQLWrapper
  operatorId?: SQLWrapper
}

const SUBJECTS = {
  tenant: { table: tenants, document: TENANT, tenantId: tenants.id },
  key: { table: apiKeys, document: KEY, tenantId: apiKeys.tenantId, keyId: apiKeys.id },
  endpoint: { table: webhookEndpoints, document: ENDPOINT, tenantId: webhookEndpoints.tenantId },
  setting: { table: settings, document: SETTING, tenantId: settings.tenantId },
  operator: { table: operators, document: OPERATOR, operatorId: operators.id },
  operatorKey: {
    table: operatorKeys,
    document: OPERATOR_KEY,
    operatorId: operatorKeys.operatorId,
    keyId: operatorKeys.id,
  },
  signInLink: { table: signInLinks, document: SIGN_IN_LINK, operatorId: signInLinks.operatorId },
  session: {
    table: operatorSessions,
    document: SESSION,
    operatorId: operatorSessions.operatorId,
    keyId: operatorSessions.keyId,
  },
} satisfies Record<string, SubjectColumns>
type Subject = keyof typeof SUBJECTS

const CREATED = {
  tenant: 'tenant.created',
  key: 'key.created',
  endpoint: 'webhook.endpoint.created',
  operator: 'operator.created',
  operatorKey: 'operator.key.created',
  signInLink: 'operator.sign_in_link.created',
  session: 'operator.session.started',
} as const

/**
 * Statements for one change. `begin` goes before it, with the change's own condition, and `end` after it. `created`
 * alone is enough for a new row.
 */
export function auditOf(db: Database, author: Author, newId: NewId) {
  const insert = (
    id: string,
    type: AuditType,
    subject: Subject,
    nowMs: number,
    documents: { before: SQL; after: SQL },
    where: SQL | undefined,
  ) => {
    const { table, tenantId, keyId, operatorId }: SubjectColumns = SUBJECTS[subject]
    return db.insert(adminAudit).select(
      db
        .select({
          id: sql<string>`${id}`.as('id'),
          type: sql<AuditType>`${type}`.as('type'),
          tenantId: sql<string>`${tenantId ?? sql`''`}`.as('tenant_id'),
          keyId: sql<string | null>`${keyId ?? sql`NULL`}`.as('key_id'),
          actor: sql<string>`${author.actor}`.as('actor'),
          requestId: sql<string | null>`${author.requestId}`.as('request_id'),
          reason: sql<string | null>`${author.reason}`.as('reason'),
          before: sql<Record<string, unknown> | null>`${documents.before}`.as('before'),
          after: sql<Record<string, unknown> | null>`${documents.after}`.as('after'),
          createdAtMs: sql<number>`${nowMs}`.as('created_at'),
          operatorId: sql<string | null>`${operatorId ?? sql`NULL`}`.as('operator_id'),
          role: sql<string | null>`${author.role}`.as('role'),
          sessionId: sql<string | null>`${author.sessionId}`.as('session_id'),
        })
        .from(table)
        .where(where),
    )
  }

  return {
    /** Statement to run after the insertion of the row that `where` selects. */
    created(subject: keyof typeof CREATED, nowMs: number, where: SQL | undefined) {
      return this.noted(CREATED[subject], subject, nowMs, where)
    },

    /** Statement to run after a change of which no document tells more, such as that of a secret. */
    noted(type: AuditType, subject: Subject, nowMs: number, where: SQL | undefined) {
      const documents = { before: sql`NULL`, after: SUBJECTS[subject].document }
      return insert(newId('event', nowMs), type, subject, nowMs, documents, where)
    },

    /**
     * Statement to run before the tenants that `where` selects are deleted: their receipt. It says how many customers are deleted
     * with them: `customersElsewhere`, or those of this database for null. The sweep adds the time at which everything was gone.
     */
    deleted(nowMs: number, where: SQL | undefined, customersElsewhere: number | null) {
      const customers = customersElsewhere === null ? CUSTOMERS_HERE : sql`CAST(${customersElsewhere} AS INTEGER)`
      const documents = {
        before: DELETED_TENANT,
        after: sql`json_object('customers', ${customers}, 'completed_at', NULL)`,
      }
      return insert(newId('event', nowMs), 'tenant.deleted', 'tenant', nowMs, documents, where)
    },

    /** Statement to run before the rows that `where` selects are deleted. */
    removed(type: AuditType, subject: Subject, nowMs: number, where: SQL | undefined) {
      const documents = { before: SUBJECTS[subject].document, after: sql`NULL` }
      return insert(newId('event', nowMs), type, subject, nowMs, documents, where)
    },

    changed(type: AuditType, subject: Subject, nowMs: number) {
      const id = newId('event', nowMs)
      const { table, document } = SUBJECTS[subject]
      return {
        begin: (where: SQL | undefined) =>
          insert(id, type, subject, nowMs, { before: document, after: sql`NULL` }, where),
        end: (which: SQL | undefined) =>
          db
            .update(adminAudit)
            .set({ after: sql`(${db.select({ document }).from(table).where(which)})` })
            .where(eq(adminAudit.id, id)),
      }
    },
  }
}
