/**
 * The operations on tenants and their keys, one function each. The admin API calls these and nothing below.
 *
 * A decision is in force when the response is sent (promise C2). The order: D1 first, in one batch, so that no
 * acknowledged decision is lost; then both gates load it from the primary and grant no more leases under the old
 * policy; then the Worker sleeps until the last earlier lease has expired; then the version is marked as applied. If
 * any step is interrupted, the applied version stays behind, and a repeat of the request or the sweep continues.
 */

import type { Usage } from '../gate/protocol/usage.ts'
import { type IdempotentRequest, withIdempotency } from '../idempotency/idempotency.ts'
import type { Mode } from '../registry/customer.ts'
import { invalidField, notFound, RegistryError, ruledOut, unavailable } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { log } from '../shared/log.ts'
import { bringInForce, replayInForce } from './in-force.ts'
import { mintKey } from './key-format.ts'
import type { Page, PageRequest, StoredTenant, TenantChanges, TenantDeps, TenantQuery } from './ports.ts'
import { ContractEndsBeforeStart, KEYS_MAX, TooManyKeys } from './ports.ts'
import type { ApiKey, KeyScope, Tenant } from './tenant.ts'
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
  const { store, clock } = deps
  // No gate has loaded it yet, so nothing has to be brought in force.
  return withIdempotency({ store, clock }, idempotentRequest, async (keep) => {
    const tenant = newTenant(deps, fields)
    const response = await keep(tenant)
    await keepingContractOrder(() => store.insert(tenant, response))
    return tenant
  })
}

function newTenant(deps: TenantDeps, fields: TenantChanges & { companyName: string; contactEmail: string }): Tenant {
  const nowMs = deps.clock()
  const tier = fields.tier ?? DEFAULT_TIER
  if (fields.limits && tier !== 'custom') throw limitsNeedCustom(tier)
  return {
    id: deps.newTenantId(nowMs),
    companyName: fields.companyName,
    contactEmail: fields.contactEmail,
    tier,
    status: fields.status ?? 'active',
    limits: limitsFor(tier, TIER_LIMITS.starter, fields.limits),
    contractStartMs: fields.contractStartMs ?? null,
    contractEndMs: fields.contractEndMs ?? null,
    metadata: fields.metadata ?? '{}',
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    version: 1,
    policyVersion: 1,
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
 * left returns the same receipt. Throws `RegistryError` with `not_found`, `invalid_input` if no name is right, or
 * `tenant_not_suspended`.
 */
export async function deleteTenant(
  deps: TenantDeps,
  tenantId: string,
  names: readonly string[],
): Promise<TenantDeletion> {
  const tenant = found(await deps.store.delete(tenantId, names, deps.clock()))
  const { companyName, deletedAtMs } = tenant
  if (!names.includes(companyName)) throw deletedAtMs === null ? notConfirmed(companyName) : notFound('tenant')
  if (deletedAtMs === null) throw new RegistryError({ reason: 'tenant_not_suspended', companyName })
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
  try {
    const [live, test] = await Promise.all([deps.gates.usage(tenantId, 'live'), deps.gates.usage(tenantId, 'test')])
    return { tenant, live, test, storedBytes }
  } catch {
    throw unavailable()
  }
}

export interface KeyFields {
  name: string
  mode: Mode
  scopes: KeyScope[]
  expiresAtMs: number | null
}

/**
 * A new key with its text. Only the response to the request, or to a repeat of it, has the text: only a hash is stored.
 */
export interface NewKey {
  key: ApiKey
  text: string
}

export function createKey(
  deps: TenantDeps,
  tenantId: string,
  fields: KeyFields,
  idempotentRequest: IdempotentRequest | null = null,
): Promise<NewKey> {
  return withIdempotency(replayInForce(deps, tenantId), idempotentRequest, async (keep) => {
    const nowMs = deps.clock()
    refusePast(fields.expiresAtMs, nowMs)
    const made = await newKey(deps, { ...fields, tenantId, createdAtMs: nowMs, rotatedFrom: null })
    const response = await keep(made)
    const tenant = await boundingKeys(() => deps.store.insertKey(made.key, response))
    await bringInForce(deps, found(tenant))
    return made
  })
}

/** Returns keys newest first, including dead ones: records of their actions have their ids. */
export async function listKeys(deps: TenantDeps, tenantId: string, page: PageRequest): Promise<Page<ApiKey>> {
  return found(await deps.store.listKeys(tenantId, page))
}

/**
 * Resolves when the key is dead everywhere. Revoking a key twice is allowed, so an interrupted request can be repeated.
 */
export async function revokeKey(deps: TenantDeps, tenantId: string, keyId: string): Promise<void> {
  const { tenant, key } = await deps.store.revokeKey(tenantId, keyId, deps.clock())
  const known = found(tenant)
  if (!key) throw notFound('key')
  await bringInForce(deps, known)
}

/**
 * Replaces a key by a new one with the same name, mode and scopes. The old key works for `overlapMs` more. The new one
 * expires when the old one would have, unless `expiresAtMs` is given.
 */
export function rotateKey(
  deps: TenantDeps,
  tenantId: string,
  keyId: string,
  options: { overlapMs: number; expiresAtMs: number | null | undefined },
  idempotentRequest: IdempotentRequest | null = null,
): Promise<NewKey> {
  return withIdempotency(replayInForce(deps, tenantId), idempotentRequest, async (keep) => {
    const nowMs = deps.clock()
    refusePast(options.expiresAtMs ?? null, nowMs)
    const old = await deps.store.getKey(tenantId, keyId)
    if (!old) throw notFound((await deps.store.get(tenantId)) ? 'key' : 'tenant')
    const { name, mode, scopes } = old
    const expiresAtMs = options.expiresAtMs === undefined ? old.expiresAtMs : options.expiresAtMs
    const made = await newKey(deps, {
      tenantId,
      name,
      mode,
      scopes,
      expiresAtMs,
      createdAtMs: nowMs,
      rotatedFrom: keyId,
    })
    const oldExpiresAtMs = options.overlapMs > 0 ? nowMs + options.overlapMs : null
    const replacement = { old, new: made.key, oldExpiresAtMs, nowMs }
    const response = await keep(made)
    const { tenant, key, replacedBy } = await boundingKeys(() => deps.store.replaceKey(replacement, response))
    if (replacedBy && replacedBy.id !== made.key.id) throw replacedBefore(replacedBy.id)
    // The key's end changed between the read and the change: a retry reads it as it is now.
    if (!replacedBy && key && key.expiresAtMs !== old.expiresAtMs) throw unavailable()
    if (!replacedBy) throw notFound('key')
    await bringInForce(deps, found(tenant))
    return made
  })
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

async function newKey(deps: TenantDeps, fields: Omit<ApiKey, 'id' | 'secretHash' | 'revokedAtMs'>): Promise<NewKey> {
  const { tenantId, mode, createdAtMs } = fields
  // env.ts requires at least one secret.
  const { key: text, secretHash } = await mintKey(tenantId, mode, deps.signingSecrets[0] as string)
  return { key: { ...fields, id: deps.newId('key', createdAtMs), secretHash, revokedAtMs: null }, text }
}

function found<T>(value: T | null): T {
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

async function boundingKeys<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!(error instanceof TooManyKeys)) throw error
    const fix = 'revoke keys that are not used any more, and share one among the servers of a service'
    throw ruledOut('mode', `has ${KEYS_MAX.toLocaleString('en')} keys in use, which is the most`, fix)
  }
}

function refusePast(expiresAtMs: number | null, nowMs: number): void {
  if (expiresAtMs !== null && expiresAtMs <= nowMs) {
    throw invalidField(
      'expires_at',
      'is not in the future',
      'send a later time, or leave it out for a key without an end',
    )
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

function replacedBefore(newerKeyId: string): RegistryError {
  return ruledOut('key_id', `was already rotated into ${newerKeyId}`, `rotate ${newerKeyId} instead`)
}
