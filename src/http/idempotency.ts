/**
 * The Idempotency-Key of a POST: which key, and which request it stands for, both as hashes. What follows from a repeat the
 * gate decides. The body counts as it was read, so this goes behind `jsonBody`; a route that reads none has none.
 */
import { Refused } from '../registry/failures.ts'
import type { Idempotency } from '../registry/ports.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import type { HttpContext } from './door.ts'

const KEY_LENGTH_MAX = 255
/** A string as RFC 9651 writes one: printable ASCII between quotes, with `"` and `\` escaped. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
/** What most clients send. No space: two headers of the name arrive as one, with a comma and a space between them. */
const BARE = /^[\x21\x23-\x7e][\x21-\x7e]*$/

/** Null when the request has no key. */
export async function idempotencyOf(c: HttpContext): Promise<Idempotency | null> {
  const keyed = await keyedRequest(c)
  if (!keyed) return null
  const [key, fingerprint] = await Promise.all([sha256(keyed.key), sha256(keyed.request)])
  return { key, fingerprint }
}

/** The caller's key and what it stands for, in clear; null when the request has no key. */
export async function keyedRequest(c: HttpContext): Promise<{ key: string; request: string } | null> {
  const header = c.req.raw.headers.get('idempotency-key')
  if (header === null) return null
  const key = keyIn(header)
  const { pathname, search } = new URL(c.req.raw.url)
  const body = (await (c.req.bodyCache as { text?: Promise<string> }).text) ?? ''
  return { key, request: `${c.req.method} ${pathname}${search}\n${body}` }
}

function keyIn(header: string): string {
  const text = header.trim()
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? BARE.exec(text)?.[0] ?? ''
  if (key.length > 0 && key.length <= KEY_LENGTH_MAX) return key
  throw new Refused({
    reason: 'invalid_input',
    problems: [
      {
        field: 'idempotency-key',
        message: `is not one key of 1 to ${KEY_LENGTH_MAX} ASCII characters`,
        fix: 'send a UUID, made anew for each request and the same for its repeats',
      },
    ],
  })
}

export async function sha256(text: string): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', utf8(text)))
}
