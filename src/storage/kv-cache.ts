/**
 * Caches customers in KV for other isolates. No other code touches the namespace. Every value carries the write number
 * of its read; the lease decides whether the value is still good, so this file has no clock. KV may be unavailable,
 * slow or stale: it can make a read faster and nothing else. In a jurisdiction there is no namespace, and nothing is stored.
 */

import type { Stamped } from '../gate/isolate/fresh-read.ts'
import type { Customer, MergedAway, Scope } from '../registry/customer.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import { sleep, within } from '../shared/sleep.ts'

/** Rises when a stored value changes its shape. An older value is then a miss. */
const VALUE_VERSION = 1
/** Values of customers that are no longer read expire by themselves. */
const VALUE_LIFE_SECONDS = 7 * 24 * 3600
/** A slow KV must not be slower than D1 would have been. */
const KV_TIMEOUT_MS = 400

export interface KvCache {
  customer(id: string): Promise<Stamped<Customer | MergedAway> | null>
  putCustomer(id: string, value: Stamped<Customer | MergedAway>): Promise<void>
  /** Returns the id that an external id had: a hint, to be checked against that customer. */
  customerId(externalId: string): Promise<string | null>
  putCustomerId(externalId: string, id: string): Promise<void>
  /** Deletes the customers and the entries of their external ids. Rejects when KV is unavailable. */
  forget(ids: readonly string[], externalIds: readonly string[]): Promise<void>
}

/** The cache where there is no namespace: it never has anything and stores nothing. */
export const noCache: KvCache = {
  customer: async () => null,
  putCustomer: async () => undefined,
  customerId: async () => null,
  putCustomerId: async () => undefined,
  forget: async () => undefined,
}

export function kvCache(namespace: KVNamespace, scope: Scope): KvCache {
  return {
    async customer(id) {
      const stored = await get(namespace, customerKey(scope, id))
      const { asof, value } = stored ?? {}
      if (typeof asof !== 'number') return null
      return value === null || isCustomer(value, id) || isMergedAway(value) ? { asof, value } : null
    },
    putCustomer: (id, value) => put(namespace, customerKey(scope, id), { ...value }),
    async customerId(externalId) {
      const stored = await get(namespace, await externalIdKey(scope, externalId))
      return typeof stored?.id === 'string' ? stored.id : null
    },
    putCustomerId: async (externalId, id) => put(namespace, await externalIdKey(scope, externalId), { id }),
    async forget(ids, externalIds) {
      const keys = await Promise.all(externalIds.map((externalId) => externalIdKey(scope, externalId)))
      await deleteKeys(namespace, [...ids.map((id) => customerKey(scope, id)), ...keys])
    },
  }
}

export function customerKey({ tenantId, mode }: Scope, id: string): string {
  return `c:${tenantId}:${mode}:${id}`
}

export async function deleteKeys(namespace: KVNamespace | null, keys: readonly string[]): Promise<void> {
  if (namespace) await Promise.all(keys.map((key) => namespace.delete(key)))
}

/**
 * Deletes up to `keysMax` values of a tenant. Returns how many it deleted: none if KV lists no more, which it may do up to
 * a minute late.
 */
export async function deleteSomeOfTenant(
  namespace: KVNamespace | null,
  tenantId: string,
  keysMax: number,
): Promise<number> {
  if (namespace === null) return 0
  for (const kind of ['c', 'x']) {
    const { keys } = await namespace.list({ prefix: `${kind}:${tenantId}:`, limit: keysMax })
    await deleteKeys(
      namespace,
      keys.map(({ name }) => name),
    )
    if (keys.length > 0) return keys.length
  }
  return 0
}

/** Throws when KV does not respond, for `GET /readyz`. Where there is none, nothing is missing. */
export async function probeKv(namespace: KVNamespace | null): Promise<void> {
  await namespace?.get('readyz')
}

/** Hashed, because an external id may be longer than a KV key, and may be an e-mail address. */
export async function externalIdKey(scope: Scope, externalId: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', utf8(externalId))
  return `x:${scope.tenantId}:${scope.mode}:${toBase64Url(digest)}`
}

/** Returns null for everything that is not a value of this version. */
async function get(namespace: KVNamespace, key: string): Promise<Record<string, unknown> | null> {
  const stored = await within(namespace.get(key, 'json'), KV_TIMEOUT_MS, sleep, null).catch(() => null)
  const isValue = typeof stored === 'object' && stored !== null && (stored as { v?: unknown }).v === VALUE_VERSION
  return isValue ? (stored as Record<string, unknown>) : null
}

/** A failed put does no harm: the next reader of D1 tries again. */
async function put(namespace: KVNamespace, key: string, value: object): Promise<void> {
  const text = JSON.stringify({ v: VALUE_VERSION, ...value })
  await namespace.put(key, text, { expirationTtl: VALUE_LIFE_SECONDS }).catch(() => undefined)
}

function isCustomer(value: unknown, id: string): value is Customer {
  return typeof value === 'object' && value !== null && (value as Customer).id === id
}

/** A version of Roster that does not know this value takes it for a miss. */
function isMergedAway(value: unknown): value is MergedAway {
  return typeof value === 'object' && value !== null && typeof (value as MergedAway).mergedInto === 'string'
}
