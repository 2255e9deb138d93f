/**
 * What an operator may do with tenants and their keys, one function each; the admin door calls these and nothing below.
 *
 * A decision is in force when it is answered (promise C2), in this order: D1 first, in one batch, so that nothing that was
 * acknowledged can be lost; then both gates read it from the primary and from then on lease nothing under the old policy;
 * then the Worker sleeps until the last lease that was given before has run out; then the version is marked as applied.
 * Interrupted anywhere, the version stays behind: a repeat of the request or the sweep goes on from there.
 */
import type { Mode } from '../registry/customer.ts'
import { Refused } from '../registry/failures.ts'
import type { Repeatable } from '../registry/once.ts'
import { log } from '../shared/log.ts'
import { bringInForce } from './in-force.ts'
import { mintKey } from './key-format.ts'
import { once } from './once.ts'
import type { GateUsage, Page, PageRequest, TenantChanges, TenantDeps, TenantQuery } from './ports.ts'
import { ContractEndsBeforeStart } from './ports.ts'
import type { ApiKey, KeyScope, Tenant } from './tenant.ts'
import { DEFAULT_TIER, limitsFor, TIER_LIMITS } from './tiers.ts'

const RETRY_AFTER_MS = 1_000
/** Tenants one sweep takes on: few are ever behind, and the next sweep is a minute away. */
const SWEEP_TENANTS_MAX = 50

export function createTenant(
  deps: TenantDeps,
  fields: TenantChanges & { companyName: string; contactEmail: string },
  repeatable: Repeatable | null = null,
): Promise<Tenant> {
  return once(deps, repeatable, async (keep) => {
    const tenant = newTenant(deps, fields)
    // No gate can know it yet, so nothing has to be brought in force.
    const kept = await keep(null, tenant)
    await keepingContractOrder(() => deps.store.insert(tenant, kept))
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
    metadata: fields.metadata ?? {},
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    policyVersion: 1,
  }
}

export async function getTenant(deps: TenantDeps, tenantId: string): Promise<Tenant> {
  return found(await deps.store.get(tenantId))
}

export function listTenants(deps: TenantDeps, query: TenantQuery, page: PageRequest): Promise<Page<Tenant>> {
  return deps.store.list(query, page)
}

/** In force when it resolves. */
export async function updateTenant(deps: TenantDeps, tenantId: string, changes: TenantChanges): Promise<Tenant> {
  if (changes.limits && changes.tier && changes.tier !== 'custom') throw limitsNeedCustom(changes.tier)
  const tenant = found(await keepingContractOrder(() => deps.store.update(tenantId, changes, deps.clock())))
  // The store changed nothing in this case.
  if (changes.limits && tenant.tier !== 'custom') throw limitsNeedCustom(tenant.tier)
  await bringInForce(deps, tenant)
  return tenant
}

/** What both gates have counted, with the tenant whose limits it is held against. */
export async function tenantUsage(
  deps: TenantDeps,
  tenantId: string,
): Promise<{ tenant: Tenant; live: GateUsage; test: GateUsage }> {
  const tenant = await getTenant(deps, tenantId)
  try {
    const [live, test] = await Promise.all([deps.gates.usage(tenantId, 'live'), deps.gates.usage(tenantId, 'test')])
    return { tenant, live, test }
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

/** A new key with its text, which is told here and to a repeat of the request, and never again: only a hash of it is kept. */
export interface NewKey {
  key: ApiKey
  text: string
}

export function createKey(
  deps: TenantDeps,
  tenantId: string,
  fields: KeyFields,
  repeatable: Repeatable | null = null,
): Promise<NewKey> {
  return once(deps, repeatable, async (keep) => {
    const nowMs = deps.clock()
    refusePast(fields.expiresAtMs, nowMs)
    const made = await newKey(deps, { ...fields, tenantId, createdAtMs: nowMs, rotatedFrom: null })
    const tenant = await deps.store.insertKey(made.key, await keep(tenantId, made))
    await bringInForce(deps, found(tenant))
    return made
  })
}

/** Newest first, dead ones too: their ids are in the records of what they did. */
export async function listKeys(deps: TenantDeps, tenantId: string, page: PageRequest): Promise<Page<ApiKey>> {
  return found(await deps.store.listKeys(tenantId, page))
}

/** Dead everywhere when it resolves. Revoking a key twice is no failure, so that an interrupted request can be repeated. */
export async function revokeKey(deps: TenantDeps, tenantId: string, keyId: string): Promise<void> {
  const { tenant, key } = await deps.store.revokeKey(tenantId, keyId, deps.clock())
  const known = found(tenant)
  if (!key) throw new Refused({ reason: 'not_found', resource: 'key' })
  await bringInForce(deps, known)
}

/**
 * A new key of the same name, mode and scopes in the place of an old one, which works on for `overlapMs` and is dead after it.
 * The new one ends when the old one was to end, unless `expiresAtMs` says otherwise.
 */
export function rotateKey(
  deps: TenantDeps,
  tenantId: string,
  keyId: string,
  options: { overlapMs: number; expiresAtMs: number | null | undefined },
  repeatable: Repeatable | null = null,
): Promise<NewKey> {
  return once(deps, repeatable, async (keep) => {
    const nowMs = deps.clock()
    refusePast(options.expiresAtMs ?? null, nowMs)
    const old = await deps.store.getKey(tenantId, keyId)
    if (!old) throw new Refused({ reason: 'not_found', resource: (await deps.store.get(tenantId)) ? 'key' : 'tenant' })
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
    const { tenant, key, replacedBy } = await deps.store.replaceKey(replacement, await keep(tenantId, made))
    if (replacedBy && replacedBy.id !== made.key.id) throw replacedBefore(replacedBy.id)
    // Its end was moved between the look at it and the change: the next try sees it as it is now.
    if (!replacedBy && key && key.expiresAtMs !== old.expiresAtMs) throw unavailable()
    if (!replacedBy) throw new Refused({ reason: 'not_found', resource: 'key' })
    await bringInForce(deps, found(tenant))
    return made
  })
}

/** Completes what was interrupted between D1 and the gates. One tenant's failure does not keep the others waiting. */
export async function applyPendingPolicies(deps: TenantDeps): Promise<void> {
  const behind = await deps.store.unapplied(SWEEP_TENANTS_MAX)
  await Promise.all(
    behind.map(async (tenant) => {
      try {
        await bringInForce(deps, tenant)
        log('info', { event: 'policy_completed', tenantId: tenant.id, version: tenant.policyVersion })
      } catch {
        // bringInForce has logged it, and the next sweep tries again.
      }
    }),
  )
}

async function newKey(deps: TenantDeps, fields: Omit<ApiKey, 'id' | 'secretHash' | 'revokedAtMs'>): Promise<NewKey> {
  const { tenantId, mode, createdAtMs } = fields
  // env.ts starts nothing without a secret.
  const { key: text, secretHash } = await mintKey(tenantId, mode, deps.signingSecrets[0] as string)
  return { key: { ...fields, id: deps.newId('key', createdAtMs), secretHash, revokedAtMs: null }, text }
}

function unavailable(): Refused {
  return new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
}

function found<T>(value: T | null): T {
  if (value === null) throw new Refused({ reason: 'not_found', resource: 'tenant' })
  return value
}

async function keepingContractOrder<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!(error instanceof ContractEndsBeforeStart)) throw error
    throw invalid('contract_end', 'is before contract_start', 'send an end that is not before the start')
  }
}

function refusePast(expiresAtMs: number | null, nowMs: number): void {
  if (expiresAtMs !== null && expiresAtMs <= nowMs) {
    throw invalid('expires_at', 'is not in the future', 'send a later time, or leave it out for a key without an end')
  }
}

function limitsNeedCustom(tier: string): Refused {
  return invalid(
    'limits',
    `can not be set for the tier ${tier}, which has its own`,
    'leave limits out, or send "tier": "custom" with them',
  )
}

function replacedBefore(newerKeyId: string): Refused {
  return invalid('key_id', `was already rotated into ${newerKeyId}`, `rotate ${newerKeyId} instead`)
}

/** There is one door for tenants, so its names for fields are the names. */
function invalid(field: string, message: string, fix: string): Refused {
  return new Refused({ reason: 'invalid_input', problems: [{ field, message, fix }] })
}
