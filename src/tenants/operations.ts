/**
 * The operations on tenants, one function each; those on their keys are in `keys.ts`. The admin API calls these and nothing below.
 *
 * A decision is in force when the response is sent (promise C2). The order: D1 first, in one batch, so that no
 * acknowledged decision is lost; then both gates load it from the primary and grant no more leases under the old
 * policy; then the Worker sleeps until the last earlier lease has expired; then the version is marked as applied. If
 * any step is interrupted, the applied version stays behind, and a repeat of the request or the sweep continues.
 */

import type { Usage } from '../gate/protocol/usage.ts'
import { type IdempotentRequest, withIdempotency } from '../idempotency/idempotency.ts'
import type { Mode } from '../registry/customer.ts'
import { invalidField, notFound, RegistryError, unavailable } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { log } from '../shared/log.ts'
import { bringInForce, replayInForce } from './in-force.ts'
import type { Page, PageRequest, StoredTenant, TenantChanges, TenantDeps, TenantQuery } from './ports.ts'
import { ContractEndsBeforeStart } from './ports.ts'
import { EVENT_RETENTION_DAYS, type Tenant } from './tenant.ts'
import { DEFAULT_TIER, limitsFor, TIER_LIMITS } from './tiers.ts'

/**
 * Tenants that a sweep handles at once. After D1 was set back, every tenant is behind. Each tenant is one query of D1,
 * and an invocation of the cron, which has other work too, may make 1,000.
 */
const SWEEP_PAGE = 50
const SWEEP_TENANTS_MAX = 250

export function createTenant(
  deps: TenantDeps,
  fields: TenantChanges & { companyName: string; contactEmail: string },
  idempotentRequest: IdempotentRequest | null = null,
): Promise<Tenant> {
  return withIdempotency(
    replayInForce(deps, ({ id }: Tenant) => id),
    idempotentRequest,
    async (keep) => {
      const tenant = newTenant(deps, fields, await deps.chooseDatabase())
      const response = await keep(tenant)
      // No gate has loaded it yet, so nothing has to be brought in force, but another database than the directory's needs a copy.
      const policyAppliedVersion = tenant.database === 0 ? tenant.policyVersion : 0
      const stored = { ...tenant, policyAppliedVersion }
      await keepingContractOrder(() => deps.store.insert(stored, response))
      await bringInForce(deps, stored)
      return tenant
    },
  )
}

function newTenant(
  deps: TenantDeps,
  fields: TenantChanges & { companyName: string; contactEmail: string },
  database: number,
): Tenant {
  const nowMs = deps.clock()
  const tier = fields.tier ?? DEFAULT_TIER
  if (fields.limits && tier !== 'custom') throw limitsNeedCustom(tier)
  return {
    id: deps.newTenantId(nowMs, database),
    companyName: fields.companyName,
    contactEmail: fields.contactEmail,
    tier,
    status: fields.status ?? 'active',
    limits: limitsFor(tier, TIER_LIMITS.starter, fields.limits),
    contractStartMs: fields.contractStartMs ?? null,
    contractEndMs: fields.contractEndMs ?? null,
    metadata: fields.metadata ?? '{}',
    eventRetentionDays: fields.eventRetentionDays ?? EVENT_RETENTION_DAYS.initial,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    version: 1,
    policyVersion: 1,
    database,
  }
}

export async function getTenant(deps: TenantDeps, tenantId: string): Promise<Tenant> {
  return found(await deps.store.get(tenantId))
}

export function listTenants(deps: TenantDeps, query: TenantQuery, page: PageRequest): Promise<Page<Tenant>> {
  return deps.store.list(query, page)
}

/**
 * Resolves when the changes are in force. Throws `RegistryError` with `version_conflict` if the tenant does not meet the
 * precondition; it is then unchanged.
 */
export async function updateTenant(
  deps: TenantDeps,
  tenantId: string,
  changes: TenantChanges,
  precondition: Precondition | null = null,
): Promise<Tenant> {
  if (changes.limits && changes.tier && changes.tier !== 'custom') throw limitsNeedCustom(changes.tier)
  const tenant = found(
    await keepingContractOrder(() => deps.store.update(tenantId, changes, precondition, deps.clock())),
  )
  // The store changed nothing in this case.
  if (changes.limits && tenant.tier !== 'custom') throw limitsNeedCustom(tenant.tier)
  await bringInForce(deps, tenant)
  if (changes.status === 'active') await deps.resumeDeliveries(tenantId)
  return tenant
}

/** The receipt of a deletion. */
export interface TenantDeletion {
  tenantId: string
  companyName: string
  deletedAtMs: number
}

/**
 * Deletes a suspended tenant. Resolves when its keys are refused everywhere and it is found nowhere; its rows are
 * deleted afterwards. `names` are the readings of what the operator sent as its company name. A repeat while rows are
 * left returns the same receipt. Throws `RegistryError` with `not_found`, `invalid_input` if no name is right, `tenant_moving`, or
 * `tenant_not_suspended`.
 */
export async function deleteTenant(
  deps: TenantDeps,
  tenantId: string,
  names: readonly string[],
): Promise<TenantDeletion> {
  const tenant = found(await deps.store.delete(tenantId, names, deps.clock()))
  const { companyName, deletedAtMs, move } = tenant
  if (!names.includes(companyName)) throw deletedAtMs === null ? notConfirmed(companyName) : notFound('tenant')
  if (deletedAtMs === null) {
    throw new RegistryError(
      move && tenant.status === 'suspended'
        ? { reason: 'tenant_moving', ...move }
        : { reason: 'tenant_not_suspended', companyName },
    )
  }
  await bringInForce(deps, tenant)
  return { tenantId, companyName, deletedAtMs }
}

/** The counts of both gates and the bytes of both modes, with the tenant whose limits apply to them. */
export interface TenantUsage {
  tenant: Tenant
  live: Usage
  test: Usage
  storedBytes: Record<Mode, number>
}

export async function tenantUsage(deps: TenantDeps, tenantId: string): Promise<TenantUsage> {
  const tenant = await getTenant(deps, tenantId)
  const storedBytes = await deps.store.storedBytes(tenantId)
  const [live, test] = await Promise.all([usageOf(deps, tenantId, 'live'), usageOf(deps, tenantId, 'test')])
  return { tenant, live, test, storedBytes }
}

/** Returns the counts of one gate. Throws `RegistryError` with `unavailable` if it does not answer. */
export async function usageOf({ gates }: TenantDeps, tenantId: string, mode: Mode): Promise<Usage> {
  try {
    return await gates.usage(tenantId, mode)
  } catch {
    throw unavailable()
  }
}

/** The counts of one gate and the bytes of its mode, with the tenant whose limits apply to them. */
export interface ModeUsage {
  tenant: Tenant
  usage: Usage
  storedBytes: number
}

export async function modeUsage(deps: TenantDeps, tenantId: string, mode: Mode): Promise<ModeUsage> {
  const [tenant, bytes] = await Promise.all([getTenant(deps, tenantId), deps.store.storedBytes(tenantId)])
  return { tenant, usage: await usageOf(deps, tenantId, mode), storedBytes: bytes[mode] }
}

/**
 * Completes decisions that were interrupted between D1 and the gates. A failure for one tenant does not delay the
 * others.
 */
export async function applyPendingPolicies(deps: TenantDeps): Promise<void> {
  let afterId = ''
  for (let taken = 0; taken < SWEEP_TENANTS_MAX; taken += SWEEP_PAGE) {
    const behind = await deps.store.unapplied(afterId, SWEEP_PAGE)
    await Promise.all(behind.map((tenant) => completePolicy(deps, tenant)))
    if (behind.length < SWEEP_PAGE) return
    afterId = behind.at(-1)?.id ?? afterId
  }
}

async function completePolicy(deps: TenantDeps, tenant: StoredTenant): Promise<void> {
  try {
    await bringInForce(deps, tenant)
    log('info', { event: 'policy_completed', tenantId: tenant.id, version: tenant.policyVersion })
  } catch {
    // bringInForce has logged it, and the next sweep retries.
  }
}

/** Returns the value. Throws `RegistryError` with `not_found` if there is no such tenant. */
export function found<T>(value: T | null): T {
  if (value === null) throw notFound('tenant')
  return value
}

async function keepingContractOrder<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!(error instanceof ContractEndsBeforeStart)) throw error
    throw invalidField('contract_end', 'is before contract_start', 'send an end that is not before the start')
  }
}

function limitsNeedCustom(tier: string): RegistryError {
  return invalidField(
    'limits',
    `cannot be set for the tier ${tier}, which has its own`,
    'leave limits out, or send "tier": "custom" with them',
  )
}

function notConfirmed(companyName: string): RegistryError {
  return invalidField(
    'x-confirm',
    'is not the company name of this customer',
    `send ${companyName} to delete it with everything it has, in percent-encoding if it is not ASCII`,
  )
}
