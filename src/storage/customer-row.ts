/**
 * Maps a row of `customers`, or its copy in an event, to a customer of the registry and back. Defines which columns are
 * read, not which rows.
 */
import { getTableColumns, sql } from 'drizzle-orm'
import type { Customer, MergedAway, Scope } from '../registry/customer.ts'
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
  archiveKey: _archiveKey,
  ...columns
} = getTableColumns(customers)

/** The columns of a customer: all but those that only look-ups read or that only inform the triggers about the change. */
export const customerColumns = columns

/** The columns of a customer under their own names, as `customerIn` takes them. */
export const CUSTOMER_COLUMNS = sql.join(
  Object.values(columns).map((column) => sql`${column} AS ${sql.identifier(column.name)}`),
  sql`, `,
)

/**
 * The same columns as expressions, for a source with an index hint, which Drizzle cannot express. For such a source
 * Drizzle refuses a column whose table it cannot see, but accepts an expression that consists of the column.
 */
export const customerExpressions = Object.fromEntries(
  Object.entries(columns).map(([field, column]) => [field, sql`${column}`.mapWith(column)]),
) as unknown as typeof customerColumns

export type CustomerRow = Omit<
  typeof customers.$inferSelect,
  | 'emailAscii'
  | 'folded'
  | 'changeId'
  | 'changeRequestId'
  | 'changeReason'
  | 'changeOnboarding'
  | 'changeDetail'
  | 'archiveKey'
>

/** A row of D1 by the names of its columns, among which those of a customer are. */
export type RawRow = Record<string, unknown>
type RawCustomer = { [Field in keyof CustomerRow as (typeof columns)[Field]['_']['name']]: CustomerRow[Field] } & {
  [Json in 'metadata' | 'integrations' | 'profile']: string
}

/**
 * Returns the customer in a row of D1. Names each column by hand: a loop over them takes several times as long, and a page
 * has a thousand values. The compiler refuses a field that is missing.
 */
export function customerIn(row: RawRow): Customer {
  const raw = row as RawCustomer
  return {
    tenantId: raw.tenant_id,
    mode: raw.mode,
    id: raw.id,
    externalId: raw.external_id,
    name: raw.name,
    email: raw.email,
    contact: raw.contact,
    addressLine1: raw.address_line1,
    addressLine2: raw.address_line2,
    addressCity: raw.address_city,
    addressState: raw.address_state,
    addressPostalCode: raw.address_postal_code,
    addressCountry: raw.address_country,
    timezone: raw.timezone,
    parentId: raw.parent_id,
    metadata: JSON.parse(raw.metadata),
    integrations: JSON.parse(raw.integrations),
    profile: JSON.parse(raw.profile),
    status: raw.archived_at === null ? raw.status : 'archived',
    version: raw.version,
    createdAtMs: raw.created_at,
    updatedAtMs: raw.updated_at,
    createdBy: raw.created_by,
    updatedBy: raw.updated_by,
  }
}

/** Returns a row of D1 in the types of the table. */
export function customerRowOf(row: RawRow): CustomerRow {
  const { status, archived_at: archivedAtMs, erased_at: erasedAtMs, merged_into: mergedInto } = row as RawCustomer
  return { ...customerIn(row), status, archivedAtMs, erasedAtMs, mergedInto }
}

/** Returns what a row of D1 is for a read by id: a customer, or where it was merged into. */
export function foundIn(row: RawRow): Customer | MergedAway {
  const { merged_into: mergedInto } = row as RawCustomer
  return mergedInto === null ? customerIn(row) : { mergedInto }
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
