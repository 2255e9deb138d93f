/**
 * `POST /v1/customers/import`: reads one customer per line, of NDJSON or CSV, and writes one result per line. The results
 * of a chunk are sent before the next chunk is read, so memory use is constant, and a caller that reads slowly slows the
 * import down. A line is the body of a creation. It has the effect of `PUT /v1/customers/external/{external_id}` with that
 * body. A dry run remembers the lines that would change something.
 */
import { columnMap, FileFault } from '../../../formats/files/columns.ts'
import { type FileLine, FileLines } from '../../../formats/files/lines.ts'
import { valueAt } from '../../../formats/files/rows.ts'
import type { HttpContext } from '../../../http/api.ts'
import { decodedBody, isEncoded } from '../../../http/content-coding.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { prefersStrict } from '../../../http/validate.ts'
import {
  BULK_BOUNDS,
  type ImportedChunk,
  type ImportLine,
  type ImportOutcome,
  importPermits,
} from '../../../registry/bulk.ts'
import { DryRun } from '../../../registry/dry-run.ts'
import { type Failure, type InputProblem, RegistryError } from '../../../registry/errors.ts'
import { importedId } from '../../../registry/imported-id.ts'
import { newId } from '../../../shared/ids.ts'
import { readJson } from '../../../validation/json.ts'
import { problemsOf, unknownFields, WITH_INPUT } from '../../../validation/problems.ts'
import { CSV, CSV_TYPE, type ImportQuery, NDJSON } from './bulk-schema.ts'
import { type LineChunk, LineChunks } from './import-lines.ts'
import { faultsBeforeFirst, faulty, type LineResult, problemsOfFailure, stopAt } from './import-results.ts'
import { onboardingOf, toImported } from './mapping.ts'
import { customerImport, type ImportInput } from './schema.ts'

/**
 * The longest upload after decoding. Cloudflare takes no longer one without a coding, on most plans.
 */
const DECODED_BYTES_MAX = 100_000_000

/** Valid line. Keeps its input, because the text of a failure names fields of the input. */
interface Understood {
  line: number
  input: ImportInput
  imported: ImportLine
  text: string
  bytes: number
}

/** Lines that are parsed and checked without a pause. */
const PARSED_AT_ONCE = 50
/** Tries of one chunk of a dry run, each with more of the lines that its results depend on. */
const DRY_RUN_TRIES_MAX = 10
/** Bytes of the lines that a dry run remembers. */
const DRY_RUN_BYTES_MAX = 24 * 1024 * 1024
/** Characters of the earlier lines that are tried with a chunk. Together they stay below what D1 binds. */
const DRY_RUN_BEFORE_MAX = 512 * 1024
/** Lines that a dry run tries at once. It takes back what it tried, so unlike an import it cannot do them in several transactions. */
const DRY_RUN_LINES_MAX = 100
const VALUE_SHOWN_LENGTH = 100

export async function importCustomers(c: HttpContext, services: Services, query: ImportQuery) {
  const dryRun = query.dry_run === 'true'
  // Takes the permit of the request itself before the response begins: later, a refusal cannot have its own status.
  await c.get('registry').writer.importChunk({ lines: [], permits: 1, dryRun, assumed: [] })
  const file = orRefused(() => fileOf(c.req.header('content-type') ?? '', query))
  const lines = new LineChunks(decodedBody(c.req.raw, DECODED_BYTES_MAX), file, services.sleep)
  // A body that cannot be decoded from its beginning on is refused with a status of its own.
  await lines.begin().catch((error) => {
    throw refusalOf(error)
  })
  let first = isEncoded(c.req.raw.headers) ? await lines.next() : undefined
  const importer = new Importer(c, services, { dryRun, file })
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let results: LineResult[] | null
        do {
          results = await resultsOf(() => (first === undefined ? lines.next() : Promise.resolve(first)), importer)
          first = undefined
        } while (results?.length === 0)
        if (!results) return controller.close()
        controller.enqueue(encoder.encode(results.map((result) => `${JSON.stringify(result)}\n`).join('')))
        if (!results.at(-1)?.stopped) return
        await lines.cancel()
        controller.close()
      },
      cancel: () => lines.cancel(),
    },
    { highWaterMark: 0 },
  )
  c.set('isBodyChecked', true)
  return respond(c, 200, stream, { 'content-type': NDJSON })
}

/** Returns the reader of the file. Throws `FileFault` for options that are none. */
function fileOf(contentType: string, query: ImportQuery): FileLines {
  const { delimiter, map } = query
  const isCsv = CSV_TYPE.test(contentType)
  for (const field of isCsv ? [] : (['delimiter', 'map'] as const)) {
    if (query[field] !== undefined) {
      throw new FileFault([{ field, message: 'is only for CSV', fix: `leave it out, or send the file as ${CSV}` }])
    }
  }
  return new FileLines({
    format: isCsv ? 'csv' : 'ndjson',
    encoding: /;\s*charset="?([^";\s]+)/i.exec(contentType)?.[1] ?? null,
    delimiter: delimiter ?? null,
    map: columnMap(map ?? ''),
    lineBytesMax: BULK_BOUNDS.lineBytesMax,
  })
}

function orRefused<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw refusalOf(error)
  }
}

function refusalOf(error: unknown): unknown {
  return error instanceof FileFault ? new RegistryError({ reason: 'invalid_input', problems: error.problems }) : error
}

/** Returns the results of the next chunk, null after the last. A file that cannot be read any further ends with an error. */
async function resultsOf(next: LineChunks['next'], importer: Importer): Promise<LineResult[] | null> {
  try {
    const chunk = await next()
    return chunk && (await importer.import(chunk))
  } catch (error) {
    return [stopAt(importer.lastLine + 1, null, refusalOf(error))]
  }
}

class Importer {
  lastLine = 0
  readonly #c: HttpContext
  readonly #services: Services
  readonly #file: FileLines
  readonly #strict: boolean
  readonly #dryRun: DryRun | null
  #bytesRemembered = 0

  constructor(c: HttpContext, services: Services, { dryRun, file }: { dryRun: boolean; file: FileLines }) {
    this.#c = c
    this.#services = services
    this.#file = file
    this.#strict = prefersStrict(c)
    this.#dryRun = dryRun ? new DryRun() : null
  }

  /** Returns a result for each line, up to the line where the import stops. */
  async import({ lines: chunk, bytesRead }: LineChunk): Promise<LineResult[]> {
    this.lastLine = chunk.at(-1)?.endLine ?? this.lastLine
    const read: (Understood | LineResult)[] = []
    for (const line of chunk) {
      // Other requests go on in between: to understand a chunk takes as long as many small requests together.
      if (read.length > 0 && read.length % PARSED_AT_ONCE === 0) await this.#services.sleep(0)
      read.push(this.#understand(line))
    }
    const good = read.filter((line) => 'imported' in line)
    const results = new Map<number, LineResult>()
    for (const line of read) if ('result' in line) results.set(line.line, line)
    let token: string | null = null
    try {
      if (this.#bytesRemembered > DRY_RUN_BYTES_MAX) throw new RegistryError(DRY_RUN_TOO_LONG)
      const done = await this.#send(good, importPermits(chunk.length, 0, bytesRead))
      token = done.consistencyToken
      for (const [at, line] of good.entries()) {
        const outcome = done.outcomes[at]
        if (outcome) results.set(line.line, this.#resultOf(line, outcome))
      }
    } catch (error) {
      return [...faultsBeforeFirst(chunk, results), stop(chunk, good, error)]
    }
    const all = chunk.flatMap(({ line }) => results.get(line) ?? [])
    const last = all.at(-1)
    if (last && token) {
      last.consistency_token = token
      last.import_id = this.#c.get('requestId')
    }
    return all
  }

  async #send(good: Understood[], permits: number): Promise<ImportedChunk> {
    const { writer } = this.#c.get('registry')
    const lines = good.map(({ imported }) => imported)
    const dryRun = this.#dryRun
    if (!dryRun) return writer.importChunk({ lines, permits, dryRun: false, assumed: [] })
    let assumed = dryRun.linesFor(lines, null)
    const isLong = lines.length > DRY_RUN_LINES_MAX
    if (isLong || (lines.length > 1 && JSON.stringify(assumed).length > DRY_RUN_BEFORE_MAX))
      return this.#sendHalves(good, permits)
    let done = await writer.importChunk({ lines, permits, dryRun: true, assumed })
    for (let tries = 1; tries < DRY_RUN_TRIES_MAX; tries++) {
      const further = dryRun.linesFor(lines, done.context)
      if (further.length === assumed.length) break
      assumed = further
      done = await writer.importChunk({ lines, permits, dryRun: true, assumed })
    }
    dryRun.add(lines, done.outcomes)
    for (const { bytes } of good) this.#bytesRemembered += bytes
    return done
  }

  async #sendHalves(good: Understood[], permits: number): Promise<ImportedChunk> {
    const middle = good.length >> 1
    const halves = [good.slice(0, middle), good.slice(middle)]
    const outcomes: ImportOutcome[] = []
    for (const half of halves) {
      const done = await this.#send(half, Math.max(importPermits(half.length, 0), Math.ceil(permits / 2)))
      outcomes.push(...done.outcomes)
    }
    return { outcomes, consistencyToken: null, context: null }
  }

  #understand({ line, text, problems, bytes }: FileLine): Understood | LineResult {
    if (text === null) return this.#faulty(line, problems, text)
    const read = parsed(text)
    if (read === null) {
      const fix = 'send one JSON object, without line breaks in it'
      return faulty(line, [{ field: '', message: 'is not JSON in UTF-8', fix }])
    }
    const { value, problem } = read
    const externalId = namedIn(value)
    if (problem) return this.#faulty(line, [problem], text, externalId)
    const schema = customerImport()
    const { data: input, error } = schema.safeParse(value, WITH_INPUT)
    if (error) return this.#faulty(line, problemsOf(error, { schema, value }), text, externalId)
    const unknown = this.#strict ? unknownFields(value, schema) : []
    if (unknown.length > 0) return this.#faulty(line, unknown, text, externalId)
    return { line, input, imported: this.#importedOf(input), text, bytes }
  }

  #importedOf(input: ImportInput): ImportLine {
    const { scope } = this.#c.get('registry')
    const { external_id: externalId, id, status, old_external_ids: formerIds } = input
    const lineId = newId('customer', this.#services.clock())
    const fields = toImported(input, (other) => importedId(scope, { id: other }))
    if (status === 'archived') {
      const madeId = importedId(scope, id ? { id } : { externalId })
      return { id: lineId, externalId, fields, onboarding: '', archivedIds: id ? [id, madeId] : [madeId] }
    }
    // A caller that imports customers has onboarded them already, unless the line names a workflow.
    const onboarding = onboardingOf(input) ?? ''
    const line = { id: lineId, externalId, fields, onboarding }
    const former = [...new Set(formerIds ?? [])].filter((name) => name !== externalId)
    return former.length > 0 ? { ...line, formerIds: former } : line
  }

  #resultOf({ line, input, text }: Understood, outcome: ImportOutcome): LineResult {
    const { external_id: externalId } = input
    if (outcome.result === 'error')
      return this.#faulty(line, problemsOfFailure(outcome.failure, input), text, externalId)
    return { line, result: outcome.result, id: outcome.id, external_id: externalId, errors: [] }
  }

  /** Returns the result of a line with errors. They name the column of a CSV file and its value. */
  #faulty(line: number, errors: InputProblem[], text: string | null, externalId: string | null = null): LineResult {
    if (!this.#file.columns) return faulty(line, errors, externalId)
    const explained = errors.map((error) => {
      const column = this.#file.columnOf(error.field)
      const value = text === null ? null : valueAt(text, error.field)?.slice(0, VALUE_SHOWN_LENGTH)
      return { ...error, ...(column !== null && { column }), ...(value != null && { value }) }
    })
    return faulty(line, explained, externalId)
  }
}

const DRY_RUN_TOO_LONG: Failure = {
  reason: 'invalid_input',
  problems: [
    {
      field: '',
      message: 'is behind the 24 MB that a dry run remembers, so that it is exact',
      fix: 'send the rest of the file in another request',
    },
  ],
}

function parsed(text: string): ReturnType<typeof readJson> | null {
  try {
    return readJson(text)
  } catch {
    return null
  }
}

/** Returns the external id in a refused line, or null. The result names it, so that the caller finds the customer. */
function namedIn(value: unknown): string | null {
  const named = typeof value === 'object' && value !== null && 'external_id' in value ? value.external_id : null
  return typeof named === 'string' ? named : null
}

function stop(chunk: FileLine[], good: Understood[], error: unknown): LineResult {
  const first = good[0]
  const line = first?.line ?? (chunk.at(-1)?.line ?? 0) + 1
  return stopAt(line, first?.input.external_id ?? null, error)
}
