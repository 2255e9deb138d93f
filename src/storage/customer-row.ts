/**
 * Maps a row of `customers`, or its copy in an event, to a customer of the registry and back. Defines which columns are
 * read, not which rows.
 */
import { type Column, getTableColumns, sql } from 'drizzle-orm'
import type { Customer, Scope } from '../registry/customer.ts'
import {
  documentPlaceOf,
  type OptionalTextField,
  optionalTexts,
  type TextsOfDocument,
} from '../registry/customer-fields.ts'
import type { Erasure } from '../registry/ports.ts'
import { textsOf } from './event-documents.ts'
import { type CustomerDocument, customers } from './schema/tables.ts'

const {
  emailAscii: _emailAscii,
  folded: _folded,
  changeId: _id,
  changeRequestId: _requestId,
  changeReason: _reason,
  changeOnboarding: _onboarding,
  changeDetail: _detail,
  ...columns
} = getTableColumns(customers)

/** The columns of a customer: all but those that only look-ups read or that only inform the triggers about the change. */
export const customerColumns = columns

const CUSTOMER_COLUMNS: [field: string, column: Column][] = Object.entries(columns)

/**
 * The same columns as expressions, for a source with an index hint, which Drizzle cannot express. For such a source
 * Drizzle refuses a column whose table it cannot see, but accepts an expression that consists of the column.
 */
export const customerExpressions = Object.fromEntries(
  Object.entries(columns).map(([field, column]) => [field, sql`${column}`.mapWith(column)]),
) as unknown as typeof customerColumns

export type CustomerRow = Omit<
  typeof customers.$inferSelect,
  'emailAscii' | 'folded' | 'changeId' | 'changeRequestId' | 'changeReason' | 'changeOnboarding' | 'changeDetail'
>

/** Returns a row of D1, by column names, in the types of the table. */
export function customerRowOf(columns: Record<string, unknown>): CustomerRow {
  const row: Record<string, unknown> = {}
  for (const [field, column] of CUSTOMER_COLUMNS) {
    const value = columns[column.name]
    row[field] = value === null ? null : column.mapFromDriverValue(value)
  }
  return row as CustomerRow
}

/**
 * Rejects a row type with a property that is no column of a customer, because the customer would get the property too.
 */
type Only<Row> = CustomerRow & Record<Exclude<keyof Row, keyof CustomerRow>, never>

/** Returns the customer of a row. `archived` is a status of customers; a row has a time instead. */
export function customerOf<Row extends CustomerRow>(row: Row & Only<Row>): Customer {
  const { archivedAtMs, erasedAtMs: _erasedAtMs, mergedInto: _mergedInto, ...same } = row as CustomerRow
  return {
    ...same,
    status: archivedAtMs === null ? row.status : 'archived',
  }
}

/** Returns the customer of a document. */
export function customerOfDocument({ tenantId, mode }: Scope, document: CustomerDocument): Customer {
  const { stamps } = document
  return customerOf({
    tenantId,
    mode,
    id: document.id,
    externalId: document.external_id,
    ...optionalTexts((name) => textOf(document, name)),
    timezone: document.timezone,
    parentId: document.parent_id,
    metadata: document.metadata,
    integrations: document.integrations,
    profile: document.profile,
    status: document.status,
    archivedAtMs: document.archived_at,
    erasedAtMs: null,
    mergedInto: null,
    version: document.version,
    createdAtMs: stamps.created_at,
    updatedAtMs: stamps.updated_at,
    createdBy: stamps.created_by,
    updatedBy: stamps.updated_by,
  })
}

function textOf(document: CustomerDocument, name: OptionalTextField): string | null {
  const { group, key } = documentPlaceOf(name)
  const holder: object = group === null ? document : document[group as keyof TextsOfDocument & 'address']
  return holder[key as never]
}

/** Returns the document of a row. */
export function documentOf(row: CustomerRow): CustomerDocument {
  return {
    id: row.id,
    external_id: row.externalId,
    ...textsOf((name) => row[name]),
    timezone: row.timezone,
    parent_id: row.parentId,
    metadata: row.metadata,
    integrations: row.integrations,
    profile: row.profile,
    status: row.status,
    archived_at: row.archivedAtMs,
    version: row.version,
    stamps: {
      created_at: row.createdAtMs,
      updated_at: row.updatedAtMs,
      created_by: row.createdBy,
      updated_by: row.updatedBy,
    },
  }
}

/** Returns the receipt in the event of an erasure; undefined in any other event. */
export function erasureOfDocument({ id, stamps, erased_rows: rows }: CustomerDocument): Erasure | undefined {
  if (!rows) return undefined
  const {
    idempotency_records: idempotencyRecords,
    webhook_attempts: webhookAttempts = 0,
    onboarding_runs: onboardingRuns = 0,
    ...others
  } = rows
  return {
    customerId: id,
    erasedAtMs: stamps.updated_at,
    erasedBy: stamps.updated_by,
    rows: { ...others, idempotencyRecords, webhookAttempts, onboardingRuns },
  }
}
