/**
 * Between a row of `customers`, or what an event keeps of it, and a customer of the registry. Owns which columns are read, nothing about which rows.
 */
import { type Column, getTableColumns, sql } from 'drizzle-orm'
import type { Customer, Integration, Scope } from '../registry/customer.ts'
import type { Erasure } from '../registry/ports.ts'
import { type CustomerDocument, customers } from './tables.ts'

const {
  changeId: _id,
  changeRequestId: _requestId,
  changeReason: _reason,
  changeOnboarding: _onboarding,
  ...columns
} = getTableColumns(customers)

/** What a customer is made of: all columns but those that only tell the triggers about the change. */
export const customerColumns = columns

const CUSTOMER_COLUMNS: [field: string, column: Column][] = Object.entries(columns)

/**
 * The same for a source that names an index, which Drizzle has no word for: it then lets no column pass that it can not
 * see the table of, but takes an expression that is nothing but the column.
 */
export const customerExpressions = Object.fromEntries(
  Object.entries(columns).map(([field, column]) => [field, sql`${column}`.mapWith(column)]),
) as unknown as typeof customerColumns

export type CustomerRow = Omit<
  typeof customers.$inferSelect,
  'changeId' | 'changeRequestId' | 'changeReason' | 'changeOnboarding'
>

/** A row as D1 gives it, by the names of its columns, in the types of the table. */
export function customerRowOf(columns: Record<string, unknown>): CustomerRow {
  const row: Record<string, unknown> = {}
  for (const [field, column] of CUSTOMER_COLUMNS) {
    const value = columns[column.name]
    row[field] = value === null ? null : column.mapFromDriverValue(value)
  }
  return row as CustomerRow
}

export function customerOf(row: CustomerRow): Customer {
  return {
    tenantId: row.tenantId,
    mode: row.mode,
    id: row.id,
    externalId: row.externalId,
    name: row.name,
    email: row.email,
    contact: row.contact,
    addressLine1: row.addressLine1,
    addressLine2: row.addressLine2,
    addressCity: row.addressCity,
    addressState: row.addressState,
    addressPostalCode: row.addressPostalCode,
    addressCountry: row.addressCountry,
    timezone: row.timezone,
    parentId: row.parentId,
    metadata: row.metadata,
    // The triggers could not have mirrored an integration that lacks one of the two.
    integrations: row.integrations as Integration[],
    profile: row.profile,
    status: row.archivedAtMs === null ? row.status : 'archived',
    version: row.version,
    createdAtMs: row.createdAtMs,
    updatedAtMs: row.updatedAtMs,
    createdBy: row.createdBy,
    updatedBy: row.updatedBy,
  }
}

/** The customer as an event has it: what the row was, right after that change. */
export function customerOfDocument({ tenantId, mode }: Scope, document: CustomerDocument): Customer {
  const { address, stamps } = document
  return customerOf({
    tenantId,
    mode,
    id: document.id,
    externalId: document.external_id,
    name: document.name,
    email: document.email,
    contact: document.contact,
    addressLine1: address.line1,
    addressLine2: address.line2,
    addressCity: address.city,
    addressState: address.state,
    addressPostalCode: address.postal_code,
    addressCountry: address.country,
    timezone: document.timezone,
    parentId: document.parent_id,
    metadata: document.metadata,
    integrations: document.integrations,
    profile: document.profile,
    status: document.status,
    archivedAtMs: document.archived_at,
    erasedAtMs: null,
    version: document.version,
    createdAtMs: stamps.created_at,
    updatedAtMs: stamps.updated_at,
    createdBy: stamps.created_by,
    updatedBy: stamps.updated_by,
  })
}

/** A row as an event keeps it: what the triggers write, for an event that comes with no change of the row. */
export function documentOf(row: CustomerRow): CustomerDocument {
  return {
    id: row.id,
    external_id: row.externalId,
    name: row.name,
    email: row.email,
    contact: row.contact,
    timezone: row.timezone,
    address: {
      line1: row.addressLine1,
      line2: row.addressLine2,
      city: row.addressCity,
      state: row.addressState,
      postal_code: row.addressPostalCode,
      country: row.addressCountry,
    },
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

/** The receipt in the event of an erasure; undefined in any other. */
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
