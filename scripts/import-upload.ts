/**
 * Sends lines to `POST /v1/customers/import` in requests of a bounded size, and reports the result of each line. After a request that
 * broke off, the lines without a result are sent again; a line that was imported already is then unchanged. import.mjs and the
 * console read the file and show the progress.
 */

/** Cloudflare takes 100 MB a request on most plans, and answers 413 to more. */
const PART_BYTES_MAX = 50_000_000
const ATTEMPTS_MAX = 5
const RETRY_MS = 1_000
const TOO_LARGE = 413
/** The only 5xx that is not repeated: the database stays full. */
const INSUFFICIENT_STORAGE = 507

export interface SentLine {
  /** The JSON to send. */
  text: string
}

/** A line of the response. */
export interface LineResult {
  line: number
  result: 'created' | 'updated' | 'unchanged' | 'error'
  external_id: string | null
  errors: { field: string; message: string; fix: string }[]
  /** The import ended before this line. */
  stopped?: true
}

export interface Upload<Line extends SentLine> {
  url: URL
  /** The credential, and what else a request of this caller has. */
  headers: Record<string, string>
  lines: AsyncIterator<Line>
  /** The most bytes of one request; a longer line is sent alone. */
  partBytesMax?: number
  /** Gathers each request before it is sent: browsers stream an upload over HTTP/2 only, and some never. */
  isGathered?: boolean
  /** Ends the upload as `stopped`, between two results. */
  signal?: AbortSignal
  /** Called for each line, in the order of the lines, once. */
  onResult(result: LineResult, line: Line): void
  /** Called when a request has been answered and another follows. */
  onPart(): void
  wait?(ms: number): Promise<unknown>
}

/** `stopped`: the caller has to change something first. `gave_up`: Roster could not be reached, or broke off, several times. */
export type UploadEnd = { kind: 'done' } | { kind: 'stopped' | 'gave_up'; message: string }

type PartEnd = { kind: 'answered'; isLast: boolean } | { kind: 'stopped' | 'broken'; message: string }

/**
 * Returns null if Roster takes an import from this key, else why not. Asking before the file is sent saves the upload of a
 * body that nobody would read.
 */
export async function refusalOfImport({
  url,
  headers,
}: Pick<Upload<SentLine>, 'url' | 'headers'>): Promise<UploadEnd | null> {
  try {
    const answer = await fetch(url, { method: 'POST', headers: { ...headers, ...NDJSON }, body: '' })
    if (!answer.ok) {
      const end = await refusalOf(answer, 0)
      // Trouble that may pass is left to the attempts of the upload.
      return end.kind === 'stopped' ? { kind: 'stopped', message: end.message } : null
    }
    await answer.text()
    return null
  } catch (error) {
    return { kind: 'gave_up', message: `Roster cannot be reached at ${url.origin} (${causeOf(error as Error)})` }
  }
}

const NDJSON = { 'content-type': 'application/x-ndjson' }

/** Sends all lines. Returns how it ended. Throws the error that `lines` throws. */
export async function upload<Line extends SentLine>(options: Upload<Line>): Promise<UploadEnd> {
  const { lines, onPart, signal, wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) } = options
  const pending = new PendingLines(lines)
  for (let attempt = 1; ; ) {
    const before = pending.answered
    const end = await sendPart(options, pending)
    if (signal?.aborted) return { kind: 'stopped', message: 'You stopped it' }
    if (end.kind === 'stopped') return { kind: 'stopped', message: end.message }
    if (end.kind === 'answered') {
      if (end.isLast) return { kind: 'done' }
      onPart()
      attempt = 1
      continue
    }
    if (pending.answered > before) attempt = 1
    if (attempt === ATTEMPTS_MAX) return { kind: 'gave_up', message: end.message }
    await wait(RETRY_MS * attempt++)
    pending.sendAgain()
  }
}

async function sendPart<Line extends SentLine>(
  { url, headers, partBytesMax = PART_BYTES_MAX, isGathered = false, signal, onResult }: Upload<Line>,
  pending: PendingLines<Line>,
): Promise<PartEnd> {
  const encoder = new TextEncoder()
  const abort = new AbortController()
  const ends = AbortSignal.any([abort.signal, ...(signal ? [signal] : [])])
  let bytes = 0
  let isLast = false
  let problem: unknown = null
  /** Takes the next line of this request. Returns null behind its last. */
  async function next(): Promise<Uint8Array<ArrayBuffer> | null> {
    const line = await pending.next()
    // The request may have ended meanwhile; the line is then for the one after it.
    if (abort.signal.aborted) return null
    const encoded = line && encoder.encode(`${line.text}\n`)
    if (!encoded || (bytes > 0 && bytes + encoded.length > partBytesMax)) {
      isLast = !encoded
      return null
    }
    pending.take()
    bytes += encoded.length
    return encoded
  }
  const streamed = () =>
    new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const encoded = await next()
            if (abort.signal.aborted) return
            if (encoded) controller.enqueue(encoded)
            else controller.close()
          } catch (error) {
            problem = error
            controller.error(error)
          }
        },
      },
      { highWaterMark: 64 },
    )
  const body = isGathered ? await gathered(next) : streamed()
  try {
    const init = {
      method: 'POST',
      headers: { ...headers, ...NDJSON },
      body,
      duplex: 'half',
      signal: ends,
    } as RequestInit
    const answer = await fetch(url, init)
    if (!answer.ok) return await refusalOf(answer, partBytesMax)
    for await (const result of resultsOf(answer)) {
      if (result.stopped) return { kind: 'stopped', message: result.errors[0]?.message ?? '' }
      onResult(result, pending.answer())
    }
    if (pending.isAnswered && !problem) return { kind: 'answered', isLast }
    return { kind: 'broken', message: 'The response broke off' }
  } catch (error) {
    if (problem) throw problem
    return { kind: 'broken', message: `Roster cannot be reached at ${url.origin} (${causeOf(error as Error)})` }
  } finally {
    // Ends an upload that is still running: nothing reads it any more.
    abort.abort()
  }
}

async function gathered(next: () => Promise<Uint8Array<ArrayBuffer> | null>): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let part = await next(); part; part = await next()) parts.push(part)
  return new Blob(parts)
}

/** Lines in the order of the file: those without a result, and behind them those that were not sent yet. */
class PendingLines<Line> {
  answered = 0
  readonly #lines: AsyncIterator<Line>
  /** Lines that were read. Those before `#from` have a result. */
  #read: Line[] = []
  #from = 0
  /** The index of the next line to send. */
  #at = 0
  #reading: Promise<unknown> | null = null

  constructor(lines: AsyncIterator<Line>) {
    this.#lines = lines
  }

  /** Returns the next line to send, null after the last. `take` marks it as sent. */
  async next(): Promise<Line | null> {
    if (this.#at === this.#read.length) {
      this.#reading ??= this.#lines.next().then(({ done, value }) => {
        this.#reading = null
        if (!done) this.#read.push(value)
      })
      await this.#reading
    }
    return this.#read[this.#at] ?? null
  }

  take(): void {
    this.#at++
  }

  /** Returns the line that the next result is for. */
  answer(): Line {
    const line = this.#read[this.#from]
    if (this.#from === this.#at || line === undefined) throw new Error('Roster returned more lines than were sent')
    this.answered++
    this.#from++
    if (this.#from > COMPACT_FROM && this.#from * 2 > this.#read.length) this.#compact()
    return line
  }

  get isAnswered(): boolean {
    return this.#from === this.#at
  }

  sendAgain(): void {
    this.#at = this.#from
  }

  /** Drops the lines with a result. Done seldom, because it copies the rest. */
  #compact(): void {
    this.#read = this.#read.slice(this.#from)
    this.#at -= this.#from
    this.#from = 0
  }
}

const COMPACT_FROM = 10_000

async function refusalOf(answer: Response, partBytesMax: number): Promise<PartEnd> {
  const { status } = answer
  if (status === TOO_LARGE) {
    const size = `${Math.round(partBytesMax / 1_000_000)} MB`
    const message = `A request of ${size} was refused as too large (413): Cloudflare takes 100 MB on most plans, so something else in front of Roster takes less. Allow ${size} there, or cut the file into smaller ones`
    return { kind: 'stopped', message }
  }
  if ((status >= 500 && status !== INSUFFICIENT_STORAGE) || status === 429) {
    return { kind: 'broken', message: `Roster answered ${status}` }
  }
  return { kind: 'stopped', message: `Roster answered ${status}: ${await messageOf(answer)}` }
}

async function* resultsOf(answer: Response): AsyncGenerator<LineResult> {
  let rest = ''
  // By a reader: not every browser iterates over a stream.
  const reader = (answer.body as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(new TextDecoderStream())
    .getReader()
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const parts = (rest + piece.value).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield JSON.parse(part)
  }
}

async function messageOf(answer: Response): Promise<string> {
  const text = await answer.text()
  try {
    return JSON.parse(text).message
  } catch {
    return text.slice(0, 200)
  }
}

function causeOf({ cause, message }: Error): string {
  const { code, message: reason } = (cause ?? {}) as { code?: string; message?: string }
  return code ?? reason ?? message
}
