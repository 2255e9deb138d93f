/**
 * One signed POST to a URL that a tenant chose: the destination is judged, the body signed, the answer read as far as it is
 * wanted. Whatever goes wrong is told as data. What follows from it is for attempts.ts, or for whoever asked.
 */
import type { Clock } from '../shared/clock.ts'
import { type DestinationRules, problemOfDestination } from './destination.ts'
import { type Secret, signatureHeaders } from './signature.ts'

export interface PostDeps extends DestinationRules {
  fetch: typeof fetch
  clock: Clock
  /** For all of it: looking the name up, connecting, and reading the answer. */
  timeoutMs: number
}

interface Post {
  url: string
  secrets: readonly Secret[]
  /** `webhook-id`: the same whenever the same thing is sent, so that receivers can tell. */
  id: string
  body: string
  /** Of the answer, this much is read. */
  answerBytesMax: number
}

/** Why no answer came, or which answer is none. For people and for code. */
type PostError =
  | 'destination_refused'
  | 'host_not_found'
  | 'lookup_failed'
  | 'timeout'
  | 'connection_failed'
  | 'redirect_not_followed'

export interface Posted {
  /** Null when no answer came. */
  statusCode: number | null
  error: PostError | null
  /** The beginning of the answer's body; null when no answer came. */
  answer: string | null
  durationMs: number
  /** How long the receiver asked to be left alone; null: it did not. */
  retryAfterMs: number | null
}

type Result = Omit<Posted, 'durationMs'>

const USER_AGENT = 'Roster-Webhooks/1'

export async function postSigned(post: Post, deps: PostDeps): Promise<Posted> {
  const startMs = deps.clock()
  const signal = AbortSignal.timeout(deps.timeoutMs)
  const result = await untilAborted(attempt(post, deps, signal), signal)
  return { ...result, durationMs: deps.clock() - startMs }
}

async function attempt(post: Post, deps: PostDeps, signal: AbortSignal): Promise<Result> {
  const refusal = await refusalOf(post.url, deps)
  if (refusal) return failed(refusal)
  try {
    const response = await deps.fetch(post.url, {
      method: 'POST',
      // A redirect leads to where nobody has looked.
      redirect: 'manual',
      signal,
      body: post.body,
      headers: {
        'content-type': 'application/json',
        'user-agent': USER_AGENT,
        ...signatureHeaders(post.id, post.body, post.secrets, deps.clock()),
      },
    })
    const { status } = response
    return {
      statusCode: status,
      error: status >= 300 && status < 400 ? 'redirect_not_followed' : null,
      answer: await beginningOf(response, post.answerBytesMax),
      retryAfterMs: retryAfterOf(response.headers.get('retry-after'), deps.clock()),
    }
  } catch {
    return failed('connection_failed')
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

/** What is said last is the time-out, whatever else breaks because of it. */
async function untilAborted(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const timeout = new Promise<Result>((resolve) => {
    signal.addEventListener('abort', () => resolve(failed('timeout')))
  })
  return Promise.race([work, timeout])
}

function failed(error: PostError): Result {
  return { statusCode: null, error, answer: null, retryAfterMs: null }
}

/** Reads no further than it must: an answer may be without end. */
async function beginningOf(response: Response, bytesMax: number): Promise<string> {
  if (!response.body) return ''
  const bytes = new Uint8Array(bytesMax)
  let length = 0
  // Leaving the loop cancels the stream.
  for await (const chunk of response.body) {
    const part = chunk.subarray(0, bytesMax - length)
    bytes.set(part, length)
    length += part.length
    if (length === bytesMax) break
  }
  // SQLite ends a text at NUL.
  return new TextDecoder().decode(bytes.subarray(0, length)).replaceAll('\0', '�')
}

/** Seconds, or the time until then (RFC 9110). */
function retryAfterOf(header: string | null, nowMs: number): number | null {
  if (header === null) return null
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  // The runtime takes almost anything for a date.
  const waitMs = text.endsWith(' GMT') ? Date.parse(text) - nowMs : Number.NaN
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs)
}
