/**
 * Sends calls and reads their answers. Every failure is an `ApiError` with the API's own text.
 */
import type { V1Error } from 'roster/client'
import type { Call } from './call.ts'
import { credentialHeaders } from './credential.ts'

/** A request that gets no answer in this time is given up: D1 and the gates answer or give up well before. */
const TIMEOUT_MS = 60_000

export interface FieldError {
  field: string
  message: string
  fix: string
}

/** An answer that says no. `status` is 0 if there was no answer. */
export class ApiError extends Error {
  override name = 'ApiError'

  constructor(
    readonly status: number,
    message: string,
    readonly details: V1Error['details'],
    readonly requestId: string | null,
    /** Seconds to wait, if the API says so. */
    readonly retryAfterSeconds: number | null,
  ) {
    super(message)
  }

  /** The fields that are wrong, each with its fix. */
  get fields(): FieldError[] {
    return this.details.errors ?? []
  }

  /** The text for the field, with its fix. */
  of(field: string): string | undefined {
    const found = this.fields.find((error) => error.field === field || error.field.startsWith(`${field}.`))
    return found && `${found.message}: ${found.fix}`
  }
}

/** An answer with the headers that screens use. */
export interface Sent<Answer> {
  body: Answer
  etag: string | null
  requestId: string | null
}

/**
 * The last consistency token of each tenant and mode. A read that sends it shows the write it belongs to, however soon it
 * follows.
 */
const tokens = new Map<string, string>()

/** Forgets the tokens, which are of another caller. */
export function forgetTokens(): void {
  tokens.clear()
}

/** Tells the shell that the credential is no longer accepted. */
let onUnauthorized: () => void = () => undefined

export function whenUnauthorized(listener: () => void): void {
  onUnauthorized = listener
}

/** Sends the call. Throws `ApiError`. */
export async function send<Answer>(call: Call<Answer>, signal?: AbortSignal): Promise<Answer> {
  return (await sendForEtag(call, signal)).body
}

/** As `send`, and returns the etag and the request id too. */
export async function sendForEtag<Answer>(call: Call<Answer>, signal?: AbortSignal): Promise<Sent<Answer>> {
  const response = await respond(call, signal)
  const text = await response.text().catch(() => '')
  const requestId = response.headers.get('x-request-id')
  if (!response.ok) throw refusal(response, text, requestId)
  return {
    body: (text === '' ? null : JSON.parse(text)) as Answer,
    etag: response.headers.get('etag'),
    requestId,
  }
}

/**
 * Sends the call and returns the stream of its answer, which may go on for as long as it likes once it has begun. Throws
 * `ApiError`.
 */
export async function sendForStream(call: Call, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const untilBegun = new AbortController()
  const timer = setTimeout(() => untilBegun.abort(), TIMEOUT_MS)
  try {
    const response = await respond(call, signal, untilBegun.signal)
    if (response.ok && response.body) return response.body
    throw refusal(response, await response.text().catch(() => ''), response.headers.get('x-request-id'))
  } finally {
    clearTimeout(timer)
  }
}

/** Sends the call and returns the response as it is. Throws `ApiError` if there is none before `timeout`. */
async function respond(
  call: Call,
  signal: AbortSignal | undefined,
  timeout: AbortSignal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<Response> {
  const { method, path, body, headers } = call
  const place = `${headers['roster-tenant']} ${headers['roster-mode']}`
  const token = path.startsWith('/v1/') && method === 'GET' ? tokens.get(place) : undefined
  try {
    const response = await fetch(path, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...credentialHeaders(),
        ...(token !== undefined && { 'consistency-token': token }),
        ...asBytes(headers),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    if (response.status === 401) onUnauthorized()
    const written = response.headers.get('consistency-token')
    if (written !== null && method !== 'GET') tokens.set(place, written)
    return response
  } catch (error) {
    if (signal?.aborted) throw error
    const text = timeout.aborted
      ? `Roster did not answer within ${TIMEOUT_MS / 1000} s. A change may have been made all the same: look before you try again.`
      : 'Roster cannot be reached from here. Check your connection; then try again.'
    throw new ApiError(0, text, {}, null, null)
  }
}

/** Returns the error of a response that is not ok. */
export function refusal(response: Response, text: string, requestId: string | null): ApiError {
  const retryAfter = Number(response.headers.get('retry-after')) || null
  const body = parsed(text)
  const message = body?.message ?? `Roster answered ${response.status}.`
  return new ApiError(response.status, message, body?.details ?? {}, requestId, retryAfter)
}

function parsed(text: string): V1Error | null {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Returns the headers as `fetch` takes them: their bytes in UTF-8, as curl sends them. */
function asBytes(headers: Record<string, string>): Record<string, string> {
  const bytes = (text: string) => String.fromCharCode(...new TextEncoder().encode(text))
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, bytes(value)]))
}
