/**
 * The D1 schema for the consequences of a change: subscribers, deliveries and their attempts, and the onboarding of new
 * customers. The rest of the schema is in tables.ts. The triggers that write the first row of each are in
 * `migrations/0004_webhooks.sql` and `0005_onboarding.sql`.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { EVENT_TYPES } from '../../events/catalogue.ts'

const scope = {
  tenantId: text('tenant_id').notNull(),
  mode: text({ enum: ['live', 'test'] }).notNull(),
}

/** URLs at which a tenant receives events, over HTTPS. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    ...scope,
    id: text().notNull(),
    url: text().notNull(),
    description: text().notNull(),
    /** Event types of the endpoint; null for all. */
    eventTypes: text('event_types', { mode: 'json' }).$type<string[]>(),
    enabled: integer({ mode: 'boolean' }).notNull(),
    /** Why Roster disabled the endpoint by itself. */
    disabledReason: text('disabled_reason', { enum: ['gone', 'failing'] }),
    /** The signing secret comes first; a rotated one signs too until it expires. Sealed, see events/secret-vault.ts. */
    secrets: text().notNull(),
    /** The name of the key that sealed them. */
    sealedBy: text('sealed_by').notNull(),
    /** Start of an uninterrupted series of failed attempts; null when the last attempt succeeded. */
    failingSinceMs: integer('failing_since'),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    createdBy: text('created_by').notNull(),
    /** Rises with every change of what the API shows, also with those that Roster makes itself. The etag. */
    version: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.id] }),
    index('webhook_endpoints_sealed').on(table.sealedBy),
    index('webhook_endpoints_failing').on(table.failingSinceMs).where(sql`failing_since IS NOT NULL AND enabled = 1`),
  ],
)

/**
 * One row for each event and endpoint: the outbox at first, then the record of the delivery. A trigger writes it in the
 * transaction of the change. Ids rise in the order of commits, which is the order in which a customer's events are
 * sent.
 */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    id: integer().primaryKey(),
    ...scope,
    endpointId: text('endpoint_id').notNull(),
    eventId: text('event_id').notNull(),
    /** Here too, because the event may be in the archive. */
    eventType: text('event_type', { enum: EVENT_TYPES }).notNull(),
    customerId: text('customer_id').notNull(),
    status: text({ enum: ['pending', 'delivered', 'failed'] }).notNull(),
    /**
     * How often the delivery was claimed. Completed attempts have a row in `webhook_attempts`; others were
     * interrupted.
     */
    claims: integer().notNull(),
    /**
     * When a pending delivery may be attempted (again). A claim moves this ahead, so that nobody else claims it
     * meanwhile. Behind another delivery of its customer it is the end of time, until that one is done.
     */
    nextAttemptAtMs: integer('next_attempt_at').notNull(),
    createdAtMs: integer('created_at').notNull(),
    finishedAtMs: integer('finished_at'),
    /** True after an attempt that failed, until the next one is claimed. */
    awaitsRetry: integer('awaits_retry', { mode: 'boolean' }).notNull().default(false),
    /** `taken` while it is attempted, `waits` while it is due and has no slot, null otherwise. See events/slots.ts. */
    slot: text({ enum: ['taken', 'waits'] }),
  },
  (table) => [
    check('webhook_deliveries_status', sql`${table.status} IN ('pending', 'delivered', 'failed')`),
    index('webhook_deliveries_chain').on(
      table.tenantId,
      table.mode,
      table.customerId,
      table.endpointId,
      table.status,
      table.id,
    ),
    index('webhook_deliveries_due').on(table.nextAttemptAtMs).where(sql`status = 'pending'`),
    index('webhook_deliveries_endpoint').on(table.endpointId, table.eventId),
    index('webhook_deliveries_slot')
      .on(table.tenantId, table.mode, table.slot, table.endpointId, table.nextAttemptAtMs)
      .where(sql`slot IS NOT NULL`),
    index('webhook_deliveries_retry').on(table.endpointId, table.nextAttemptAtMs).where(sql`awaits_retry = 1`),
  ],
)

/** The attempts of a delivery. A trigger deletes them with it. */
export const webhookAttempts = sqliteTable(
  'webhook_attempts',
  {
    deliveryId: integer('delivery_id').notNull(),
    /** From 1 on. */
    number: integer().notNull(),
    atMs: integer('at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    /** Status of the response; null when none came. */
    statusCode: integer('status_code'),
    /** Why no response came, or why no request was sent. */
    error: text(),
    /** The first 500 bytes of the response; removed once the customer is erased. */
    answer: text(),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.number] })],
)

/** A tenant's settings, by name. */
export const settings = sqliteTable(
  'settings',
  {
    ...scope,
    name: text({ enum: ['customer_onboarding'] }).notNull(),
    value: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    /** Sign the requests that the setting causes, as an endpoint's secrets do. Sealed like these. */
    secrets: text().notNull(),
    sealedBy: text('sealed_by').notNull(),
    version: integer().notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    updatedBy: text('updated_by').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.name] }),
    index('settings_sealed').on(table.sealedBy),
  ],
)

/** The onboarding of one customer. A trigger writes it with the customer, if its tenant has such a workflow. */
export const onboardingRuns = sqliteTable(
  'onboarding_runs',
  {
    ...scope,
    customerId: text('customer_id').notNull(),
    workflow: text().notNull(),
    /** The steps as they were configured when the customer was created. */
    steps: text({ mode: 'json' }).$type<Record<string, unknown>[]>().notNull(),
    /** Progress of each step, in the order of `steps`. A missing entry has not begun. */
    progress: text({ mode: 'json' }).$type<Record<string, unknown>[]>().notNull(),
    status: text({ enum: ['pending', 'running', 'completed', 'failed'] }).notNull(),
    /** When the sweep handles the run: starts it, checks whether it is alive, or deletes it. */
    dueAtMs: integer('due_at').notNull(),
    createdAtMs: integer('created_at').notNull(),
    finishedAtMs: integer('finished_at'),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.mode, table.customerId] }),
    check('onboarding_runs_status', sql`${table.status} IN ('pending', 'running', 'completed', 'failed')`),
    index('onboarding_runs_due').on(table.status, table.dueAtMs),
  ],
)
