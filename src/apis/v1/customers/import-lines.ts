/**
 * Groups the lines of an upload into chunks, while it is being received. Memory holds one chunk and the bytes of one read,
 * whatever the length of the upload. `formats/files/lines.ts` reads the lines, import.ts parses them.
 */
import { FileFault } from '../../../formats/files/columns.ts'
import type { FileLine, FileLines } from '../../../formats/files/lines.ts'
import { BULK_BOUNDS } from '../../../registry/bulk.ts'
import type { Sleep } from '../../../shared/sleep.ts'

/** A chunk of lines, and the bytes of the upload that were read since the chunk before. */
export interface LineChunk {
  lines: FileLine[]
  bytesRead: number
}

/** Bytes without a line after which a chunk is passed on that has none, so that they are paid for. */
const BLANK_BYTES_MAX = 4 * BULK_BOUNDS.uploadBytesPerPermit

/** Pause after which an incomplete chunk is passed on: a sender may wait for results before it sends more. */
const IDLE_MS = 100

export class LineChunks {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null
  readonly #lines: FileLines
  readonly #sleep: Sleep
  /** Complete lines that are not in a chunk yet. */
  #ready: FileLine[] = []
  #reading: Promise<ReadableStreamReadResult<Uint8Array>> | null = null
  /** Number of reads that have finished. */
  #reads = 0
  /** Bytes that no chunk has counted yet. */
  #bytesRead = 0
  #ended = false
  /** Why the rest of the upload cannot be read. Thrown once the lines before it are passed on. */
  #fault: FileFault | null = null

  constructor(stream: ReadableStream<Uint8Array> | null, lines: FileLines, sleep: Sleep) {
    this.#reader = stream?.getReader() ?? null
    this.#lines = lines
    this.#sleep = sleep
    if (stream === null) this.#take({ done: true, value: undefined })
  }

  /** Begins to read: up to the header of a CSV file. Throws `FileFault` if the file cannot be read. */
  async begin(): Promise<void> {
    while (!this.#ended && this.#reader && !this.#lines.isBegun) this.#take(await this.#reader.read())
    if (this.#fault && this.#ready.length === 0) throw this.#fault
    // Wrangler's local server takes a body that nobody has begun to read for an unused one, and tries to drain it.
    if (this.#ended || !this.#reader) return
    this.#reading = this.#reader.read()
    // `next` rejects with it, and may never be called.
    this.#reading.catch(() => undefined)
  }

  /** Returns the next chunk, or null after the last. Rejects if the upload breaks off or cannot be read any further. */
  async next(): Promise<LineChunk | null> {
    const timer = new AbortController()
    try {
      const lines = await this.#next(timer.signal)
      if (!lines) return null
      const bytesRead = this.#bytesRead
      // A part of a permit is counted with the next chunk.
      this.#bytesRead = bytesRead % BULK_BOUNDS.uploadBytesPerPermit
      return { lines, bytesRead }
    } finally {
      timer.abort()
    }
  }

  /** Uses one timer per chunk, not per read: a large file takes thousands of reads in one invocation. */
  async #next(signal: AbortSignal): Promise<FileLine[] | null> {
    let idle: Promise<null> | null = null
    const chunk: FileLine[] = []
    for (let bytes = 0; ; ) {
      for (let line = this.#ready.shift(); line; line = this.#ready.shift()) {
        chunk.push(line)
        bytes += line.bytes
        if (chunk.length === BULK_BOUNDS.chunkLinesMax || bytes >= BULK_BOUNDS.chunkBytesMax) return chunk
      }
      if (this.#ended || !this.#reader) {
        if (chunk.length === 0 && this.#fault) throw this.#fault
        return chunk.length > 0 || this.#bytesRead >= BULK_BOUNDS.uploadBytesPerPermit ? chunk : null
      }
      if (chunk.length === 0 && this.#bytesRead >= BLANK_BYTES_MAX) return chunk
      this.#reading ??= this.#reader.read()
      if (chunk.length > 0) idle ??= this.#idle(signal)
      const read = await (idle ? Promise.race([this.#reading, idle]) : this.#reading)
      if (!read) return chunk
      this.#reading = null
      this.#take(read)
    }
  }

  /** Stops reading the upload. */
  async cancel(): Promise<void> {
    this.#ended = true
    await this.#reader?.cancel().catch(() => undefined)
  }

  /** Resolves once no read has finished for `IDLE_MS`, at the latest for twice as long. */
  async #idle(signal: AbortSignal): Promise<null> {
    for (let reads = -1; reads !== this.#reads && !signal.aborted; ) {
      reads = this.#reads
      await this.#sleep(IDLE_MS, signal).catch(() => undefined)
    }
    return null
  }

  #take(read: ReadableStreamReadResult<Uint8Array>): void {
    this.#reads++
    this.#bytesRead += read.value?.byteLength ?? 0
    try {
      for (const line of read.done ? this.#lines.end() : this.#lines.push(read.value)) this.#ready.push(line)
      this.#ended = read.done
    } catch (error) {
      if (!(error instanceof FileFault)) throw error
      this.#fault = error
      this.#ended = true
    }
  }
}
