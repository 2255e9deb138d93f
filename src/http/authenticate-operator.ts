/**
 * Identifies the operator who sends a request, as the first step of the admin API: by an admin key or a key of an operator in
 * `x-api-key`, by the session of the console, or by Cloudflare Access. Every credential but an admin key is looked up on the
 * D1 primary, so that a change of operators is in force once it was answered.
 */
import type { MiddlewareHandler } from 'hono'
import { LRUCache } from 'lru-cache'
import type { AdminKey } from '../env.ts'
import { AccessKeys, emailInAssertion } from '../operators/access.ts'
import { type CredentialKind, isOver, readCredential, type StoredCredential } from '../operators/credential.ts'
import {
  type AdminSecret,
  type Identified,
  identifiedAdminKey,
  identifyByEmail,
  identifyByKey,
  identifyBySession,
} from '../operators/identify.ts'
import type { Operator, OperatorPrincipal } from '../operators/operator.ts'
import { operatorOfLink } from '../operators/sessions.ts'
import { RegistryError } from '../registry/errors.ts'
import { utf8 } from '../shared/bytes.ts'
import { minuteOf } from '../shared/durations.ts'
import { describeError, log } from '../shared/log.ts'
import type { HttpContext, HttpEnv } from './api.ts'
import { isFromConsole, sessionTextIn } from './console-request.ts'
import { adminKeyIn } from './credentials.ts'
import type { Services } from './services.ts'
import { wrongKeyCounter } from './wrong-keys.ts'

/** Genuine credentials that D1 has refused: none of them ever counts again. The time until which that is remembered. */
const REFUSED_FOR_MS = 10_000
const REFUSED_MAX = 1_000

/**
 * Returns the operator who sends a request. Returns null for a request without a credential of an operator, or with a
 * wrong one. Throws `RegistryError` with `rate_limited` after too many wrong keys.
 */
export type IdentifyOperator = (c: HttpContext) => Promise<OperatorPrincipal | null>

export interface OperatorIdentifier {
  identifyOperator: IdentifyOperator
  /** Does the same without the session, for a caller who begins one. */
  proveOperator(c: HttpContext): Promise<Identified | null>
  /** Returns whom a sign-in link is for. A wrong one counts like a wrong key. */
  operatorOfLink(c: HttpContext, token: string): Promise<{ operator: Operator; linkId: string } | null>
}

/** Returns the functions that identify operators. They have a memory of their own, so an app has one of these. */
export function operatorIdentifier(services: Services): OperatorIdentifier {
  const countWrongKey = wrongKeyCounter()
  const accessKeys = new AccessKeys(services.fetchAccessKeys)
  const refused = new LRUCache<string, number>({ max: REFUSED_MAX })

  /**
   * Looks up the credential in the text, unless it is made up, its time is over, or D1 has refused it a moment ago. Only
   * ids of genuine ones are remembered, so nobody can fill the memory with texts of their own.
   */
  async function lookUp<T>(
    c: HttpContext,
    kind: CredentialKind,
    text: string,
    find: (credential: StoredCredential, nowMs: number) => Promise<T | null>,
  ): Promise<T | null> {
    const nowMs = c.get('nowMs')
    const credential = await readCredential(kind, text, services.bindings(c.env).signingSecrets)
    if (!credential || isOver(kind, credential.id, nowMs) || (refused.get(credential.id) ?? 0) > nowMs) return null
    const found = await find(credential, nowMs)
    if (!found) refused.set(credential.id, nowMs + REFUSED_FOR_MS)
    return found
  }

  async function byKey(c: HttpContext, key: string): Promise<Identified | null> {
    const admin = await adminKeyOf(key, services.bindings(c.env).adminKeys)
    if (admin) return identifiedAdminKey(admin)
    const identities = services.operatorIdentities(c.env)
    return lookUp(c, 'key', key, (credential, nowMs) => identifyByKey(identities, credential, nowMs))
  }

  async function bySession(c: HttpContext): Promise<Identified | null> {
    const text = sessionTextIn(c)
    if (text === null) return null
    const identities = services.operatorIdentities(c.env)
    const secrets = services.bindings(c.env).adminKeys.map(secretOf)
    return lookUp(c, 'session', text, (credential, nowMs) =>
      identifyBySession(identities, { ...credential, text }, secrets, nowMs),
    )
  }

  async function byAccess(c: HttpContext): Promise<Identified | null> {
    const email = await accessEmail(c)
    return email === null ? null : identifyByEmail(services.operatorIdentities(c.env), email)
  }

  /** Returns the address that Cloudflare Access vouches for: by the runtime, where it does, else by its assertion. */
  async function accessEmail(c: HttpContext): Promise<string | null> {
    const { access } = services.bindings(c.env)
    if (!access) return null
    const byRuntime = (c.executionCtx as Partial<ExecutionContext>).access
    if (byRuntime?.aud === access.audience) {
      const identity = await byRuntime.getIdentity()
      if (identity?.email) return identity.email
    }
    const assertion = c.req.raw.headers.get('cf-access-jwt-assertion')
    return assertion === null ? null : emailInAssertion(assertion, access, accessKeys, c.get('nowMs'))
  }

  /** Tries each way. A wrong key is counted only if no other credential is right. */
  async function identify(c: HttpContext, others: readonly ((c: HttpContext) => Promise<Identified | null>)[]) {
    const { headers } = c.req.raw
    // A request without a key is not a guess, so it is not counted.
    const key = adminKeyIn(headers)
    let identified = key === null ? null : await byKey(c, key)
    // A browser sends what the others need by itself, also when a page of another origin made it send the request.
    if (isFromConsole(headers)) for (const other of others) identified ??= await other(c)
    if (identified) noteSeen(c, identified)
    else if (key !== null) await refuseGuesses(c)
    return identified
  }

  async function refuseGuesses(c: HttpContext): Promise<void> {
    const address = c.req.raw.headers.get('cf-connecting-ip')
    const blockedMs = await countWrongKey(address, c.get('nowMs'), c.get('requestId'), services.bindings(c.env))
    if (blockedMs > 0) throw new RegistryError({ reason: 'rate_limited', retryAfterMs: blockedMs })
  }

  /** Writes the minute of the request, once a minute, while the request goes on. */
  function noteSeen(c: HttpContext, { principal, keyId, lastSeenAtMs, lastUsedAtMs }: Identified): void {
    const { operatorId } = principal
    const minuteMs = minuteOf(c.get('nowMs'))
    if (operatorId === null) return
    if ((lastSeenAtMs ?? 0) >= minuteMs && (keyId === null || (lastUsedAtMs ?? 0) >= minuteMs)) return
    const noted = services.operatorIdentities(c.env).touch(operatorId, keyId, minuteMs)
    c.executionCtx.waitUntil(
      noted.catch((error) => {
        log('error', { event: 'operator_seen_failed', requestId: c.get('requestId'), error: describeError(error) })
      }),
    )
  }

  return {
    identifyOperator: async (c) => (await identify(c, [bySession, byAccess]))?.principal ?? null,
    proveOperator: (c) => identify(c, [byAccess]),
    async operatorOfLink(c, token) {
      const identities = services.operatorIdentities(c.env)
      const found = await lookUp(c, 'link', token, (link, nowMs) => operatorOfLink(identities, link, nowMs))
      if (!found) await refuseGuesses(c)
      return found
    },
  }
}

/** Lets operators in, and nobody else. The contract of the route checks the role. */
export function authenticateOperator(identify: IdentifyOperator): MiddlewareHandler<HttpEnv> {
  return async function letOperatorIn(c, next) {
    await setOperator(c, identify)
    return next()
  }
}

/** Sets the operator who sends the request. Throws `RegistryError` with `unauthorized` if it is none. */
export async function setOperator(c: HttpContext, identify: IdentifyOperator): Promise<OperatorPrincipal> {
  const operator = await identify(c)
  if (operator === null) throw new RegistryError({ reason: 'unauthorized' })
  c.set('operator', operator)
  c.set('identifyAgain', async () => {
    await setOperator(c, identify)
  })
  return operator
}

/**
 * Returns the admin key with this text; null if it is none. Takes the same time for a right key and a wrong one, for any
 * length, and whichever admin key matches.
 */
async function adminKeyOf(text: string, adminKeys: readonly AdminKey[]): Promise<AdminSecret | null> {
  const accepted = adminKeys.flatMap((key) => key.accepted.map((secret) => ({ key, secret })))
  const [given, ...digests] = await Promise.all([text, ...accepted.map(({ secret }) => secret)].map(sha256))
  const found = digests.reduce<AdminKey | null>((found, digest, at) => {
    const isThis = crypto.subtle.timingSafeEqual(digest, given as ArrayBuffer)
    return isThis ? (accepted[at]?.key ?? null) : found
  }, null)
  return found && secretOf(found)
}

/** Returns the secret of an admin key, which is accepted with its name before it too. */
function secretOf({ actor, accepted }: AdminKey): AdminSecret {
  return { actor, secret: accepted[0] ?? '' }
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8(text))
}
