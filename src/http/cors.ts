/**
 * CORS for browsers, only if the operator has set origins in CORS_ORIGINS. Otherwise a page of another origin cannot
 * read a response, and OPTIONS gets 405 like any other method that a path does not have.
 */
import type { MiddlewareHandler, Next } from 'hono'
import { cors } from 'hono/cors'
import type { HttpContext } from './api.ts'

/** Seconds for which a browser caches the result of a preflight request. */
const PREFLIGHT_LIFE_SECONDS = 7_200

const handlers = new Map<string, ReturnType<typeof cors>>()

/** Runs the CORS middleware for `origins`: a comma-separated list, or `*` for all. */
export function withCors(origins: string, c: HttpContext, next: Next): ReturnType<MiddlewareHandler> {
  const known = handlers.get(origins)
  if (known) return known(c, next)
  const allowed = origins.split(',').map((origin) => origin.trim())
  const made = cors({
    // `*` is safe: credentials are never allowed, so a browser adds none that the page does not have, and the cookie of a
    // session counts in no request of another origin (`console-request.ts`).
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
