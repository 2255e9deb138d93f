/**
 * The tables whose rows move with a tenant, and how they are copied. `test/workers/databases/moved-tables.test.ts` fails for a
 * table of tenants that is not here.
 */
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { archiveObjects, customerStays, formerExternalIds } from '../schema/archive-tables.ts'
import { customerPlaces } from '../schema/search-tables.ts'
import {
  customerAliases,
  customerCounts,
  customerMerges,
  customers,
  erasures,
  events,
  idempotencyRecords,
  integrationMappings,
  operatorChanges,
  storageUse,
} from '../schema/tables.ts'
import { adminAudit } from '../schema/tenant-tables.ts'
import { onboardingRuns, settings, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'

/** A table that is copied row by row. Its triggers in `migrations/0012_moves.sql` note the `key` of a row that changes. */
export interface CopiedTable {
  schema: SQLiteTable
  name: string
  /** All columns but the tenant. */
  columns: readonly string[]
  /** The columns that name a row of a tenant. */
  key: readonly string[]
  /** The columns in whose order pages are read. They name a row too, and an index has them in that order. */
  order: readonly string[]
  /** The index of that order, if it is not that of the primary key. */
  index?: string
  /** Columns that may be long, for the bytes of a page. */
  long: readonly string[]
  /** Selects the rows of this table that stand with the tenant. */
  only?: string
}

/** The entries of the audit that stand in the database of the tenant. Those of tenants and keys stand in the directory. */
const OF_ENDPOINTS_AND_SETTINGS = "(type GLOB 'webhook.*' OR type GLOB 'onboarding.*')"

type Described = Omit<CopiedTable, 'schema' | 'name' | 'columns' | 'order' | 'long'> &
  Partial<Pick<CopiedTable, 'order' | 'long'>>

function copied(table: SQLiteTable, described: Described): CopiedTable {
  return {
    schema: table,
    name: getTableName(table),
    columns: columnsOf(table),
    order: described.key,
    long: [],
    ...described,
  }
}

function columnsOf(table: SQLiteTable): string[] {
  return Object.values(getTableColumns(table))
    .map(({ name }) => name)
    .filter((name) => name !== 'tenant_id')
}

/** The tables in the order in which they are copied. */
export const COPIED_TABLES: readonly CopiedTable[] = [
  copied(customers, {
    key: ['mode', 'id'],
    long: ['metadata', 'profile', 'integrations', 'folded', 'change_detail'],
  }),
  copied(customerMerges, { key: ['mode', 'source_id'], long: ['given'] }),
  copied(events, { key: ['mode', 'id'], long: ['before', 'after', 'detail'] }),
  copied(idempotencyRecords, { key: ['mode', 'key'], long: ['failure', 'sealed'] }),
  copied(webhookDeliveries, {
    key: ['id'],
    order: ['mode', 'customer_id', 'endpoint_id', 'status', 'id'],
    index: 'webhook_deliveries_chain',
  }),
  copied(customerStays, { key: ['mode', 'host_id', 'customer_id', 'above_version'] }),
  copied(formerExternalIds, { key: ['mode', 'external_id', 'left_at', 'customer_id'] }),
  copied(archiveObjects, { key: ['mode', 'last_id'], long: ['customers'] }),
  copied(onboardingRuns, { key: ['mode', 'customer_id'], long: ['steps', 'progress'] }),
  copied(adminAudit, {
    key: ['id'],
    index: 'admin_audit_tenant',
    long: ['before', 'after'],
    only: OF_ENDPOINTS_AND_SETTINGS,
  }),
]

/** Small tables, and those that only triggers write. They are copied whole, while nothing can change them. */
const COPIED_WHOLE = [customerCounts, storageUse, webhookEndpoints, settings, erasures]
export const WHOLE_TABLES: readonly Pick<CopiedTable, 'schema' | 'name' | 'columns' | 'only'>[] = COPIED_WHOLE.map(
  (table) => ({ schema: table, name: getTableName(table), columns: columnsOf(table) }),
)

/** Tables that are copied with the row of another table that theirs belong to: with customers and events. */
export const ALONG_TABLES: readonly CopiedTable[] = [
  copied(customerAliases, { key: ['mode', 'external_id'] }),
  copied(integrationMappings, { key: ['mode', 'provider', 'entity_id'] }),
  copied(operatorChanges, { key: ['mode', 'event_id'] }),
]

/** The places of customers are copied with them too, and deleted by a trigger. They have no index that begins with the tenant. */
export const PLACES = getTableName(customerPlaces)

/** Returns the condition of the rows of a tenant; the tenant is the parameter `?1`. */
export function ofTenant({ only }: { name: string; only?: string }): string {
  return only ? `tenant_id = ?1 AND ${only}` : 'tenant_id = ?1'
}

/** Returns the columns of the unique key of a table: these name a row among those of all tenants. */
export function uniqueKey({ name, key }: Pick<CopiedTable, 'name' | 'key'>): readonly string[] {
  return KEYS_OF_ALL.includes(name) ? key : ['tenant_id', ...key]
}

/** Tables whose keys are unique among all tenants. */
const KEYS_OF_ALL = ['webhook_deliveries', 'admin_audit']
