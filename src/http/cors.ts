/**
 * CORS for browsers, only where the operator has named origins in CORS_ORIGINS. Without them a page of another origin may
 * not read an answer, and OPTIONS is a method like any other that no path has.
 */
import type { MiddlewareHandler, Next } from 'hono'
import { cors } from 'hono/cors'
import type { HttpContext } from './door.ts'

/** A browser asks again after this. */
const PREFLIGHT_LIFE_SECONDS = 7_200

const handlers = new Map<string, ReturnType<typeof cors>>()

/** `origins`: comma-separated, `*` for all. */
export function withCors(origins: string, c: HttpContext, next: Next): ReturnType<MiddlewareHandler> {
  const known = handlers.get(origins)
  if (known) return known(c, next)
  const allowed = origins.split(',').map((origin) => origin.trim())
  const made = cors({
    // No cookies are used, so nothing is sent along that the page does not have.
    origin: allowed.includes('*') ? '*' : allowed,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposeHeaders: [
      'cache-status',
      'consistency-token',
      'etag',
      'idempotent-replayed',
      'ratelimit',
      'ratelimit-policy',
      'retry-after',
      'server-timing',
      'x-request-id',
    ],
    maxAge: PREFLIGHT_LIFE_SECONDS,
  })
  handlers.set(origins, made)
  return made(c, next)
}
