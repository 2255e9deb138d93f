/**
 * The credentials that a browser sends by itself: the cookie of a session, and what Cloudflare Access adds. A page of
 * another origin can make a browser send them too, so they count only in a request that no such page can make: one with
 * the header `roster-console: 1`. A form, a link or an image cannot set a header, and a script of another origin would have
 * to ask first, which is never allowed with credentials. Where the browser says what a request comes from, it must be
 * the same origin.
 */
import { getCookie } from 'hono/cookie'
import { SESSION_TTL_MS } from '../operators/operator.ts'
import { SECOND_MS } from '../shared/durations.ts'
import type { HttpContext } from './api.ts'

const NAME = 'roster-session'
/** The name of the cookie. The prefix makes browsers refuse one that another host has set. */
export const SESSION_COOKIE = `__Host-${NAME}`
const SESSION_SECONDS = SESSION_TTL_MS / SECOND_MS

/** Returns whether the browser says that a page of another origin sent the request. */
export function isFromElsewhere(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site')
  return site !== null && site !== 'same-origin'
}

/** Returns whether the request can only come from the console, or from a program. */
export function isFromConsole(headers: Headers): boolean {
  return headers.get('roster-console') === '1' && !isFromElsewhere(headers)
}

/** Returns the text of the session in the cookie; null if there is none. */
export function sessionTextIn(c: HttpContext): string | null {
  return getCookie(c, NAME, 'host') ?? null
}

/** Returns the value of `set-cookie`. Only this host gets the cookie, and only from its own pages. */
export function sessionCookie(text: string): string {
  return `${SESSION_COOKIE}=${text}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${SESSION_SECONDS}`
}

/** The value of `set-cookie` that makes the browser forget its session. */
export const NO_SESSION_COOKIE = `${SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`
