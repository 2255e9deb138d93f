/**
 * The request body, before any schema sees it: its size, its type, and that its strings can be stored.
 */
import type { MiddlewareHandler } from 'hono'
import { isStorableText } from '../registry/customer.ts'
import type { InputProblem } from '../registry/failures.ts'
import { Refused } from '../registry/failures.ts'
import type { HttpContext, HttpEnv } from './door.ts'

export const BODY_BYTES_MAX = 256 * 1024

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i
/** Escapes that may name NUL or a surrogate; only then is the body worth a walk. */
const SUSPICIOUS = /\\u0000|\\ud[89a-f]/i

/** Leaves the text where Hono's JSON validator finds it. */
export const jsonBody: MiddlewareHandler<HttpEnv> = async function jsonBody(c, next) {
  const contentType = c.req.header('content-type') ?? ''
  if (!JSON_TYPE.test(contentType)) throw new Refused({ reason: 'body_not_supported', contentType })
  if (Number(c.req.header('content-length') ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  const bytes = await readBounded(c.req.raw.body)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new Refused({ reason: 'body_not_json' })
  }
  if (SUSPICIOUS.test(text) || text.includes('\0')) {
    const problem = unstorableString(parse(text))
    if (problem) throw new Refused({ reason: 'invalid_input', problems: [problem] })
  }
  // Hono awaits what it finds here, though its type says the bare text.
  leaveText(c, text)
  await next()
}

/** Where every field has a default: no body at all is `{}`. */
export const optionalJsonBody: MiddlewareHandler<HttpEnv> = async function optionalJsonBody(c, next) {
  if (c.req.raw.body !== null && c.req.header('content-length') !== '0') return jsonBody(c, next)
  leaveText(c, '{}')
  await next()
}

function leaveText(c: HttpContext, text: string): void {
  ;(c.req.bodyCache as { text?: Promise<string> }).text = Promise.resolve(text)
}

/** Stops reading as soon as there is too much, whatever the headers said. */
async function readBounded(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (stream) {
    for await (const chunk of stream) {
      length += chunk.byteLength
      if (length > BODY_BYTES_MAX) throw tooLarge()
      chunks.push(chunk)
    }
  }
  if (chunks.length === 1 && chunks[0]) return chunks[0]
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function tooLarge(): Refused {
  return new Refused({ reason: 'body_too_large', bytesMax: BODY_BYTES_MAX })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refused({ reason: 'body_not_json' })
  }
}

/** A string or a key in parsed JSON that can not be stored. Goes by a list of its own: what is nested ten thousand levels deep would end a recursion, and the request with a 500. */
export function unstorableString(value: unknown, path = ''): InputProblem | null {
  const open: { value: unknown; path: string }[] = [{ value, path }]
  for (let at = open.pop(); at; at = open.pop()) {
    if (typeof at.value === 'string' && !isStorableText(at.value)) return problemAt(at.path)
    if (typeof at.value !== 'object' || at.value === null) continue
    for (const [key, inner] of Object.entries(at.value)) {
      if (!isStorableText(key)) return problemAt(at.path)
      open.push({ value: inner, path: at.path === '' ? key : `${at.path}.${key}` })
    }
  }
  return null
}

function problemAt(field: string): InputProblem {
  return {
    field,
    message: 'holds a NUL character or half of a surrogate pair',
    fix: 'remove \\u0000 and send both halves of every surrogate pair',
  }
}
