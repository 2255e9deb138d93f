/**
 * The token that a write returns and that a caller may send with a read to see that write. It has the number of the
 * write and the D1 bookmark that includes it, signed together with the tenant and mode. D1 does not document what it
 * does with a made-up bookmark, so none reaches it.
 */

import type { Scope } from '../../registry/customer.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../../shared/bytes.ts'
import type { ConsistencyToken } from './fresh-read.ts'

const TOKEN_LENGTH_MAX = 300
const TAG_BYTES = 12
/** Keys by their secrets, of which a deployment has one or two. */
const signingKeys = new Map<string, CryptoKey>()
const BODY = /^1\.(\d{1,15})\.([0-9a-f-]{1,100})$/

export async function writeToken(
  token: ConsistencyToken & { bookmark: string },
  scope: Scope,
  signingSecret: string,
): Promise<string> {
  const body = `1.${token.seq}.${token.bookmark}`
  return `${toBase64Url(utf8(body))}.${await tagOf(body, scope, signingSecret)}`
}

/** Returns null when the text is not a token of this tenant and mode. */
export async function readToken(
  text: string,
  scope: Scope,
  signingSecrets: string[],
): Promise<ConsistencyToken | null> {
  const [encoded, tag, ...more] = text.length <= TOKEN_LENGTH_MAX ? text.split('.') : []
  const bytes = encoded ? fromBase64Url(encoded) : null
  if (!bytes || !tag || more.length > 0) return null
  const body = new TextDecoder().decode(bytes)
  const match = BODY.exec(body)
  if (!match?.[1] || !match[2]) return null
  for (const signingSecret of signingSecrets) {
    const expected = utf8(await tagOf(body, scope, signingSecret))
    const given = utf8(tag)
    if (expected.length === given.length && crypto.subtle.timingSafeEqual(expected, given)) {
      return { seq: Number(match[1]), bookmark: match[2] }
    }
  }
  return null
}

async function tagOf(body: string, scope: Scope, signingSecret: string): Promise<string> {
  const signature = await crypto.subtle.sign(
    'HMAC',
    await signingKey(signingSecret),
    utf8(`roster consistency ${scope.tenantId} ${scope.mode}\n${body}`),
  )
  return toBase64Url(new Uint8Array(signature, 0, TAG_BYTES))
}

async function signingKey(secret: string): Promise<CryptoKey> {
  const known = signingKeys.get(secret)
  if (known) return known
  const key = await crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  signingKeys.set(secret, key)
  return key
}
