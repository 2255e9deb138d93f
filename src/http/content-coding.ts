/**
 * Decodes a body by its `content-encoding` (RFC 9110, section 8.4), piece by piece, so that a small body cannot become a
 * large one in memory.
 */
import { RegistryError } from '../registry/errors.ts'

type Format = ConstructorParameters<typeof DecompressionStream>[0]

const FORMATS: Record<string, Format> = { gzip: 'gzip', 'x-gzip': 'gzip', deflate: 'deflate' }
/** The value of `accept-encoding` in the refusal of another coding. The runtime has no decoder for `br`. */
export const ACCEPTED_CODINGS = 'gzip, deflate, identity'
/** Nobody compresses a body more often by intention. */
const CODINGS_MAX = 2

/** The decoder puts everything that is in a slice into its buffer at once. So slices are small. */
const SLICE_BYTES = 1_024
/** Deflate makes at most 1,032 bytes of one. */
const BYTES_OF_SLICE_MAX = 1_040 * SLICE_BYTES

/** Returns true if the body has to be decoded. */
export function isEncoded(headers: Headers): boolean {
  return codingsIn(headers).length > 0
}

/**
 * Returns the body without its codings. Neither the body nor what any of its codings leaves may be longer than
 * `bytesMax`. Throws `RegistryError` with `coding_not_supported`. The stream fails with `body_too_large`, or with
 * `body_not_decodable` for a body that is cut off, damaged, or followed by more.
 */
export function decodedBody(request: Request, bytesMax: number): ReadableStream<Uint8Array> | null {
  const codings = codingsIn(request.headers)
  const formats = codings.map((coding) => FORMATS[coding])
  if (codings.length > CODINGS_MAX || formats.includes(undefined)) {
    throw new RegistryError({ reason: 'coding_not_supported', coding: codings.join(', ') })
  }
  let body = request.body as ReadableStream<Uint8Array> | null
  for (const [at, format] of [...formats.entries()].toReversed()) {
    if (body && format) body = inflated(body, format, codings[at] as string, bytesMax)
  }
  return body
}

/** Returns the codings in the order in which they were applied. `identity` is none. */
function codingsIn(headers: Headers): string[] {
  const header = headers.get('content-encoding')
  if (header === null) return []
  const codings = header.split(',').map((coding) => coding.trim().toLowerCase())
  return codings.filter((coding) => coding !== '' && coding !== 'identity')
}

function inflated(
  body: ReadableStream<Uint8Array>,
  format: Format,
  coding: string,
  bytesMax: number,
): ReadableStream<Uint8Array> {
  const input = body.getReader()
  const { readable, writable } = new DecompressionStream(format)
  const writer = writable.getWriter()
  const output = readable.getReader({ mode: 'byob' })
  let piece: Uint8Array = new Uint8Array()
  let hasEnded = false
  let left = bytesMax
  let buffer = new ArrayBuffer(Math.min(BYTES_OF_SLICE_MAX, bytesMax + 1))

  /** Gives the decoder the next slice, or the end. */
  async function feed(): Promise<void> {
    while (piece.length === 0) {
      const { done, value } = await input.read()
      if (done) {
        hasEnded = true
        return writer.close()
      }
      piece = value
    }
    const slice = piece.subarray(0, SLICE_BYTES)
    piece = piece.subarray(SLICE_BYTES)
    await writer.write(slice)
  }

  /** Returns what the decoder makes of the next slices; null at the end. */
  async function next(): Promise<Uint8Array | null> {
    let isRead = false
    const reading = output.read(new Uint8Array(buffer, 0, Math.min(buffer.byteLength, left + 1))).then((result) => {
      isRead = true
      return result
    })
    // The first of the two that fails is the one that is reported.
    reading.catch(() => undefined)
    while (!isRead && !hasEnded) await feed()
    const { done, value } = await reading
    if (done) return null
    left -= value.byteLength
    if (left < 0) throw new RegistryError({ reason: 'body_too_large', bytesMax })
    buffer = value.buffer as ArrayBuffer
    return value.slice()
  }

  async function stop(): Promise<void> {
    await Promise.allSettled([input.cancel(), writer.abort(), output.cancel()])
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const bytes = await next()
          if (bytes) controller.enqueue(bytes)
          else controller.close()
        } catch (error) {
          void stop()
          // The decoder fails with a TypeError. Another error is that of the connection, or of a coding before this one.
          throw error instanceof TypeError ? new RegistryError({ reason: 'body_not_decodable', coding }) : error
        }
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  )
}
