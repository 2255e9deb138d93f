/**
 * Between a row of `customers` and a customer of the registry. Owns which columns are read, nothing about which rows.
 */
import { getTableColumns, sql } from 'drizzle-orm'
import type { Customer, Integration } from '../registry/customer.ts'
import { customers } from './tables.ts'

const { changeId: _id, changeRequestId: _requestId, changeReason: _reason, ...columns } = getTableColumns(customers)

/** What a customer is made of: all columns but those that only tell the triggers about the change. */
export const customerColumns = columns

/**
 * The same for a source that names an index, which Drizzle has no word for: it then lets no column pass that it can not
 * see the table of, but takes an expression that is nothing but the column.
 */
export const customerExpressions = Object.fromEntries(
  Object.entries(columns).map(([field, column]) => [field, sql`${column}`.mapWith(column)]),
) as unknown as typeof customerColumns

export type CustomerRow = Omit<typeof customers.$inferSelect, 'changeId' | 'changeRequestId' | 'changeReason'>

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
