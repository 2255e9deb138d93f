/**
 * From the bytes of an upload to lines, as many at a time as make a chunk. Holds a chunk and what one read brought,
 * whatever the length of the upload; what a line says is for import.ts.
 */
import { BULK_BOUNDS } from '../../registry/bulk.ts'

export interface RawLine {
  /** From 1, blank ones counted. */
  line: number
  /** Null for one that is longer than a line may be. */
  bytes: Uint8Array | null
}

const NEWLINE = 10
/** A sender that waits for answers before it goes on gets those of what it has sent. */
const IDLE_MS = 100

export class LineChunks {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null
  readonly #sleep: (ms: number) => Promise<unknown>
  /** Whole lines that no chunk has had. */
  #ready: RawLine[] = []
  /** The beginning of the line that is being read; null once it is too long to be kept. */
  #parts: Uint8Array[] | null = []
  #length = 0
  #line = 1
  #reading: Promise<ReadableStreamReadResult<Uint8Array>> | null = null
  #ended: boolean

  constructor(stream: ReadableStream<Uint8Array> | null, sleep: (ms: number) => Promise<unknown>) {
    this.#reader = stream?.getReader() ?? null
    this.#ended = stream === null
    this.#sleep = sleep
  }

  /** The next lines, blank ones left out; null after the last. Rejects when the upload breaks off. */
  async next(): Promise<RawLine[] | null> {
    const chunk: RawLine[] = []
    for (let bytes = 0; ; ) {
      for (let line = this.#ready.shift(); line; line = this.#ready.shift()) {
        chunk.push(line)
        bytes += line.bytes?.length ?? 0
        if (chunk.length === BULK_BOUNDS.chunkLinesMax || bytes >= BULK_BOUNDS.chunkBytesMax) return chunk
      }
      if (this.#ended || !this.#reader) return chunk.length > 0 ? chunk : null
      this.#reading ??= this.#reader.read()
      const read = chunk.length > 0 ? await Promise.race([this.#reading, this.#idle()]) : await this.#reading
      if (!read) return chunk
      this.#reading = null
      if (read.done) this.#end()
      else this.#take(read.value)
    }
  }

  /** Reads no further. */
  async cancel(): Promise<void> {
    this.#ended = true
    await this.#reader?.cancel().catch(() => undefined)
  }

  async #idle(): Promise<null> {
    await this.#sleep(IDLE_MS)
    return null
  }

  #take(bytes: Uint8Array): void {
    let from = 0
    for (let to = bytes.indexOf(NEWLINE); to !== -1; to = bytes.indexOf(NEWLINE, from)) {
      this.#append(bytes.subarray(from, to))
      this.#finish()
      from = to + 1
    }
    this.#append(bytes.subarray(from))
  }

  #end(): void {
    this.#ended = true
    if (this.#length > 0) this.#finish()
  }

  #append(part: Uint8Array): void {
    this.#length += part.length
    if (this.#length > BULK_BOUNDS.lineBytesMax) this.#parts = null
    else if (part.length > 0) this.#parts?.push(part)
  }

  #finish(): void {
    const line = this.#line++
    const bytes = this.#parts && joined(this.#parts, this.#length)
    if (!bytes || !isBlank(bytes)) this.#ready.push({ line, bytes })
    this.#parts = []
    this.#length = 0
  }
}

function joined(parts: Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1 && parts[0]) return parts[0]
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Nothing but spaces, tabs and carriage returns. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}
