/**
 * The Idempotency-Key of a POST whose answer may hold a key or a secret in clear: it is kept as a text that nobody can read but
 * who repeats the request. The key to it is derived from the caller's idempotency key and from a secret that is not in the
 * database either: an operator's own admin key, or a signing secret of this deployment. What follows from a repeat
 * `registry/once.ts` decides.
 */
import { Refused } from '../registry/failures.ts'
import type { Repeatable } from '../registry/once.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../shared/bytes.ts'
import type { HttpContext } from './door.ts'
import { keyedRequest, sha256 } from './idempotency.ts'

const NONCE_BYTES = 12

/** Of an operator. Null when the request has no key. With another admin key it is another request, which could not read the answer. */
export async function repeatableOfOperator(c: HttpContext): Promise<Repeatable | null> {
  const keyed = await keyedRequest(c)
  if (!keyed) return null
  const adminKey = c.req.raw.headers.get('x-api-key') ?? ''
  return repeatableOf(c, { key: keyed.key, request: `${adminKey}\n${keyed.request}` }, [adminKey])
}

/** Of a tenant and mode, whichever key of theirs asks. The first of `signingSecrets` seals, all are tried. */
export async function repeatableOfTenant(
  c: HttpContext,
  signingSecrets: readonly string[],
): Promise<Repeatable | null> {
  const keyed = await keyedRequest(c)
  if (!keyed) return null
  const { tenantId, mode } = c.get('registry').scope
  // A header has no line break: no other two texts make this one.
  return repeatableOf(c, { key: `${tenantId}:${mode}\n${keyed.key}`, request: keyed.request }, signingSecrets)
}

async function repeatableOf(
  c: HttpContext,
  keyed: { key: string; request: string },
  secrets: readonly string[],
): Promise<Repeatable> {
  const [key, fingerprint, sealingKeys] = await Promise.all([
    sha256(keyed.key),
    sha256(keyed.request),
    Promise.all(secrets.map((secret) => deriveSealingKey(secret, keyed.key))),
  ])
  const repeatable: Repeatable = {
    key,
    fingerprint,
    replayed: false,
    seal: (answer) => seal(sealingKeys[0] as CryptoKey, JSON.stringify(answer)),
    open: async (sealed) => JSON.parse(await openWithAny(sealingKeys, sealed)),
  }
  c.set('repeatable', repeatable)
  return repeatable
}

async function deriveSealingKey(secret: string, idempotencyKey: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', utf8(`${secret}\n${idempotencyKey}`), 'HKDF', false, [
    'deriveKey',
  ])
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: utf8('roster admin answer 1') }
  return crypto.subtle.deriveKey(derivation, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

/** The nonce, then what it hides. */
async function seal(key: CryptoKey, text: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const hidden = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, utf8(text)))
  const sealed = new Uint8Array(NONCE_BYTES + hidden.length)
  sealed.set(iv)
  sealed.set(hidden, NONCE_BYTES)
  return toBase64Url(sealed)
}

/** With the signing secret rotated out that sealed it, nobody can read the answer: the key stands for a request of before. */
async function openWithAny(keys: readonly CryptoKey[], sealed: string): Promise<string> {
  try {
    return await Promise.any(keys.map((key) => open(key, sealed)))
  } catch {
    throw new Refused({ reason: 'idempotency_mismatch' })
  }
}

async function open(key: CryptoKey, sealed: string): Promise<string> {
  const bytes = fromBase64Url(sealed)
  if (!bytes) throw new Error('a kept answer is not base64url')
  const algorithm = { name: 'AES-GCM', iv: bytes.subarray(0, NONCE_BYTES) }
  return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes.subarray(NONCE_BYTES)))
}
