/**
 * What readers leave in KV for other isolates. The only code that touches the namespace. Every value carries the number it
 * was read at; whether it is still good is for the lease to say, so nothing here knows about time.
 * KV is never trusted to be there, to be quick or to be new: it can make a read faster and nothing else.
 */

import type { Stamped } from '../gate/fresh-read.ts'
import type { Customer, Scope } from '../registry/customer.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'

/** Rises when a stored value changes its shape: an older one is then a miss. */
const VALUE_VERSION = 1
/** Values of customers nobody asks for go away by themselves. */
const VALUE_LIFE_SECONDS = 7 * 24 * 3600
/** A slow KV must not be slower than D1 would have been. */
const PATIENCE_MS = 400

interface KvCache {
  customer(id: string): Promise<Stamped<Customer> | null>
  putCustomer(id: string, value: Stamped<Customer>): Promise<void>
  /** The id that was behind an external id: a hint, to be checked against the customer it leads to. */
  customerId(externalId: string): Promise<string | null>
  putCustomerId(externalId: string, id: string): Promise<void>
  /** Deletes the customer and what its external ids led to. Rejects when KV is away. */
  forget(id: string, externalIds: readonly string[]): Promise<void>
}

export function kvCache(namespace: KVNamespace, scope: Scope): KvCache {
  return {
    async customer(id) {
      const stored = await get(namespace, customerKey(scope, id))
      const { asof, value } = stored ?? {}
      if (typeof asof !== 'number') return null
      return value === null || isCustomer(value, id) ? { asof, value } : null
    },
    putCustomer: (id, value) => put(namespace, customerKey(scope, id), { ...value }),
    async customerId(externalId) {
      const stored = await get(namespace, await externalIdKey(scope, externalId))
      return typeof stored?.id === 'string' ? stored.id : null
    },
    putCustomerId: async (externalId, id) => put(namespace, await externalIdKey(scope, externalId), { id }),
    async forget(id, externalIds) {
      const keys = await Promise.all(externalIds.map((externalId) => externalIdKey(scope, externalId)))
      await deleteKeys(namespace, [customerKey(scope, id), ...keys])
    },
  }
}

export function customerKey({ tenantId, mode }: Scope, id: string): string {
  return `c:${tenantId}:${mode}:${id}`
}

export async function deleteKeys(namespace: KVNamespace, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => namespace.delete(key)))
}

/** Throws when KV does not answer, for `GET /readyz`. */
export async function probeKv(namespace: KVNamespace): Promise<void> {
  await namespace.get('readyz')
}

/** Hashed, because an external id may be longer than a KV key may be, and may be somebody's e-mail address. */
export async function externalIdKey(scope: Scope, externalId: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', utf8(externalId))
  return `x:${scope.tenantId}:${scope.mode}:${toBase64Url(digest)}`
}

/** Null for everything that is not a value of this version. */
async function get(namespace: KVNamespace, key: string): Promise<Record<string, unknown> | null> {
  const stored = await withPatience(namespace.get(key, 'json')).catch(() => null)
  const isValue = typeof stored === 'object' && stored !== null && (stored as { v?: unknown }).v === VALUE_VERSION
  return isValue ? (stored as Record<string, unknown>) : null
}

/** A failed put is no loss: the next reader of D1 tries again. */
async function put(namespace: KVNamespace, key: string, value: object): Promise<void> {
  const text = JSON.stringify({ v: VALUE_VERSION, ...value })
  await namespace.put(key, text, { expirationTtl: VALUE_LIFE_SECONDS }).catch(() => undefined)
}

function withPatience<T>(read: Promise<T>): Promise<T | null> {
  const done = new AbortController()
  const outOfPatience = scheduler.wait(PATIENCE_MS, { signal: done.signal }).then(
    () => null,
    () => null,
  )
  return Promise.race([read, outOfPatience]).finally(() => done.abort())
}

function isCustomer(value: unknown, id: string): value is Customer {
  return typeof value === 'object' && value !== null && (value as Customer).id === id
}
