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
import { describeError, log } from '../shared/log.ts'
import { mintKey } from './key-format.ts'
import type { GateUsage, Page, PageRequest, StoredTenant, TenantChanges, TenantDeps, TenantQuery } from './ports.ts'
import { ContractEndsBeforeStart } from './ports.ts'
import type { ApiKey, KeyScope, Tenant } from './tenant.ts'
import { DEFAULT_TIER, limitsFor, TIER_LIMITS } from './tiers.ts'

const MODES: Mode[] = ['live', 'test']
const RETRY_AFTER_MS = 1_000
/** Tenants one sweep takes on: few are ever behind, and the next sweep is a minute away. */
const SWEEP_TENANTS_MAX = 50

export async function createTenant(
  deps: TenantDeps,
  fields: TenantChanges & { companyName: string; contactEmail: string },
): Promise<Tenant> {
  const nowMs = deps.clock()
  const tier = fields.tier ?? DEFAULT_TIER
  if (fields.limits && tier !== 'custom') throw limitsNeedCustom(tier)
  const tenant: Tenant = {
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
    // No gate can know it yet, so none has to be told.
    policyVersion: 1,
  }
  await keepingContractOrder(() => deps.store.insert(tenant))
  return tenant
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
    throw new Refused({ reason: 'unavailable', retryAfterMs: 1_000 })
  }
}

export interface KeyFields {
  name: string
  mode: Mode
  scopes: KeyScope[]
  expiresAtMs: number | null
}

/** The text is told here and never again: only a hash of it is kept. */
export async function createKey(
  deps: TenantDeps,
  tenantId: string,
  fields: KeyFields,
): Promise<{ key: ApiKey; text: string }> {
  const nowMs = deps.clock()
  refusePast(fields.expiresAtMs, nowMs)
  const { text, secretHash } = await newSecret(deps, tenantId, fields.mode)
  const id = deps.newId('key', nowMs)
  const key: ApiKey = { ...fields, id, tenantId, secretHash, createdAtMs: nowMs, revokedAtMs: null, rotatedFrom: null }
  await bringInForce(deps, found(await deps.store.insertKey(key)))
  return { key, text }
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
export async function rotateKey(
  deps: TenantDeps,
  tenantId: string,
  keyId: string,
  options: { overlapMs: number; expiresAtMs: number | null | undefined },
): Promise<{ key: ApiKey; text: string }> {
  const nowMs = deps.clock()
  refusePast(options.expiresAtMs ?? null, nowMs)
  // The mode is part of the key's text, so it has to be known first. It never changes.
  const old = await deps.store.getKey(tenantId, keyId)
  if (!old) throw new Refused({ reason: 'not_found', resource: (await deps.store.get(tenantId)) ? 'key' : 'tenant' })
  const { text, secretHash } = await newSecret(deps, tenantId, old.mode)
  const newKeyId = deps.newId('key', nowMs)
  const { tenant, replacedBy } = await deps.store.replaceKey({
    tenantId,
    oldKeyId: keyId,
    newKeyId,
    newSecretHash: secretHash,
    newExpiresAtMs: options.expiresAtMs,
    oldExpiresAtMs: options.overlapMs > 0 ? nowMs + options.overlapMs : null,
    nowMs,
  })
  if (replacedBy && replacedBy.id !== newKeyId) throw replacedBefore(replacedBy.id)
  if (!replacedBy) throw new Refused({ reason: 'not_found', resource: 'key' })
  await bringInForce(deps, found(tenant))
  return { key: replacedBy, text }
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

async function bringInForce(deps: TenantDeps, tenant: StoredTenant): Promise<void> {
  if (tenant.policyAppliedVersion >= tenant.policyVersion) return
  const answers = await Promise.allSettled(MODES.map((mode) => deps.gates.reload(tenant.id, mode)))
  const waits = answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value.waitMs
    const { id: tenantId, policyVersion: version } = tenant
    log('error', { event: 'policy_not_applied', tenantId, version, error: describeError(answer.reason) })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  })
  const waitMs = Math.max(...waits)
  if (waitMs > 0) await deps.sleep(waitMs)
  await deps.store.markApplied(tenant.id, tenant.policyVersion).catch((error) => {
    // It is in force; only the mark is missing, and the sweep will set it.
    log('warn', { event: 'policy_not_marked', tenantId: tenant.id, error: describeError(error) })
  })
}

async function newSecret(
  deps: TenantDeps,
  tenantId: string,
  mode: Mode,
): Promise<{ text: string; secretHash: string }> {
  // env.ts starts nothing without a secret.
  const { key: text, secretHash } = await mintKey(tenantId, mode, deps.signingSecrets[0] as string)
  return { text, secretHash }
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
