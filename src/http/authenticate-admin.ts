/**
 * Checks the admin key in `x-api-key`, as the first step of the admin API. Several keys may be valid at once, so that
 * the operator can rotate them, and each operator can have a key with a name. A right key is always accepted. After ten
 * wrong keys from one address within a minute, further wrong keys get 429.
 */
import type { MiddlewareHandler } from 'hono'
import { LRUCache } from 'lru-cache'
import type { AdminKey, Bindings } from '../env.ts'
import { RegistryError } from '../registry/errors.ts'
import { utf8 } from '../shared/bytes.ts'
import { describeError, log } from '../shared/log.ts'
import { guardOf, judgeFailure, networksOf } from './admin-attempts.ts'
import type { HttpEnv } from './api.ts'
import { adminKeyIn } from './credentials.ts'
import type { Services } from './services.ts'

const NETWORKS_MAX = 1_000

/** This isolate's state for a network: the times of its wrong keys, and the time until which it is blocked. */
interface Failures {
  failuresMs: number[]
  blockedUntilMs: number
}

export function authenticateAdmin(services: Services): MiddlewareHandler<HttpEnv> {
  const known = new LRUCache<string, Failures>({ max: NETWORKS_MAX })

  /** Counts a wrong key. Returns how many milliseconds its address has to wait, or 0 if it is not blocked. */
  async function countFailure(
    address: string | null,
    nowMs: number,
    requestId: string,
    { adminGuards, signingSecrets }: Bindings,
  ): Promise<number> {
    const networks = networksOf(address)
    // The isolate counts first, so a flood of wrong keys makes few calls to the guard a minute in each isolate.
    const judged = networks.map(({ network, failuresMax }) => {
      const before = known.get(network)
      if (before && before.blockedUntilMs > nowMs) return { ...before, blockedMs: before.blockedUntilMs - nowMs }
      return judgeFailure(before?.failuresMs ?? [], nowMs, failuresMax)
    })
    const blockedMs = Math.max(...judged.map((one) => one.blockedMs))
    if (blockedMs > 0) return blockedMs
    for (const [at, { network }] of networks.entries()) {
      known.set(network, { failuresMs: judged[at]?.failuresMs ?? [], blockedUntilMs: nowMs })
    }
    try {
      // readEnv requires at least one secret.
      const guard = await guardOf(networks, signingSecrets[0] as string)
      const byGuardMs = await adminGuards.getByName(guard.name).countFailure(guard.networks)
      const narrowest = networks.at(-1)?.network ?? ''
      const failures = known.get(narrowest)
      if (byGuardMs > 0 && failures) failures.blockedUntilMs = nowMs + byGuardMs
      return byGuardMs
    } catch (error) {
      // This isolate has counted the guess, so it was not free.
      log('error', { event: 'admin_guard_failed', requestId, error: describeError(error) })
      return 0
    }
  }

  return async function authenticateOperator(c, next) {
    const headers = c.req.raw.headers
    const key = adminKeyIn(headers)
    // A request without a key is not a guess, so it is not counted.
    if (key === null) throw new RegistryError({ reason: 'unauthorized' })
    const bindings = services.bindings(c.env)
    const actor = await actorOf(key, bindings.adminKeys)
    if (actor !== null) {
      c.set('operator', actor)
      return next()
    }
    const address = headers.get('cf-connecting-ip')
    const blockedMs = await countFailure(address, c.get('nowMs'), c.get('requestId'), bindings)
    if (blockedMs > 0) throw new RegistryError({ reason: 'rate_limited', retryAfterMs: blockedMs })
    throw new RegistryError({ reason: 'unauthorized' })
  }
}

/**
 * Returns the actor of the admin key with this text; null if it is none. Takes the same time for a right key and a wrong
 * one, for any length, and whichever admin key matches.
 */
async function actorOf(text: string, adminKeys: readonly AdminKey[]): Promise<string | null> {
  const accepted = adminKeys.flatMap((key) => key.accepted.map((secret) => ({ actor: key.actor, secret })))
  const [given, ...digests] = await Promise.all([text, ...accepted.map(({ secret }) => secret)].map(sha256))
  return digests.reduce<string | null>((found, digest, at) => {
    const isThis = crypto.subtle.timingSafeEqual(digest, given as ArrayBuffer)
    return isThis ? (accepted[at]?.actor ?? null) : found
  }, null)
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8(text))
}
