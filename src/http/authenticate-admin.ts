/**
 * Checks the admin key in `x-api-key`, as the first step of the admin API. Several keys may be valid at once, so that
 * the operator can rotate them. A right key is always accepted. After ten wrong keys from one address within a minute,
 * further wrong keys get 429.
 */
import type { MiddlewareHandler } from 'hono'
import ipaddr from 'ipaddr.js'
import { LRUCache } from 'lru-cache'
import { RegistryError } from '../registry/errors.ts'
import { utf8 } from '../shared/bytes.ts'
import { describeError, log } from '../shared/log.ts'
import { guardNameOf, judgeFailure } from './admin-attempts.ts'
import type { HttpEnv } from './api.ts'
import { adminKeyIn } from './credentials.ts'
import type { Services } from './services.ts'

const ADDRESSES_MAX = 1_000

/** This isolate's state for an address: the times of its wrong keys, and the time until which it is blocked. */
interface Failures {
  failuresMs: number[]
  blockedUntilMs: number
}

export function authenticateAdmin(services: Services): MiddlewareHandler<HttpEnv> {
  const known = new LRUCache<string, Failures>({ max: ADDRESSES_MAX })

  return async function authenticateOperator(c, next) {
    const headers = c.req.raw.headers
    const key = adminKeyIn(headers)
    // A request without a key is not a guess, so it is not counted.
    if (key === null) throw new RegistryError({ reason: 'unauthorized' })
    const { adminKeys, adminGuards } = services.bindings(c.env)
    if (await isOneOf(key, adminKeys)) return next()

    const address = guardedAddress(headers.get('cf-connecting-ip'))
    const nowMs = c.get('nowMs')
    const before = known.get(address)
    if (before !== undefined && before.blockedUntilMs > nowMs) throw blocked(before.blockedUntilMs - nowMs)
    // The isolate counts first, so a flood of wrong keys makes at most ten calls to the guard a minute in each isolate.
    const { failuresMs, blockedMs } = judgeFailure(before?.failuresMs ?? [], nowMs)
    known.set(address, { failuresMs, blockedUntilMs: nowMs + blockedMs })
    if (blockedMs > 0) throw blocked(blockedMs)
    const blockedByGuardMs = await adminGuards
      .getByName(guardNameOf(address))
      .countFailure(address)
      .catch((error: unknown) => {
        // This isolate has counted the guess, so it was not free.
        log('error', { event: 'admin_guard_failed', requestId: c.get('requestId'), error: describeError(error) })
        return 0
      })
    if (blockedByGuardMs > 0) {
      known.set(address, { failuresMs, blockedUntilMs: nowMs + blockedByGuardMs })
      throw blocked(blockedByGuardMs)
    }
    throw new RegistryError({ reason: 'unauthorized' })
  }
}

function blocked(retryAfterMs: number): RegistryError {
  return new RegistryError({ reason: 'rate_limited', retryAfterMs })
}

/** Takes the same time for a right key and a wrong one, for any length, and whichever admin key matches. */
async function isOneOf(key: string, adminKeys: string[]): Promise<boolean> {
  const [given, ...known] = await Promise.all([key, ...adminKeys].map(sha256))
  return known.reduce((found, digest) => crypto.subtle.timingSafeEqual(digest, given as ArrayBuffer) || found, false)
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8(text))
}

/** Returns the address to count attempts for. For IPv6 it is the /64, because one client controls a whole /64. */
function guardedAddress(address: string | null): string {
  if (address === null || !ipaddr.isValid(address)) return address ?? 'unknown'
  const parsed = ipaddr.process(address)
  return parsed.kind() === 'ipv6' ? parsed.toByteArray().slice(0, 8).join('.') : parsed.toString()
}
