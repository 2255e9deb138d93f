/**
 * Seals texts that leave Roster and come back: only who has the secret can read or make one (AES-GCM under a key that
 * HKDF derives from the secret). For texts that no one but Roster has to understand: stored responses and cursors.
 */
import { fromBase64Url, toBase64Url, utf8 } from './bytes.ts'

const NONCE_BYTES = 12

/** Returns the key for texts of one kind. `kind` names the kind and the version of its format. */
export async function sealingKey(secret: string, kind: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', utf8(secret), 'HKDF', false, ['deriveKey'])
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: utf8(kind) }
  return crypto.subtle.deriveKey(derivation, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

/** Seals a text. The result is the nonce and the ciphertext, in base64url. */
export async function seal(key: CryptoKey, text: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const hidden = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, utf8(text)))
  const sealed = new Uint8Array(NONCE_BYTES + hidden.length)
  sealed.set(iv)
  sealed.set(hidden, NONCE_BYTES)
  return toBase64Url(sealed)
}

/** Returns the text, or null if none of the keys sealed it or anybody changed it since. */
export async function openSealed(keys: readonly CryptoKey[], sealed: string): Promise<string | null> {
  const bytes = fromBase64Url(sealed)
  if (!bytes || bytes.length <= NONCE_BYTES) return null
  const algorithm = { name: 'AES-GCM', iv: bytes.subarray(0, NONCE_BYTES) }
  for (const key of keys) {
    try {
      return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes.subarray(NONCE_BYTES)))
    } catch {
      // Another key may open it.
    }
  }
  return null
}
