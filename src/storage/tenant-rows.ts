/**
 * Between the operator's words and the rows of `tenants` and `api_keys`: what a change sets and when it is one, and what a row
 * means. Pure; tenants.ts runs the statements.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { KeyChange, Page, PageRequest, StoredTenant, TenantChanges, TenantQuery } from '../tenants/ports.ts'
import type { ApiKey, KeyScope, Tenant } from '../tenants/tenant.ts'
import { type Limits, TIER_LIMITS } from '../tenants/tiers.ts'
import { type apiKeys, tenants } from './tables.ts'

type TenantRow = typeof tenants.$inferSelect
type KeyRow = typeof apiKeys.$inferSelect

/** Columns whose change the gates have to hear of. */
const POLICY_COLUMNS: ReadonlySet<string> = new Set([
  'tier',
  'status',
  'requestsPerSecond',
  'burst',
  'annualCommitment',
  'annualValidationLimit',
  'contractStartMs',
])

/** Only columns that were given and differ, in SQL: two changes at once each keep what the other did. Null: nothing given. */
export function updateOf(tenantId: string, changes: TenantChanges, nowMs: number) {
  const given = Object.entries(columnsOf(changes)).filter(([, value]) => value !== undefined)
  if (given.length === 0) return null
  const differs = (names: typeof given) =>
    sql.join(
      names.map(([name, value]) => {
        const column = tenants[name as keyof TenantRow]
        return sql`${column} IS NOT ${sql.param(value, column)}`
      }),
      sql` OR `,
    )
  const policy = given.filter(([name]) => POLICY_COLUMNS.has(name))
  return {
    set: {
      ...Object.fromEntries(given),
      updatedAtMs: nowMs,
      ...(policy.length > 0 && { policyVersion: sql`${tenants.policyVersion} + (${differs(policy)})` }),
    },
    where: and(
      eq(tenants.id, tenantId),
      sql`(${differs(given)})`,
      changes.limits && !changes.tier ? eq(tenants.tier, 'custom') : undefined,
    ),
  }
}

function columnsOf(changes: TenantChanges): Partial<TenantRow> {
  const { limits, ...rest } = changes
  const numbers = changes.tier && changes.tier !== 'custom' ? TIER_LIMITS[changes.tier] : limits
  return { ...rest, ...numbers } as Partial<TenantRow>
}

export function conditionsOf(query: TenantQuery): (SQL | undefined)[] {
  const { status, tier, search } = query
  return [
    status && eq(tenants.status, status),
    tier && eq(tenants.tier, tier),
    // Not LIKE: D1 takes patterns of 50 bytes at most, and % in a name is no wildcard.
    search === undefined
      ? undefined
      : sql`(instr(lower(${tenants.companyName}), lower(${search})) OR instr(lower(${tenants.contactEmail}), lower(${search})))`,
  ]
}

export function rowOf(tenant: Tenant): Omit<TenantRow, 'policyAppliedVersion'> {
  const { limits, ...rest } = tenant
  return { ...rest, ...limits }
}

export function tenantOf(row: TenantRow): Tenant {
  const { requestsPerSecond, burst, annualCommitment, annualValidationLimit, policyAppliedVersion: _, ...rest } = row
  const limits: Limits = { requestsPerSecond, burst, annualCommitment, annualValidationLimit }
  return { ...rest, limits }
}

export function storedOf(row: TenantRow | undefined): StoredTenant | null {
  return row ? { ...tenantOf(row), policyAppliedVersion: row.policyAppliedVersion } : null
}

export function keyOf(row: KeyRow): ApiKey {
  return { ...row, scopes: row.scopes as KeyScope[] }
}

export function keyChangeOf(tenant?: TenantRow, key?: KeyRow, replacedBy?: KeyRow): KeyChange {
  return { tenant: storedOf(tenant), key: key ? keyOf(key) : null, replacedBy: replacedBy ? keyOf(replacedBy) : null }
}

export function pageOf<Item>(items: Item[], page: PageRequest): Page<Item> {
  return { items: items.slice(0, page.limit), hasMore: items.length > page.limit }
}
