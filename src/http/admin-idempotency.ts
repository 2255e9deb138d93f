/**
 * The Idempotency-Key of an operator's POST. Its answer may hold an API key in clear, so it is kept as a text that nobody can
 * read but who repeats the request: the key to it is derived from the caller's idempotency key and admin key, neither of which
 * is stored. What follows from a repeat `tenants/once.ts` decides.
 */
import { fromBase64Url, toBase64Url, utf8 } from '../shared/bytes.ts'
import type { Repeatable } from '../tenants/ports.ts'
import type { HttpContext } from './door.ts'
import { keyedRequest, sha256 } from './idempotency.ts'

const NONCE_BYTES = 12

/** Null when the request has no key. With another admin key it is another request, which could not read the answer. */
export async function repeatableOf(c: HttpContext): Promise<Repeatable | null> {
  const keyed = await keyedRequest(c)
  if (!keyed) return null
  const adminKey = c.req.raw.headers.get('x-api-key') ?? ''
  const [key, fingerprint, sealingKey] = await Promise.all([
    sha256(keyed.key),
    sha256(`${adminKey}\n${keyed.request}`),
    deriveSealingKey(adminKey, keyed.key),
  ])
  const repeatable: Repeatable = {
    key,
    fingerprint,
    replayed: false,
    seal: (answer) => seal(sealingKey, JSON.stringify(answer)),
    open: async (sealed) => JSON.parse(await open(sealingKey, sealed)),
  }
  c.set('repeatable', repeatable)
  return repeatable
}

async function deriveSealingKey(adminKey: string, idempotencyKey: string): Promise<CryptoKey> {
  // A header has no line break: no other two keys make this text.
  const secret = utf8(`${adminKey}\n${idempotencyKey}`)
  const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
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

async function open(key: CryptoKey, sealed: string): Promise<string> {
  const bytes = fromBase64Url(sealed)
  if (!bytes) throw new Error('a kept answer is not base64url')
  const algorithm = { name: 'AES-GCM', iv: bytes.subarray(0, NONCE_BYTES) }
  return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes.subarray(NONCE_BYTES)))
}
