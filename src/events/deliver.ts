/**
 * Sends one signed POST to a URL that a tenant chose: checks the destination, signs the body, and takes the status of
 * the response. The body of the response is read as far as possible within a short time, and never changes the status.
 * Returns every failure as data. attempts.ts or the caller decides what follows from it.
 */
import type { Clock } from '../shared/clock.ts'
import { sleep, within } from '../shared/sleep.ts'
import { type CloudflareError, cloudflareErrorOf } from './cloudflare-answers.ts'
import { type DestinationRules, problemOfDestination } from './destination.ts'
import { type Secret, signatureHeaders } from './signature.ts'

export interface PostDeps extends DestinationRules {
  fetch: typeof fetch
  clock: Clock
  /** Time limit until the status of the response: resolving the name, connecting, and waiting for the headers. */
  timeoutMs: number
}

/** How much of the body of a response is read, and for how long after its headers. */
export interface BodyBounds {
  bytesMax: number
  timeoutMs: number
}

interface Post {
  url: string
  secrets: readonly Secret[]
  /** `webhook-id`. The same whenever the same thing is sent, so that receivers can recognise a repeat. */
  id: string
  body: string
  response: BodyBounds
}

/** Why no response came, or why it is not the receiver's. For people and for code. */
export type PostError =
  | CloudflareError
  | 'destination_refused'
  | 'host_not_found'
  | 'lookup_failed'
  | 'timeout'
  | 'redirect_not_followed'
  | 'secret_unreadable'

export interface Posted {
  /**
   * Status of the response; null when no response came. With a `CloudflareError` in `error` it is Cloudflare's, not
   * the receiver's.
   */
  statusCode: number | null
  /** Why there is no response of the receiver; null when the receiver itself has responded, with any status. */
  error: PostError | null
  /** The part of the response body that could be read; null when no response came. */
  answer: string | null
  /** True when the body broke off, has another content coding than it says, or took too long. */
  isCut: boolean
  durationMs: number
  /** How long the receiver asked Roster to wait (`retry-after`); null when it did not ask. */
  retryAfterMs: number | null
}

type Result = Omit<Posted, 'durationMs'>

const USER_AGENT = 'Roster-Webhooks/1'
/** Statuses that send the client elsewhere. 300 and 304 do not. */
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Returns the result of an attempt that could not be signed. */
export const NOT_SIGNED: Posted = {
  ...{ statusCode: null, error: 'secret_unreadable', answer: null },
  ...{ isCut: false, durationMs: 0, retryAfterMs: null },
}

export async function postSigned(post: Post, deps: PostDeps): Promise<Posted> {
  const startMs = deps.clock()
  const connection = new AbortController()
  try {
    const response = await within(send(post, deps, connection.signal), deps.timeoutMs, sleep, 'timeout' as const)
    const result = typeof response === 'string' ? failed(response) : await resultOf(response, post, deps)
    return { ...result, durationMs: deps.clock() - startMs }
  } finally {
    // Ends the connection: a receiver that goes on sending must not hold it.
    connection.abort()
  }
}

/** Resolves with the response once its headers have arrived, or with the reason why there is none. */
async function send(post: Post, deps: PostDeps, signal: AbortSignal): Promise<Response | PostError> {
  const refusal = await refusalOf(post.url, deps)
  if (refusal) return refusal
  try {
    return await deps.fetch(post.url, {
      method: 'POST',
      // The target of a redirect has not been checked.
      redirect: 'manual',
      signal,
      body: post.body,
      headers: {
        'content-type': 'application/json',
        'user-agent': USER_AGENT,
        ...signatureHeaders(post.id, post.body, post.secrets, deps.clock()),
      },
    })
  } catch {
    return 'connection_failed'
  }
}

async function resultOf(response: Response, { response: bounds }: Post, { clock }: PostDeps): Promise<Result> {
  const { status, headers } = response
  const { text, isCut } = await beginningOf(response, bounds)
  return {
    statusCode: status,
    error: cloudflareErrorOf(status, headers, text) ?? (REDIRECTS.has(status) ? 'redirect_not_followed' : null),
    answer: text,
    isCut,
    retryAfterMs: retryAfterOf(headers.get('retry-after'), clock()),
  }
}

async function refusalOf(url: string, rules: DestinationRules): Promise<PostError | null> {
  try {
    const problem = await problemOfDestination(url, rules)
    if (!problem) return null
    return problem.isMissing ? 'host_not_found' : 'destination_refused'
  } catch {
    return 'lookup_failed'
  }
}

function failed(error: PostError): Result {
  return { statusCode: null, error, answer: null, isCut: false, retryAfterMs: null }
}

/** Reads no more than the bounds allow, because a response may be endless. Never throws. */
async function beginningOf(response: Response, { bytesMax, timeoutMs }: BodyBounds) {
  const sample = { bytes: new Uint8Array(bytesMax), length: 0 }
  const reader = response.body?.getReader()
  const isWhole = reader ? await within(readInto(sample, reader), timeoutMs, sleep, false) : true
  // Not awaited: a connection that hangs may never confirm it.
  reader?.cancel().catch(() => undefined)
  const text = new TextDecoder().decode(sample.bytes.subarray(0, sample.length))
  // SQLite ends a text at NUL.
  return { text: text.replaceAll('\0', '\ufffd'), isCut: !isWhole }
}

/** Returns true when the body has come to its end or the sample is full, and false when the body broke off. */
async function readInto(
  sample: { bytes: Uint8Array; length: number },
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<boolean> {
  const { bytes } = sample
  try {
    while (sample.length < bytes.length) {
      const { done, value } = await reader.read()
      if (done) return true
      const part = value.subarray(0, bytes.length - sample.length)
      bytes.set(part, sample.length)
      sample.length += part.length
    }
    return true
  } catch {
    return false
  }
}

/** `retry-after` holds seconds or a date (RFC 9110). Without a bound: the schedule has one. */
function retryAfterOf(header: string | null, nowMs: number): number | null {
  if (header === null) return null
  const text = header.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER / 1_000) * 1_000
  // `Date.parse` accepts almost any text as a date.
  const waitMs = text.endsWith(' GMT') ? Date.parse(text) - nowMs : Number.NaN
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs)
}
