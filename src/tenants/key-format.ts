/**
 * The text of an API key: `sk_live_` or `sk_test_`, then base62 of the tenant's UUID (16 bytes), a random secret (20)
 * and a truncated HMAC tag over both and the mode (12). The tag is checked in CPU, so a made-up key causes no I/O. The
 * gate decides whether the key is still valid. Several signing secrets may be in use at once: the first signs.
 */

import type { Mode } from '../registry/customer.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import { fromBase62, KEY_PATTERN, KEY_SECRET_BYTES, TAG_BYTES, TENANT_BYTES, toBase62, uuidText } from './key-text.ts'

/** Data in a genuine key. */
interface KeyClaims {
  tenantId: string
  mode: Mode
  /** SHA-256 of the secret, base64url. The gate finds the key by it. */
  secretHash: string
}

export async function mintKey(
  tenantId: string,
  mode: Mode,
  signingSecret: string,
): Promise<{ key: string; secretHash: string }> {
  const secret = crypto.getRandomValues(new Uint8Array(KEY_SECRET_BYTES))
  const body = concat(uuidBytes(tenantId), secret)
  const tag = await tagOf(body, mode, signingSecret)
  return { key: `sk_${mode}_${toBase62(concat(body, tag))}`, secretHash: await sha256(secret) }
}

/** Returns null when the text is not a key that one of the signing secrets made. */
export async function readKey(text: string, signingSecrets: string[]): Promise<KeyClaims | null> {
  const match = KEY_PATTERN.exec(text)
  const bytes = match?.[2] ? fromBase62(match[2]) : null
  if (!match || !bytes) return null
  const mode = match[1] as Mode
  const body = bytes.subarray(0, TENANT_BYTES + KEY_SECRET_BYTES)
  const tag = bytes.subarray(TENANT_BYTES + KEY_SECRET_BYTES)
  for (const signingSecret of signingSecrets) {
    if (!crypto.subtle.timingSafeEqual(await tagOf(body, mode, signingSecret), tag)) continue
    const secretHash = await sha256(body.subarray(TENANT_BYTES))
    return { tenantId: uuidText(body.subarray(0, TENANT_BYTES)), mode, secretHash }
  }
  return null
}

async function tagOf(
  body: Uint8Array<ArrayBuffer>,
  mode: Mode,
  signingSecret: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', utf8(signingSecret), algorithm, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, concat(utf8(`roster key ${mode}\n`), body))
  return new Uint8Array(signature, 0, TAG_BYTES)
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', bytes))
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
