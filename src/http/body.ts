/**
 * Reads the request body before any schema does. Checks its size, its type, and that its values can be kept as sent.
 */
import { RegistryError } from '../registry/errors.ts'
import { joined } from '../shared/bytes.ts'
import { readJson } from '../validation/json.ts'
import type { HttpContext } from './api.ts'
import { decodedBody, isEncoded } from './content-coding.ts'
import { isUtf8Of } from './media-type.ts'

const BODY_BYTES_MAX = 256 * 1024

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/

/**
 * Reads the text of the JSON body and leaves it in `bodyText`, for the fingerprint of an idempotent request. Returns
 * false if the body is optional and there is none. Throws `RegistryError` with `body_not_supported`,
 * `coding_not_supported`, `body_not_decodable`, `body_too_large`, `body_not_json`, or `invalid_input` for a value that
 * cannot be kept as it was sent.
 */
export async function readJsonBody(c: HttpContext, { optional }: { optional?: true }): Promise<boolean> {
  const isThere = !(optional && isEmpty(c))
  const text = isThere ? await readText(c) : '{}'
  c.set('bodyText', text)
  const { value, problem } = parse(text)
  if (problem) throw new RegistryError({ reason: 'invalid_input', problems: [problem] })
  // The validator reads the body with this method. Hono's own would parse it again, undecoded, and lose digits.
  c.req.json = () => Promise.resolve(value as never)
  return isThere
}

function isEmpty(c: HttpContext): boolean {
  return c.req.raw.body === null || c.req.header('content-length') === '0'
}

async function readText(c: HttpContext): Promise<string> {
  // A request that forgot its body has no content type either, and the body is what it lacks.
  if (isEmpty(c)) throw new RegistryError({ reason: 'body_not_json', found: 'nothing' })
  const contentType = c.req.header('content-type') ?? ''
  if (!isUtf8Of(JSON_TYPE, contentType)) throw new RegistryError({ reason: 'body_not_supported', contentType })
  const bytes = await readBytes(c.req.raw, c.req.header('content-length') ?? null)
  if (bytes.byteLength === 0) throw new RegistryError({ reason: 'body_not_json', found: 'nothing' })
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new RegistryError({ reason: 'body_not_json', found: 'not_utf8' })
  }
}

/**
 * Reads the body with one call if it has the length that it declares. A Worker that calls this one may declare any, so the
 * bytes are counted.
 */
async function readBytes(request: Request, declared: string | null): Promise<Uint8Array> {
  const length = Number(declared)
  if (length > BODY_BYTES_MAX) throw tooLarge()
  const { body } = request
  if (body === null || declared === null || !isLength(length) || isEncoded(request.headers)) {
    return bytesOf(decodedBody(request, BODY_BYTES_MAX))
  }
  const reader = body.getReader({ mode: 'byob' })
  const { value = new Uint8Array() } = await reader.readAtLeast(length + 1, new Uint8Array(length + 1))
  if (value.length <= length) return value
  reader.releaseLock()
  const rest = await bytesOf(body)
  if (value.length + rest.length > BODY_BYTES_MAX) throw tooLarge()
  return joined([value, rest])
}

function isLength(length: number): boolean {
  return Number.isInteger(length) && length >= 0
}

async function bytesOf(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body ?? []) {
    length += piece.length
    if (length > BODY_BYTES_MAX) throw tooLarge()
    pieces.push(piece)
  }
  return joined(pieces)
}

function parse(text: string): ReturnType<typeof readJson> {
  try {
    return readJson(text)
  } catch {
    throw new RegistryError({ reason: 'body_not_json' })
  }
}

function tooLarge(): RegistryError {
  return new RegistryError({ reason: 'body_too_large', bytesMax: BODY_BYTES_MAX })
}
