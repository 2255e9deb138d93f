/**
 * The texts that prove who an operator is: `ok_` a key, `os_` a session, `ol_` a sign-in link. Each is its prefix, the ULID of
 * its id, and base62 of a random secret (20 bytes) and a truncated HMAC tag over all of it (12). The tag is checked in CPU,
 * so a made-up text causes no I/O. D1 decides whether a genuine one still counts. Several signing secrets may be in use
 * at once: the first signs.
 */
import { decodeTime } from 'ulid'
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import { fromBase62, toBase62 } from '../tenants/key-text.ts'
import { SESSION_TTL_MS, SIGN_IN_LINK_TTL_MS } from './operator.ts'

const SECRET_BYTES = 20
const TAG_BYTES = 12
/** 62^43 > 2^256 = 256^32. */
const DIGITS = 43

/** The prefix of the text and of the id of each kind, and how long one lives at most. */
const KINDS = {
  key: { prefix: 'ok', id: 'opk', ttlMs: null },
  session: { prefix: 'os', id: 'ses', ttlMs: SESSION_TTL_MS },
  link: { prefix: 'ol', id: 'sil', ttlMs: SIGN_IN_LINK_TTL_MS },
} as const

export type CredentialKind = keyof typeof KINDS

/** The stored part of a credential: its id, and the SHA-256 of its secret in base64url. */
export interface StoredCredential {
  id: string
  secretHash: string
}

/** Returns a new credential with its text, which is in no store. `id` begins with the prefix of its kind. */
export async function mintCredential(
  kind: CredentialKind,
  id: string,
  signingSecret: string,
): Promise<StoredCredential & { text: string }> {
  const ulid = id.slice(KINDS[kind].id.length + 1)
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
  const tag = await tagOf(kind, ulid, secret, signingSecret)
  const bytes = new Uint8Array(SECRET_BYTES + TAG_BYTES)
  bytes.set(secret)
  bytes.set(tag, SECRET_BYTES)
  const text = `${KINDS[kind].prefix}_${ulid}${toBase62(bytes, DIGITS)}`
  return { id, secretHash: await hashOf(secret), text }
}

/** Returns null when the text is not a credential of this kind that one of the signing secrets made. */
export async function readCredential(
  kind: CredentialKind,
  text: string,
  signingSecrets: readonly string[],
): Promise<StoredCredential | null> {
  const match = PATTERNS[kind].exec(text)
  const bytes = match?.[2] ? fromBase62(match[2], SECRET_BYTES + TAG_BYTES) : null
  if (!match?.[1] || !bytes) return null
  const ulid = match[1]
  const secret = bytes.subarray(0, SECRET_BYTES)
  for (const signingSecret of signingSecrets) {
    const tag = await tagOf(kind, ulid, secret, signingSecret)
    if (!crypto.subtle.timingSafeEqual(tag, bytes.subarray(SECRET_BYTES))) continue
    return { id: `${KINDS[kind].id}_${ulid}`, secretHash: await hashOf(secret) }
  }
  return null
}

/**
 * Returns whether a genuine credential has outlived its kind, by the time in its id. A key lives as long as its row says.
 * So an old session or link is refused without a look-up.
 */
export function isOver(kind: CredentialKind, id: string, nowMs: number): boolean {
  const { ttlMs } = KINDS[kind]
  return ttlMs !== null && decodeTime(id.slice(KINDS[kind].id.length + 1)) + ttlMs <= nowMs
}

const PATTERNS = Object.fromEntries(
  Object.entries(KINDS).map(([kind, { prefix }]) => [
    kind,
    new RegExp(`^${prefix}_([0-9A-HJKMNP-TV-Z]{26})([0-9A-Za-z]{${DIGITS}})$`),
  ]),
) as Record<CredentialKind, RegExp>

/**
 * Returns what a session remembers of the admin key that it was made with. Only who has both texts can make it, so
 * the stored seal tells nothing about the admin key.
 */
export async function sealOfAdminKey(sessionText: string, adminKey: string): Promise<string> {
  return toBase64Url(await hmac(sessionText, utf8(`roster admin key\n${adminKey}`)))
}

async function tagOf(
  kind: CredentialKind,
  ulid: string,
  secret: Uint8Array,
  signingSecret: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const head = utf8(`roster operator ${kind}\n${ulid}\n`)
  const signed = new Uint8Array(head.length + secret.length)
  signed.set(head)
  signed.set(secret, head.length)
  return new Uint8Array(await hmac(signingSecret, signed), 0, TAG_BYTES)
}

async function hmac(secret: string, bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', utf8(secret), algorithm, false, ['sign'])
  return crypto.subtle.sign('HMAC', key, bytes)
}

async function hashOf(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', secret))
}
