/**
 * Makes every response, including an API's response to a failure. The body and all headers are complete before the
 * Response is created, because changing a Response later costs more than creating it.
 */

import type { TypedResponse } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { StatusCode } from 'hono/utils/http-status'
import type { Failure } from '../registry/errors.ts'
import { isStorageUsedUp, RegistryError } from '../registry/errors.ts'
import { PERMIT_BUYS } from '../registry/permits.ts'
import type { ReadSource } from '../registry/ports.ts'
import { utf8 } from '../shared/bytes.ts'
import { whenKnown } from '../shared/eventual.ts'
import { describeError, log } from '../shared/log.ts'
import type { Api, Deployment, HttpContext } from './api.ts'
import { ACCEPTED_CODINGS } from './content-coding.ts'
import { limitValues } from './limit-headers.ts'
import { logRefusal } from './refusal-log.ts'
import { placeOfSyntaxError, sentCredential } from './request-problems.ts'
import type { RequestRegistry, Services } from './services.ts'

type ResponseHeaders = Record<string, string>

/** JSON text that is ready to be sent, with the type of its content. */
export type JsonText<Body> = string & { readonly [written]?: Body }
declare const written: unique symbol

/** A response with the types that `roster/client` infers from the route. */
type TypedJson<Body, Status extends StatusCode> = Response &
  TypedResponse<
    Body extends ReadableStream ? string : Body,
    Status,
    Body extends ReadableStream | null ? 'text' : 'json'
  >

const JSON_TYPE = 'application/json'
/** No other cache may store a response: Roster's own caches detect when it is stale, and a proxy does not. */
const CACHE_CONTROL = 'no-store'
/** A browser that has seen this reaches the host through TLS alone, for a year. */
const STRICT_TRANSPORT = 'max-age=31536000'
/** A body may hold text that anybody has typed, so a browser must not guess its type. */
const SNIFFING = 'nosniff'
/** Values of the `cache-status` header (RFC 9211). */
const CACHE_STATUS: Record<ReadSource, string> = {
  memory: 'roster; hit; detail=memory',
  kv: 'roster; hit; detail=kv',
  d1: 'roster; fwd=miss',
}

/**
 * Returns a response with the headers that every response to this request has. An object is sent as JSON. A stream is
 * sent unchanged, and the caller gives its `content-type`. Null sends an empty body.
 */
export function respond<Body extends string | object | null, Status extends StatusCode>(
  c: HttpContext,
  status: Status,
  body: Body,
  headers: ResponseHeaders = {},
): TypedJson<Body, Status> {
  const registry: RequestRegistry | undefined = c.get('registry')
  const isReady = typeof body !== 'object' || body === null || body instanceof ReadableStream
  const content = (isReady ? body : JSON.stringify(body)) as string | ReadableStream | null
  // Before the limits are stated.
  if (typeof content === 'string') registry?.admission.charge({ bytes: bytesOf(content) })
  const facts = registry?.facts
  const state = facts?.limits()
  const limits = state && limitValues(state)
  const serverTiming = c.get('serverTiming')
  const applied = appliedPreferences(c)
  count(c, status)
  // The runtime takes 7 µs longer, a tenth of a whole request, to read an object that was made by spreading others.
  const all: ResponseHeaders = {
    'x-request-id': c.get('requestId'),
    'x-content-type-options': SNIFFING,
    'strict-transport-security': STRICT_TRANSPORT,
  }
  if (limits) {
    all['ratelimit-policy'] = limits.policy
    all.ratelimit = limits.left
    all['x-ratelimit-limit'] = limits.limit
    all['x-ratelimit-remaining'] = limits.remaining
    all['x-ratelimit-reset'] = limits.resetSeconds
  }
  if (facts?.source) all['cache-status'] = CACHE_STATUS[facts.source]
  if (facts?.replayed || c.get('idempotentRequest')?.replayed) all['idempotent-replayed'] = 'true'
  if (facts?.consistencyToken) all['consistency-token'] = facts.consistencyToken
  if (serverTiming) all['server-timing'] = serverTiming()
  if (applied) all['preference-applied'] = applied
  if (body !== null) {
    all['content-type'] = JSON_TYPE
    all['cache-control'] = CACHE_CONTROL
  }
  for (const name in headers) all[name] = headers[name] as string
  return new Response(content, { status, headers: all }) as TypedJson<Body, Status>
}

/** Counts the response. There is no deployment if its bindings are not whole, which is then what the response says. */
function count(c: HttpContext, status: number): void {
  const deployment: Deployment | undefined = c.get('deployment')
  deployment?.countResponse?.(c, status)
}

/** Returns a response with JSON text that is ready, and the headers of `respond`. */
export function respondText<Body>(c: HttpContext, text: JsonText<Body>): TypedJson<Body, 200> {
  return respond(c, 200, text) as TypedJson<Body, 200>
}

/** Returns the size of a text in UTF-8. A text that is too short to cost a permit is not measured exactly. */
function bytesOf(text: string): number {
  return 3 * text.length < PERMIT_BUYS.bytes ? text.length : utf8(text).length
}

/** Returns the value of the `preference-applied` header (RFC 7240); null if the caller prefers nothing that was done. */
function appliedPreferences(c: HttpContext): string | null {
  const preferences = c.get('preferences')
  if (!preferences) return null
  const { handling, consistency } = Object.fromEntries(preferences)
  const isWrite = c.get('registry')?.facts.consistencyToken != null
  const applied = [
    (handling === 'strict' || handling === 'lenient') && c.get('isBodyChecked') && `handling=${handling}`,
    consistency === 'strong' && isWrite && 'consistency=strong',
    c.get('serverTiming') && 'server-timing',
  ].filter((name) => typeof name === 'string')
  return applied.length > 0 ? applied.join(', ') : null
}

/**
 * Returns the response to a read of one customer, the most frequent request. It has the headers of `respond`, but in
 * one object literal: the runtime takes 7 µs longer, a tenth of the whole request, to read an object made by spreading
 * others. `further` headers are for the few responses that have some.
 */
export function respondFound<Body>(
  c: HttpContext,
  body: JsonText<Body>,
  etag: string,
  further: ResponseHeaders | null = null,
): TypedJson<Body, 200> {
  const { facts } = c.get('registry')
  const state = facts.limits()
  if (!state || !facts.source || c.get('serverTiming') || further) {
    return respond(c, 200, body, { etag, ...further }) as TypedJson<Body, 200>
  }
  const limits = limitValues(state)
  count(c, 200)
  return new Response(body, {
    headers: {
      'x-request-id': c.get('requestId'),
      'ratelimit-policy': limits.policy,
      ratelimit: limits.left,
      'x-ratelimit-limit': limits.limit,
      'x-ratelimit-remaining': limits.remaining,
      'x-ratelimit-reset': limits.resetSeconds,
      'cache-status': CACHE_STATUS[facts.source],
      etag,
      'content-type': JSON_TYPE,
      'cache-control': CACHE_CONTROL,
      'x-content-type-options': SNIFFING,
      'strict-transport-security': STRICT_TRANSPORT,
    },
  }) as TypedJson<Body, 200>
}

/** Returns 304 with the headers that a cache updates its copy by (RFC 9110, section 15.4.5). */
export function respondNotModified(
  c: HttpContext,
  etag: string,
  further: ResponseHeaders | null = null,
): TypedJson<null, 304> {
  return respond(c, 304, null, { etag, 'cache-control': CACHE_CONTROL, ...further })
}

/**
 * Returns the handler that converts an error of a route to a response of the API. Unless the caller is unauthorized,
 * the handler waits for its admission first, so that a failed request costs a permit too.
 */
export function errorHandler(
  api: Api,
  countError: Services['countError'],
): (error: Error, c: HttpContext) => Response | Promise<Response> {
  return function respondError(error, c) {
    const failure = failureOf(error, c)
    // A route finds bad input before the gate has admitted the caller. Only an admitted caller gets the details of
    // the problem, and it pays a permit for them: otherwise trying out inputs would be free.
    const refusal = failure.reason === 'unauthorized' ? null : c.get('registry')?.admission.refusal()
    const respondTo = (refused: Failure | null | undefined) =>
      respondFailure(c, api, refused ? withSent(refused, c) : failure, countError)
    return whenKnown(refusal, respondTo)
  }
}

/** Returns the API's response to a failure, with the headers for it, logs the refusal, and counts an error of Roster's. */
function respondFailure(c: HttpContext, api: Api, failure: Failure, countError: Services['countError']): Response {
  const registry = c.get('registry')
  const context = { requestId: c.get('requestId'), nowMs: c.get('nowMs'), liveMode: registry?.scope.mode !== 'test' }
  const { status, body } = api.toErrorResponse(failure, context)
  const headers: ResponseHeaders = {}
  if ('retryAfterMs' in failure) headers['retry-after'] = String(Math.max(1, Math.ceil(failure.retryAfterMs / 1000)))
  if (failure.reason === 'method_not_allowed') headers.allow = failure.allowed.join(', ')
  if (failure.reason === 'coding_not_supported') headers['accept-encoding'] = ACCEPTED_CODINGS
  if (failure.reason === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="roster"'
  // A read that finds nothing is an ordinary read, so it is not logged.
  if (failure.reason !== 'not_found') {
    const line = { event: 'refused', api: api.name, reason: failure.reason, status, requestId: context.requestId }
    const isFault = status >= 500 && failure.reason !== 'not_supported' && !isStorageUsedUp(failure)
    // A request of an operator is in no count of the tenant that it acts as.
    const scope = c.get('operator') ? null : (registry?.scope ?? null)
    if (isFault) countError(c, { api: api.name, status, scope })
    const isStranger = !registry && c.get('operator') === undefined
    logRefusal(isFault ? 'error' : 'info', { ...line, ...registry?.scope }, context.nowMs, isStranger)
  }
  return respond(c, status as StatusCode, body, headers)
}

/** Adds to a failure what was sent, as far as it is for the text of the failure. */
function withSent(failure: Failure, c: HttpContext): Failure {
  if (failure.reason === 'unauthorized') return { sent: sentCredential(c.req.raw.headers), ...failure }
  if (failure.reason !== 'body_not_json' || failure.found !== undefined) return failure
  const found = placeOfSyntaxError(c.get('bodyText') ?? '')
  return found === null ? failure : { ...failure, found }
}

function failureOf(error: Error, c: HttpContext): Failure {
  if (error instanceof RegistryError) return withSent(error.failure, c)
  // Hono's JSON validator throws this for a body that does not parse.
  if (error instanceof HTTPException && error.status === 400) return withSent({ reason: 'body_not_json' }, c)
  log('error', {
    event: 'failed',
    requestId: c.get('requestId'),
    error: describeError(error),
    ...c.get('registry')?.scope,
  })
  return { reason: 'internal' }
}
