/**
 * The D1 schema of what follows a change: who is told of it, how far that has come, and the onboarding of new customers.
 * The rest of the schema is in tables.ts; the triggers that write the first row of each are in `migrations/0005_outbox.sql`.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

const scope = {
  tenantId: text('tenant_id').notNull(),
  mode: text({ enum: ['live', 'test'] }).notNull(),
}

/** Where a tenant wants to be told of changes, over HTTPS. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    ...scope,
    id: text().notNull(),
    url: text().notNull(),
    description: text().notNull(),
    /** Null: all. */
    eventTypes: text('event_types', { mode: 'json' }).$type<string[]>(),
    enabled: integer({ mode: 'boolean' }).notNull(),
    /** Why it was disabled when nobody asked for it. */
    disabledReason: text('disabled_reason', { enum: ['gone', 'failing'] }),
    /** The one that signs comes first; one that was rotated out signs along until it expires. */
    secrets: text({ mode: 'json' }).$type<{ secret: string; expiresAtMs: number | null }[]>().notNull(),
    /** Since when every attempt has failed; null when the last one went well. */
    failingSinceMs: integer('failing_since'),
    createdAtMs: integer('created_at').notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    createdBy: text('created_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.id] })],
)

/**
 * One row for each event and endpoint: the outbox itself, and then the record of what became of it. Written by a trigger in
 * the transaction of the change. Ids rise in the order of commits, which is the order in which a customer's are sent.
 */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    id: integer().primaryKey(),
    ...scope,
    endpointId: text('endpoint_id').notNull(),
    eventId: text('event_id').notNull(),
    customerId: text('customer_id').notNull(),
    status: text({ enum: ['pending', 'delivered', 'failed'] }).notNull(),
    /** How often it was taken on. Attempts that came to their end have a row of `webhook_attempts`; others were interrupted. */
    claims: integer().notNull(),
    /**
     * When a pending one may be tried (again). Whoever takes it on moves this ahead, so that nobody else does meanwhile.
     * Behind another of its customer it is the end of time, until that one is done.
     */
    nextAttemptAtMs: integer('next_attempt_at').notNull(),
    createdAtMs: integer('created_at').notNull(),
    finishedAtMs: integer('finished_at'),
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
  ],
)

/** Each time a delivery was tried. Goes with its delivery, by a trigger. */
export const webhookAttempts = sqliteTable(
  'webhook_attempts',
  {
    deliveryId: integer('delivery_id').notNull(),
    /** From 1 on. */
    number: integer().notNull(),
    atMs: integer('at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    /** Null when no answer came. */
    statusCode: integer('status_code'),
    /** Why no answer came, or why none was asked for. */
    error: text(),
    /** The first 500 bytes of the answer; gone once the customer is erased. */
    answer: text(),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.number] })],
)

/** What a tenant has configured, by name. */
export const settings = sqliteTable(
  'settings',
  {
    ...scope,
    name: text({ enum: ['customer_onboarding'] }).notNull(),
    value: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    /** Signs the requests that the setting causes, as those of an endpoint. */
    secrets: text({ mode: 'json' }).$type<{ secret: string; expiresAtMs: number | null }[]>().notNull(),
    version: integer().notNull(),
    updatedAtMs: integer('updated_at').notNull(),
    updatedBy: text('updated_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.mode, table.name] })],
)

/** The onboarding of one customer. Written by a trigger with the customer itself, when its tenant has such a workflow. */
export const onboardingRuns = sqliteTable(
  'onboarding_runs',
  {
    ...scope,
    customerId: text('customer_id').notNull(),
    workflow: text().notNull(),
    /** The steps as they were configured when the customer was created. */
    steps: text({ mode: 'json' }).$type<Record<string, unknown>[]>().notNull(),
    /** What became of each, in the order of `steps`; an entry that is not there has not begun. */
    progress: text({ mode: 'json' }).$type<Record<string, unknown>[]>().notNull(),
    status: text({ enum: ['pending', 'running', 'completed', 'failed'] }).notNull(),
    /** When the sweep sees to it: starts it, looks whether it still goes on, takes it away. */
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
