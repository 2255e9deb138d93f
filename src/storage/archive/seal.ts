/**
 * Seals the personal part of an archived event with the keys of the customers that it is about. All of the keys are needed to
 * open it, so the erasure of any of these customers, which deletes its key, makes the part unreadable.
 *
 * The nonce is a hash of the key, the event and its text. So the same event has the same bytes each time it is sealed, and no nonce
 * is used for two texts.
 */
import { fromBase64Url, joined, toBase64Url, utf8 } from '../../shared/bytes.ts'

const NONCE_BYTES = 12
/** Begins the text of which a nonce is the hash. */
const NONCE = utf8('roster archive nonce')
/** The key stands in the row of each customer: AES-128, because it is short. */
const KEY_BYTES = 16

/** Seals and opens with one set of keys. */
export interface Sealer {
  /** `place` names the event: a sealed text opens only at its own place. */
  seal(place: string, text: string): Promise<string>
  /** Throws if the text was sealed with other keys or at another place. */
  open(place: string, sealed: string): Promise<string>
}

/** Returns a new random key, as it is stored. */
export function newCustomerKey(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))
}

/** Returns what seals with all of the keys together. Their order matters. */
export async function sealerFor(keys: readonly string[]): Promise<Sealer> {
  const bytes = keys.map((key) => fromBase64Url(key))
  if (bytes.length === 0 || bytes.some((key) => key === null || key.length !== KEY_BYTES)) {
    throw new Error('a key of the archive has another length')
  }
  const whole = joined(bytes as Uint8Array[])
  const secret =
    bytes.length === 1 ? whole : new Uint8Array(await crypto.subtle.digest('SHA-256', whole as Uint8Array<ArrayBuffer>))
  const key = await crypto.subtle.importKey('raw', secret as Uint8Array<ArrayBuffer>, 'AES-GCM', false, [
    'encrypt',
    'decrypt',
  ])
  return {
    async seal(place, text) {
      const named = joined([NONCE, secret, utf8(JSON.stringify([place, text]))])
      const iv = new Uint8Array(await crypto.subtle.digest('SHA-256', named as Uint8Array<ArrayBuffer>), 0, NONCE_BYTES)
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: utf8(place) }, key, utf8(text))
      const all = new Uint8Array(NONCE_BYTES + sealed.byteLength)
      all.set(iv)
      all.set(new Uint8Array(sealed), NONCE_BYTES)
      return toBase64Url(all)
    },
    async open(place, sealed) {
      const all = fromBase64Url(sealed)
      if (all === null) throw new Error('a sealed event is broken')
      const iv = all.subarray(0, NONCE_BYTES)
      const parameters = { name: 'AES-GCM', iv, additionalData: utf8(place) }
      const text = await crypto.subtle.decrypt(parameters, key, all.subarray(NONCE_BYTES))
      return new TextDecoder().decode(text)
    },
  }
}
