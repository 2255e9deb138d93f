/**
 * Maps between operators' changes and the rows of `tenants` and `api_keys`: which columns a change sets, whether it
 * changes anything, and what a row means. Pure; tenants.ts runs the statements.
 */
import { and, eq, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { Precondition } from '../../registry/precondition.ts'
import type {
  DeletedTenant,
  KeyChange,
  Page,
  PageRequest,
  StoredTenant,
  TenantChanges,
  TenantQuery,
} from '../../tenants/ports.ts'
import type { ApiKey, KeyScope, Tenant } from '../../tenants/tenant.ts'
import { type Limits, TIER_LIMITS } from '../../tenants/tiers.ts'
import { differsFrom } from '../differs.ts'
import { containsFolded, foldedPatch } from '../folded.ts'
import { meets } from '../precondition.ts'
import { type apiKeys, tenants } from '../schema/tenant-tables.ts'

type TenantRow = typeof tenants.$inferSelect
type KeyRow = typeof apiKeys.$inferSelect

/** Columns whose change raises the policy version. */
const POLICY_COLUMNS: ReadonlySet<string> = new Set([
  'tier',
  'status',
  'requestsPerSecond',
  'burst',
  'annualCommitment',
  'annualValidationLimit',
  'contractStartMs',
  // The gate does not know these, but the tenant's database has a copy of them, which is brought there with a policy.
  'storageBytes',
  'eventRetentionDays',
])

/**
 * Sets only columns that were given and differ, in SQL: two concurrent changes do not undo each other. Changes nothing
 * if the tenant does not meet the precondition. Returns null when nothing was given.
 */
export function updateOf(tenantId: string, changes: TenantChanges, precondition: Precondition | null, nowMs: number) {
  const given = Object.entries(columnsOf(changes)).filter(([, value]) => value !== undefined)
  if (given.length === 0) return null
  const policy = given.filter(([name]) => POLICY_COLUMNS.has(name))
  const differs = (columns: typeof given) => differsFrom(tenants, Object.fromEntries(columns))
  const folded = foldedPatch(foldedTextsOf(changes))
  return {
    set: {
      ...Object.fromEntries(given),
      ...(folded !== null && { folded: sql`json_patch(${tenants.folded}, ${folded})` }),
      updatedAtMs: nowMs,
      version: sql`${tenants.version} + 1`,
      ...(policy.length > 0 && { policyVersion: sql`${tenants.policyVersion} + ${differs(policy)}` }),
    },
    where: and(
      isTenant(tenantId),
      differs(given),
      meets(tenants, precondition),
      changes.limits && !changes.tier ? eq(tenants.tier, 'custom') : undefined,
    ),
  }
}

/** Selects a tenant that is not deleted. */
export function isTenant(tenantId: string): SQL | undefined {
  return and(eq(tenants.id, tenantId), isNull(tenants.deletedAtMs))
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
    search === undefined ? undefined : or(...SEARCHED.map((column) => containsFolded(tenants.folded, column, search))),
  ]
}

/** The columns that a search looks into. */
const SEARCHED = [tenants.companyName, tenants.contactEmail]

function foldedTextsOf({ companyName, contactEmail }: Pick<TenantChanges, 'companyName' | 'contactEmail'>) {
  return { [tenants.companyName.name]: companyName, [tenants.contactEmail.name]: contactEmail }
}

export function rowOf(tenant: Tenant): Omit<
  typeof tenants.$inferInsert,
  'policyAppliedVersion' | 'deletedAtMs' | 'folded'
> & {
  folded: SQL
} {
  const { limits, ...rest } = tenant
  // The merge leaves the nulls of the patch out.
  return { ...rest, ...limits, folded: sql`json_patch('{}', ${foldedPatch(foldedTextsOf(tenant))})` }
}

export function tenantOf(row: TenantRow): Tenant {
  const { policyAppliedVersion: _version, deletedAtMs: _deletedAtMs, folded: _folded, ...facts } = row
  const { requestsPerSecond, burst, annualCommitment, annualValidationLimit, storageBytes, ...rest } = facts
  const limits: Limits = { requestsPerSecond, burst, annualCommitment, annualValidationLimit, storageBytes }
  return { ...rest, limits }
}

export function storedOf(row: TenantRow | undefined): StoredTenant | null {
  return row ? { ...tenantOf(row), policyAppliedVersion: row.policyAppliedVersion } : null
}

export function deletedOf(row: TenantRow | undefined, move: DeletedTenant['move']): DeletedTenant | null {
  const stored = storedOf(row)
  return row && stored ? { ...stored, deletedAtMs: row.deletedAtMs, move } : null
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
