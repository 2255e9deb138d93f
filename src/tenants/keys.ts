/**
 * The operations on the keys of a tenant, one function each. A change is in force when it resolves, as those of tenants are
 * (`operations.ts`).
 */
import { type IdempotentRequest, withIdempotency } from '../idempotency/idempotency.ts'
import type { Mode } from '../registry/customer.ts'
import { invalidField, notFound, type RegistryError, ruledOut, unavailable } from '../registry/errors.ts'
import { bringInForce, replayInForce } from './in-force.ts'
import { mintKey } from './key-format.ts'
import { found, usageOf } from './operations.ts'
import { KEYS_MAX, type Page, type PageRequest, type TenantDeps, TooManyKeys } from './ports.ts'
import type { ApiKey, KeyScope } from './tenant.ts'

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
  return withIdempotency(
    replayInForce(deps, () => tenantId),
    idempotentRequest,
    async (keep) => {
      const nowMs = deps.clock()
      refusePast(fields.expiresAtMs, nowMs)
      const made = await newKey(deps, { ...fields, tenantId, createdAtMs: nowMs, rotatedFrom: null })
      const response = await keep(made)
      const tenant = await boundingKeys(() => deps.store.insertKey(made.key, response))
      await bringInForce(deps, found(tenant))
      return made
    },
  )
}

/** A key with the minute in which it was last used; null if it never was. */
export interface UsedKey extends ApiKey {
  lastUsedAtMs: number | null
}

/**
 * Returns keys of one mode, or of both, newest first, including dead ones: records of their actions have their ids. Throws
 * `RegistryError` with `unavailable` if a gate does not say when its keys were used.
 */
export async function listKeys(
  deps: TenantDeps,
  tenantId: string,
  page: PageRequest,
  mode?: Mode,
): Promise<Page<UsedKey>> {
  const { items, hasMore } = found(await deps.store.listKeys(tenantId, page, mode))
  const modes = [...new Set(items.map((key) => key.mode))]
  const usages = await Promise.all(modes.map((of) => usageOf(deps, tenantId, of)))
  const uses: Record<string, number> = Object.assign({}, ...usages.map(({ keyUses }) => keyUses))
  return { items: items.map((key) => ({ ...key, lastUsedAtMs: uses[key.id] ?? null })), hasMore }
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
  return withIdempotency(
    replayInForce(deps, () => tenantId),
    idempotentRequest,
    async (keep) => {
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
    },
  )
}

async function newKey(deps: TenantDeps, fields: Omit<ApiKey, 'id' | 'secretHash' | 'revokedAtMs'>): Promise<NewKey> {
  const { tenantId, mode, createdAtMs } = fields
  // env.ts requires at least one secret.
  const { key: text, secretHash } = await mintKey(tenantId, mode, deps.signingSecrets[0] as string)
  return { key: { ...fields, id: deps.newId('key', createdAtMs), secretHash, revokedAtMs: null }, text }
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

/** Throws `RegistryError` with `invalid_input` if a key would have ended before it is made. */
export function refusePast(expiresAtMs: number | null, nowMs: number): void {
  if (expiresAtMs !== null && expiresAtMs <= nowMs) {
    throw invalidField(
      'expires_at',
      'is not in the future',
      'send a later time, or leave it out for a key without an end',
    )
  }
}

function replacedBefore(newerKeyId: string): RegistryError {
  return ruledOut('key_id', `was already rotated into ${newerKeyId}`, `rotate ${newerKeyId} instead`)
}
