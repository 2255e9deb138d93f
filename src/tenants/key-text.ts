/** The bytes in the text of an API key. It has no secrets and needs no runtime, so that commands read keys with it too. */
import type { Mode } from '../registry/customer.ts'

export const TENANT_BYTES = 16
export const KEY_SECRET_BYTES = 20
export const TAG_BYTES = 12
const KEY_BYTES = TENANT_BYTES + KEY_SECRET_BYTES + TAG_BYTES

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 62^65 > 2^384 = 256^48. */
const KEY_TEXT_LENGTH = 65
export const KEY_PATTERN = new RegExp(`^sk_(live|test)_([0-9A-Za-z]{${KEY_TEXT_LENGTH}})$`)

/** Returns whom the text of a key names, without checking that it is genuine; null if it is no key. */
export function namedInKey(text: string): { tenantId: string; mode: Mode } | null {
  const match = KEY_PATTERN.exec(text)
  const bytes = match?.[2] ? fromBase62(match[2]) : null
  return match && bytes ? { tenantId: uuidText(bytes.subarray(0, TENANT_BYTES)), mode: match[1] as Mode } : null
}

/** Returns the text of a UUID. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Returns the bytes as a number of so many digits. */
export function toBase62(bytes: Uint8Array, digits = KEY_TEXT_LENGTH): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  let text = ''
  for (let at = 0; at < digits; at++) {
    text = ALPHABET.charAt(Number(value % 62n)) + text
    value /= 62n
  }
  return text
}

/** Returns null when the number does not fit: 65 digits can hold slightly more than 48 bytes. */
export function fromBase62(text: string, length = KEY_BYTES): Uint8Array<ArrayBuffer> | null {
  let value = 0n
  for (const digit of text) value = value * 62n + BigInt(ALPHABET.indexOf(digit))
  const bytes = new Uint8Array(length)
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(value & 255n)
    value >>= 8n
  }
  return value === 0n ? bytes : null
}
