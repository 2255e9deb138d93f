/**
 * The text of an API key: `sk_live_` or `sk_test_`, then base62 of the tenant's UUID (16 bytes), a random secret (20) and
 * a truncated HMAC tag over both and the mode (12). The tag is checked in CPU, so that a made-up key touches nothing else;
 * whether the key is still good is for the gate to say. Several signing secrets may be valid at once: the first signs.
 */

import type { Mode } from '../registry/customer.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'

const TENANT_BYTES = 16
const SECRET_BYTES = 20
const TAG_BYTES = 12
const KEY_BYTES = TENANT_BYTES + SECRET_BYTES + TAG_BYTES

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 62^65 > 2^384 = 256^48. */
const KEY_TEXT_LENGTH = 65
const KEY_PATTERN = new RegExp(`^sk_(live|test)_([0-9A-Za-z]{${KEY_TEXT_LENGTH}})$`)

/** What a genuine key says of itself. */
interface KeyClaims {
  tenantId: string
  mode: Mode
  /** SHA-256 of the secret, base64url: how the gate knows the key. */
  secretHash: string
}

export async function mintKey(
  tenantId: string,
  mode: Mode,
  signingSecret: string,
): Promise<{ key: string; secretHash: string }> {
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
  const body = concat(uuidBytes(tenantId), secret)
  const tag = await tagOf(body, mode, signingSecret)
  return { key: `sk_${mode}_${toBase62(concat(body, tag))}`, secretHash: await sha256(secret) }
}

/** Null when the text is not a key that one of the signing secrets made. */
export async function readKey(text: string, signingSecrets: string[]): Promise<KeyClaims | null> {
  const match = KEY_PATTERN.exec(text)
  const bytes = match?.[2] ? fromBase62(match[2]) : null
  if (!match || !bytes) return null
  const mode = match[1] as Mode
  const body = bytes.subarray(0, TENANT_BYTES + SECRET_BYTES)
  const tag = bytes.subarray(TENANT_BYTES + SECRET_BYTES)
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

function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function toBase62(bytes: Uint8Array): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  let text = ''
  for (let at = 0; at < KEY_TEXT_LENGTH; at++) {
    text = ALPHABET.charAt(Number(value % 62n)) + text
    value /= 62n
  }
  return text
}

/** Null when the number does not fit: 65 digits can say a little more than 48 bytes hold. */
function fromBase62(text: string): Uint8Array<ArrayBuffer> | null {
  let value = 0n
  for (const digit of text) value = value * 62n + BigInt(ALPHABET.indexOf(digit))
  const bytes = new Uint8Array(KEY_BYTES)
  for (let at = KEY_BYTES - 1; at >= 0; at--) {
    bytes[at] = Number(value & 255n)
    value >>= 8n
  }
  return value === 0n ? bytes : null
}
