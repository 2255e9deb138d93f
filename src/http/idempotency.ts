/**
 * Reads the Idempotency-Key of a POST and hashes it and the request. The gate handles repeats for customers, and
 * `idempotency/` handles all others. The responses of the latter may hold a key or a secret, so they are sealed: only a
 * repeat of the request can read them. The sealing key is derived from the caller's idempotency key and a secret that
 * is not in the database either: the operator's admin key, or a signing secret of this deployment. The hash covers the
 * body if the route's contract has one.
 */
import type { IdempotentRequest } from '../idempotency/idempotency.ts'
import { RegistryError } from '../registry/errors.ts'
import type { Idempotency } from '../registry/ports.ts'
import { toBase64Url, utf8 } from '../shared/bytes.ts'
import { openSealed, seal, sealingKey } from '../shared/sealing.ts'
import type { HttpContext } from './api.ts'
import { adminKeyIn } from './credentials.ts'

const KEY_LENGTH_MAX = 255
/** Matches a string of RFC 9651: printable ASCII between quotes, with `"` and `\` escaped. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
/**
 * Matches a key without quotes, which most clients send. It allows no space, because two headers of the name arrive as
 * one with a comma and a space between them.
 */
const BARE = /^[\x21\x23-\x7e][\x21-\x7e]*$/
/** The kind of what is sealed here: see `sealingKey`. */
const KIND = 'roster admin answer 1'

/** Returns the hashed key and request. Returns null when the request has no key. */
export async function idempotencyOf(c: HttpContext): Promise<Idempotency | null> {
  const keyed = keyedRequest(c)
  if (!keyed) return null
  const [key, fingerprint] = await Promise.all([sha256(ownKey(c, keyed.key)), sha256(keyed.request)])
  return { key, fingerprint }
}

/**
 * Keeps the keys of a tenant and those of each operator who acts as it apart, so that none gets the response of another.
 * A header has no line break, so no key of the one equals one of the other.
 */
function ownKey(c: HttpContext, key: string): string {
  const operator = c.get('operator')
  return operator ? `operator ${operator.actor}\n${key}` : key
}

/** Returns the caller's key and the request as plain text. Returns null when the request has no key. */
function keyedRequest(c: HttpContext): { key: string; request: string } | null {
  const header = c.req.raw.headers.get('idempotency-key')
  if (header === null) return null
  const key = keyIn(header)
  const { pathname, search } = new URL(c.req.raw.url)
  const body = c.get('bodyText') ?? ''
  return { key, request: `${c.req.method} ${pathname}${search}\n${body}` }
}

function keyIn(header: string): string {
  const text = header.trim()
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? BARE.exec(text)?.[0] ?? ''
  if (key.length > 0 && key.length <= KEY_LENGTH_MAX) return key
  throw new RegistryError({
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

async function sha256(text: string): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', utf8(text)))
}

/**
 * Returns an operator's request, or null when it has no idempotency key. The same request of another operator counts as
 * another request. A response to an admin key is sealed with that key, and any other with a signing secret.
 */
export async function operatorIdempotentRequest(c: HttpContext): Promise<IdempotentRequest | null> {
  const keyed = keyedRequest(c)
  if (!keyed) return null
  const operator = c.get('operator')
  const adminKey = operator?.via === 'admin_key' ? adminKeyIn(c.req.raw.headers) : null
  const secrets = adminKey === null ? c.get('deployment').signingSecrets : [adminKey]
  const by = adminKey ?? `${operator?.actor}`
  return idempotentRequestOf(c, { key: keyed.key, request: `${by}\n${keyed.request}` }, secrets)
}

/**
 * Returns the request of a tenant and mode, or null when it has no idempotency key. All API keys of the tenant and mode
 * share their idempotency keys. The first of `signingSecrets` seals a response, and all are tried to open one.
 */
export async function tenantIdempotentRequest(
  c: HttpContext,
  signingSecrets: readonly string[],
): Promise<IdempotentRequest | null> {
  const keyed = keyedRequest(c)
  if (!keyed) return null
  const { tenantId, mode } = c.get('registry').scope
  // A header has no line break, so two different pairs of scope and key never give the same text.
  const key = `${tenantId}:${mode}\n${ownKey(c, keyed.key)}`
  return idempotentRequestOf(c, { key, request: keyed.request }, signingSecrets)
}

async function idempotentRequestOf(
  c: HttpContext,
  keyed: { key: string; request: string },
  secrets: readonly string[],
): Promise<IdempotentRequest> {
  const [key, fingerprint, sealingKeys] = await Promise.all([
    sha256(keyed.key),
    sha256(keyed.request),
    Promise.all(secrets.map((secret) => sealingKey(`${secret}\n${keyed.key}`, KIND))),
  ])
  const idempotentRequest: IdempotentRequest = {
    key,
    fingerprint,
    replayed: false,
    seal: (answer) => seal(sealingKeys[0] as CryptoKey, JSON.stringify(answer)),
    open: async (sealed) => JSON.parse(await openWithAny(sealingKeys, sealed)),
  }
  c.set('idempotentRequest', idempotentRequest)
  return idempotentRequest
}

/**
 * Opens a sealed response. Throws `RegistryError` with `idempotency_mismatch` if no key opens it, for example because
 * the signing secret that sealed it was rotated out. The idempotency key is then still taken by the earlier request.
 */
async function openWithAny(keys: readonly CryptoKey[], sealed: string): Promise<string> {
  const text = await openSealed(keys, sealed)
  if (text === null) throw new RegistryError({ reason: 'idempotency_mismatch' })
  return text
}
