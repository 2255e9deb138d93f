/**
 * The first step of the admin door: an admin key in `x-api-key`. Several may be valid at once, so that they can be rotated.
 * An address that has sent ten wrong ones within a minute is refused whatever it sends.
 */
import type { MiddlewareHandler } from 'hono'
import { Refused } from '../registry/failures.ts'
import { utf8 } from '../shared/bytes.ts'
import { describeError, log } from '../shared/log.ts'
import type { Wiring } from '../wiring.ts'
import { guardNameOf } from './admin-guard.ts'
import type { HttpEnv } from './door.ts'

const RETRY_AFTER_MS = 1_000

export function authenticateAdmin(wiring: Wiring): MiddlewareHandler<HttpEnv> {
  return async function authenticateOperator(c, next) {
    const headers = c.req.raw.headers
    const key = headers.get('x-api-key')
    // Without a key nothing was guessed, so there is nothing to count.
    if (key === null || key === '') throw new Refused({ reason: 'unauthorized' })
    const { adminKeys, adminGuards } = wiring.bindings(c.env)
    const keyIsRight = await isOneOf(key, adminKeys)
    const address = guardedAddress(headers.get('cf-connecting-ip'))
    let blockedMs: number
    try {
      blockedMs = await adminGuards.getByName(guardNameOf(address)).attempt(address, keyIsRight)
    } catch (error) {
      // A wrong key that can not be counted would be a free guess, and a right one the proof that it was right.
      log('error', { event: 'admin_guard_failed', requestId: c.get('requestId'), error: describeError(error) })
      throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
    }
    if (blockedMs > 0) throw new Refused({ reason: 'rate_limited', retryAfterMs: blockedMs })
    if (!keyIsRight) throw new Refused({ reason: 'unauthorized' })
    return next()
  }
}

/** Takes as long for a right key as for a wrong one, whatever their lengths and whichever of them it is. */
async function isOneOf(key: string, adminKeys: string[]): Promise<boolean> {
  const [given, ...known] = await Promise.all([key, ...adminKeys].map(sha256))
  return known.reduce((found, digest) => crypto.subtle.timingSafeEqual(digest, given as ArrayBuffer) || found, false)
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8(text))
}

/** Whoever has an IPv6 address has the 2^64 beside it too: they count as one. */
function guardedAddress(address: string | null): string {
  if (address === null) return 'unknown'
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - behind.length)
  return [...groups, ...new Array<string>(zeros).fill('0'), ...behind].slice(0, 4).join(':')
}
