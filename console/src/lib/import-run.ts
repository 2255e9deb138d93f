/**
 * Imports a file from the browser as `npm run import` does: with its reader and its upload, so both agree on every file.
 * A run that stopped goes on behind the last line with a result.
 */
import {
  linesToSend,
  type OrderedLine,
  problemText,
  rejectedHeader,
  rejectedLine,
  type Survey,
  survey,
} from '../../../scripts/import-file.ts'
import { type LineResult, refusalOfImport, type UploadEnd, upload } from '../../../scripts/import-upload.ts'
import type { FileLine, FileOptions } from '../../../src/formats/files/lines.ts'

export type Counts = Record<LineResult['result'], number>

export interface Rejected {
  line: number
  externalId: string | null
  why: string
}

export interface Progress {
  /** Lines of the file that are not blank. */
  lines: number
  counts: Counts
  /** The first lines that failed. `counts.error` has the number of all. */
  rejected: readonly Rejected[]
}

export interface RunOptions {
  file: Blob
  reading: FileOptions
  url: URL
  headers: Record<string, string>
  isDryRun: boolean
  /** Called at most once for each result. */
  onProgress(progress: Progress): void
  wait?(ms: number): Promise<unknown>
}

const SHOWN_MAX = 50
/** Small, so that a stop is heard soon. */
const PART_BYTES = 1_000_000
/** A dry run knows in a request what the lines before it would do, so it is as large as one may be. */
const DRY_RUN_PART_BYTES = 20_000_000

/** Returns the bytes of a file, piece by piece. By a reader: not every browser iterates over a stream. */
export async function* piecesOf(file: Blob): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader()
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value
  } finally {
    await reader.cancel()
  }
}

export class ImportRun {
  readonly #options: RunOptions
  #found: Survey | null = null
  #answered = 0
  #counts: Counts = { created: 0, updated: 0, unchanged: 0, error: 0 }
  #rejected: Rejected[] = []
  /** The rows of the file of rejected lines. */
  #rows: string[] = []

  constructor(options: RunOptions) {
    this.#options = options
  }

  /** Runs to the end, or to what stops it; called again, it goes on. Throws `FileFault` if the file cannot be read. */
  async run(signal: AbortSignal): Promise<UploadEnd> {
    const { file, reading, url, headers, isDryRun, wait } = this.#options
    this.#found ??= await survey(piecesOf(file), reading, () => undefined)
    this.#report()
    const refusal = await refusalOfImport({ url, headers })
    if (refusal) return refusal
    const last: FileLine[] = []
    const end = await upload({
      url,
      headers,
      signal,
      isGathered: true,
      partBytesMax: isDryRun ? DRY_RUN_PART_BYTES : PART_BYTES,
      lines: this.#unanswered(this.#found, last),
      onResult: (result, line) => this.#took(result, line),
      onPart: () => undefined,
      ...(wait && { wait }),
    })
    if (end.kind === 'done') for (const line of last) this.#fail(line, null, line.problems)
    this.#report()
    return end
  }

  get progress(): Progress {
    return { lines: this.#found?.lines ?? 0, counts: { ...this.#counts }, rejected: [...this.#rejected] }
  }

  /** Returns the lines that failed as a file that can be corrected and imported, with the reasons in it. */
  rejects(): string {
    if (!this.#found || this.#rows.length === 0) return ''
    return rejectedHeader(this.#found.reader) + this.#rows.join('')
  }

  /** Yields the lines without a result. `last` gets the faulty lines behind the last of them. */
  async *#unanswered(found: Survey, last: FileLine[]): AsyncGenerator<OrderedLine> {
    const lines = linesToSend(piecesOf(this.#options.file), this.#options.reading, found)
    const from = this.#answered
    let at = 0
    for (let next = await lines.next(); ; next = await lines.next()) {
      if (next.done) {
        last.push(...next.value)
        return
      }
      if (++at > from) yield next.value
    }
  }

  #took(result: LineResult, line: OrderedLine): void {
    for (const faulty of line.faulty) this.#fail(faulty, null, faulty.problems)
    this.#answered++
    if (result.result === 'error') this.#fail(line, result.external_id, result.errors)
    else this.#counts[result.result]++
    this.#report()
  }

  #fail(line: FileLine, externalId: string | null, problems: LineResult['errors']): void {
    const { reader } = this.#found as Survey
    const why = problems.map((problem) => problemText(problem, line, reader)).join('; ')
    this.#counts.error++
    if (this.#rejected.length < SHOWN_MAX) this.#rejected.push({ line: line.line, externalId, why })
    if (line.raw !== null) this.#rows.push(rejectedLine(line, why, reader))
  }

  #report(): void {
    this.#options.onProgress(this.progress)
  }
}
