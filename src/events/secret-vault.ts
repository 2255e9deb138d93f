/**
 * Seals the secrets that sign webhooks and onboarding calls, so that D1, its exports and its earlier states hold none in
 * clear. The newest of `SIGNING_SECRETS` seals and all of them open, so these can be rotated.
 */
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import { openSealed, seal, sealingKey } from '../shared/sealing.ts'
import type { Secret } from './signature.ts'

const KIND = 'roster signing secrets 1'
const KEY_ID_BYTES = 6

/** Secrets as they are stored. `sealedBy` names the key, not the secret it is derived from. */
export interface SealedSecrets {
  secrets: string
  sealedBy: string
}

export interface SecretVault {
  /** Returns the name of the key that seals now. */
  keyId(): Promise<string>
  seal(secrets: readonly Secret[]): Promise<SealedSecrets>
  /** Returns null if none of the keys opens the text: the signing secret that sealed it has been removed. */
  open(sealed: string): Promise<Secret[] | null>
}

interface Key {
  id: string
  key: CryptoKey
}

/** Deriving a key costs far more than using it, so an isolate keeps those it has derived. */
const derived = new Map<string, Promise<Key>>()

/** The first of the signing secrets seals. There is at least one. */
export function secretVault(signingSecrets: readonly string[]): SecretVault {
  const keys = () => Promise.all(signingSecrets.map(keyOf))
  const newest = async () => (await keys())[0] as Key
  return {
    keyId: async () => (await newest()).id,
    async seal(secrets) {
      const { id, key } = await newest()
      return { secrets: await seal(key, JSON.stringify(secrets)), sealedBy: id }
    },
    async open(sealed) {
      const all = await keys()
      const text = await openSealed(
        all.map(({ key }) => key),
        sealed,
      )
      return text === null ? null : JSON.parse(text)
    },
  }
}

function keyOf(signingSecret: string): Promise<Key> {
  const known = derived.get(signingSecret) ?? derive(signingSecret)
  derived.set(signingSecret, known)
  return known
}

async function derive(signingSecret: string): Promise<Key> {
  const digest = await crypto.subtle.digest('SHA-256', utf8(`${KIND} ${signingSecret}`))
  const id = toBase64Url(new Uint8Array(digest).subarray(0, KEY_ID_BYTES))
  return { id, key: await sealingKey(signingSecret, KIND) }
}
