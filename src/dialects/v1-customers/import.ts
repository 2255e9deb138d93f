/**
 * `POST /v1/customers/import`: a customer a line in, a result a line out, each chunk answered before the next is read, so
 * that memory is flat and a caller who reads slowly is sent to slowly. A line is the body of a creation, and does what
 * `PUT /v1/customers/external/{external_id}` does with it.
 */
import * as z from 'zod'
import { answer } from '../../http/answer.ts'
import { unstorableString } from '../../http/body.ts'
import type { HttpContext } from '../../http/door.ts'
import { problemsOf, unknownFields } from '../../http/problems.ts'
import { prefersStrict, readQuery } from '../../http/validate.ts'
import { BULK_BOUNDS, type ImportLine, type ImportOutcome } from '../../registry/bulk.ts'
import { type Failure, type InputProblem, Refused } from '../../registry/failures.ts'
import { BloomFilter } from '../../shared/bloom.ts'
import { newId } from '../../shared/ids.ts'
import type { Wiring } from '../../wiring.ts'
import { v1Door } from './failures.ts'
import { LineChunks, type RawLine } from './import-lines.ts'
import { type CustomerInput, customerCreate } from './schema.ts'
import { onboardingOf, parentFieldOf, toImported } from './translate.ts'

const NDJSON_TYPE = /^application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines)\s*(?:;|$)/i
export const importQueryString = z.strictObject({ dry_run: z.enum(['true', 'false']).default('false') })

/** What is written for a line. */
interface LineResult {
  line: number
  result: ImportOutcome['result']
  id: string | null
  external_id: string | null
  errors: InputProblem[]
  /** On the last line of a chunk: with it a read sees all customers up to here. */
  consistency_token?: string
  /** On the last line of an answer that ends before the input does: this line and what follows was not imported. */
  stopped?: true
}

/** A line that was understood, and its input for wording what the registry says of it. */
interface Understood {
  line: number
  input: CustomerInput & { external_id: string }
  imported: ImportLine
}

export async function importCustomers(c: HttpContext, wiring: Wiring): Promise<Response> {
  const contentType = c.req.header('content-type') ?? ''
  if (!NDJSON_TYPE.test(contentType)) {
    throw new Refused({ reason: 'body_not_supported', contentType, wanted: 'application/x-ndjson' })
  }
  const dryRun = readQuery(c, importQueryString).dry_run === 'true'
  // A refusal has a status of its own only as long as nothing was answered: the permit of the request itself is taken now.
  await c.get('registry').importChunk({ lines: [], permits: 1, dryRun, assumed: [] })
  const lines = new LineChunks(c.req.raw.body, wiring.sleep)
  const importer = new Importer(c, wiring, dryRun)
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await lines.next()
        if (!chunk) return controller.close()
        const results = await importer.import(chunk)
        controller.enqueue(encoder.encode(results.map((result) => `${JSON.stringify(result)}\n`).join('')))
        if (!results.at(-1)?.stopped) return
        await lines.cancel()
        controller.close()
      },
      cancel: () => lines.cancel(),
    },
    { highWaterMark: 0 },
  )
  return answer(c, 200, stream, { 'content-type': 'application/x-ndjson' })
}

class Importer {
  readonly #c: HttpContext
  readonly #wiring: Wiring
  readonly #dryRun: boolean
  readonly #strict: boolean
  /** External ids that a dry run would have made so far, for lines that name them as parents. */
  readonly #made: BloomFilter | null

  constructor(c: HttpContext, wiring: Wiring, dryRun: boolean) {
    this.#c = c
    this.#wiring = wiring
    this.#dryRun = dryRun
    this.#strict = prefersStrict(c.req.header('prefer'))
    this.#made = dryRun ? new BloomFilter() : null
  }

  /** A result for each line, up to where it had to stop. */
  async import(chunk: RawLine[]): Promise<LineResult[]> {
    const read = chunk.map((line) => this.#understand(line))
    const good = read.filter((line) => 'imported' in line)
    const results = new Map<number, LineResult>()
    for (const line of read) if ('result' in line) results.set(line.line, line)
    let token: string | null = null
    try {
      const done = await this.#c.get('registry').importChunk({
        lines: good.map(({ imported }) => imported),
        permits: Math.ceil(chunk.length / BULK_BOUNDS.linesPerPermit),
        dryRun: this.#dryRun,
        assumed: this.#assumedBy(good),
      })
      token = done.consistencyToken
      for (const [at, line] of good.entries()) {
        const outcome = done.outcomes[at]
        if (outcome) results.set(line.line, resultOf(line, outcome))
        if (outcome?.result === 'created') this.#made?.add(line.input.external_id)
      }
    } catch (error) {
      return [...bad(chunk, results), stop(chunk, good, error)]
    }
    const all = chunk.flatMap(({ line }) => results.get(line) ?? [])
    const last = all.at(-1)
    if (last && token) last.consistency_token = token
    return all
  }

  #understand({ line, bytes }: RawLine): Understood | LineResult {
    if (!bytes) {
      const message = `is longer than ${BULK_BOUNDS.lineBytesMax} bytes`
      return faulty(line, [{ field: '', message, fix: 'send less of it' }])
    }
    const value = parsed(bytes)
    if (value === undefined) {
      const fix = 'send one JSON object, without line breaks in it'
      return faulty(line, [{ field: '', message: 'is not JSON in UTF-8', fix }])
    }
    const externalId = namedIn(value)
    const unstorable = unstorableString(value)
    if (unstorable) return faulty(line, [unstorable], externalId)
    const { data: input, error } = customerCreate.safeParse(value)
    if (error) return faulty(line, problemsOf(error), externalId)
    const unknown = this.#strict ? unknownFields(value, customerCreate) : []
    if (unknown.length > 0) return faulty(line, unknown, externalId)
    const id = newId('customer', this.#wiring.clock())
    // Who brings customers along has onboarded them, unless the line says otherwise.
    const onboarding = onboardingOf(input) ?? ''
    return { line, input, imported: { id, externalId: input.external_id, fields: toImported(input), onboarding } }
  }

  #assumedBy(lines: Understood[]): string[] {
    const made = this.#made
    if (!made) return []
    const named = lines.flatMap(({ input }) => [input.external_id, input.parent_customer_external_id ?? ''])
    return named.filter((externalId) => made.has(externalId))
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    return undefined
  }
}

/** For the answer to a line that could not be taken: so that the caller knows which customer it was for. */
function namedIn(value: unknown): string | null {
  const named = typeof value === 'object' && value !== null && 'external_id' in value ? value.external_id : null
  return typeof named === 'string' ? named : null
}

function faulty(line: number, errors: InputProblem[], externalId: string | null = null): LineResult {
  return { line, result: 'error', id: null, external_id: externalId, errors }
}

function resultOf({ line, input }: Understood, outcome: ImportOutcome): LineResult {
  const { external_id: externalId } = input
  if (outcome.result === 'error') return faulty(line, problemsOfFailure(outcome.failure, input), externalId)
  return { line, result: outcome.result, id: outcome.id, external_id: externalId, errors: [] }
}

/** In the words that this door has for the failure of a single request. */
function problemsOfFailure(failure: Failure, input: CustomerInput | null): InputProblem[] {
  const about = input && failure.reason.startsWith('parent_') ? { ...failure, field: parentFieldOf(input) } : failure
  const { body } = v1Door.wordFailure(about as Failure, { requestId: '', nowMs: 0, liveMode: true })
  const { message, details } = body as { message: string; details: { errors?: InputProblem[] } }
  return details.errors ?? [{ field: '', message, fix: 'send the line again' }]
}

/** Nothing of the chunk was imported; the lines before the first good one are told all the same. */
function bad(chunk: RawLine[], results: Map<number, LineResult>): LineResult[] {
  const told: LineResult[] = []
  for (const { line } of chunk) {
    const result = results.get(line)
    if (!result) break
    told.push(result)
  }
  return told
}

function stop(chunk: RawLine[], good: Understood[], error: unknown): LineResult {
  if (!(error instanceof Refused)) throw error
  const first = good[0]
  const [problem] = problemsOfFailure(error.failure, null)
  const message = `${problem?.message ?? ''}. The import ends before this line`
  const line = first?.line ?? (chunk.at(-1)?.line ?? 0) + 1
  const fix = 'mend that, then send the file again from this line on: what went in all the same is then unchanged'
  const errors = [{ field: '', message, fix }]
  return { ...faulty(line, errors, first?.input.external_id ?? null), stopped: true }
}
