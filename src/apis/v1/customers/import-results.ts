/**
 * The results of an import, one for each line: their form in the response, and the texts of their errors. Pure.
 */
import type { FileLine } from '../../../formats/files/lines.ts'
import type { ImportOutcome } from '../../../registry/bulk.ts'
import { type Failure, type InputProblem, RegistryError } from '../../../registry/errors.ts'
import { v1Api } from '../errors.ts'
import { parentFieldOf } from './mapping.ts'
import type { ImportInput } from './schema.ts'

/** Result of one line, in the form of the response. */
export interface LineResult {
  line: number
  result: ImportOutcome['result']
  id: string | null
  external_id: string | null
  /** For CSV also the column of the file and its value. */
  errors: (InputProblem & { column?: string; value?: string })[]
  /** Set on the last line of a chunk. A read with this token sees all customers imported up to here. */
  consistency_token?: string
  /** Set beside it: the id by which the import is undone. */
  import_id?: string
  /** Set on the last result if the import ends early: this line and the lines after it were not imported. */
  stopped?: true
}

/** Returns the result of a line that was not imported. */
export function faulty(line: number, errors: LineResult['errors'], externalId: string | null = null): LineResult {
  return { line, result: 'error', id: null, external_id: externalId, errors }
}

/** Returns the problems with the texts that v1 has for the same failure of a single request. */
export function problemsOfFailure(failure: Failure, input: ImportInput | null): InputProblem[] {
  const isOfParent = failure.reason.startsWith('parent_') || failure.reason === 'too_many_descendants'
  const about = input && isOfParent ? { ...failure, field: parentFieldOf(input) } : failure
  const { body } = v1Api.toErrorResponse(about as Failure, { requestId: '', nowMs: 0, liveMode: true })
  const { message, details } = body as { message: string; details: { errors?: InputProblem[] } }
  return details.errors ?? [{ field: '', message, fix: 'send the line again' }]
}

/** Returns the results of the faulty lines before the first valid one. Nothing of the chunk was imported. */
export function faultsBeforeFirst(chunk: FileLine[], results: Map<number, LineResult>): LineResult[] {
  const faults: LineResult[] = []
  for (const { line } of chunk) {
    const result = results.get(line)
    if (!result) break
    faults.push(result)
  }
  return faults
}

/** Returns the last result of an import that ends before this line. Throws an error that is none of the caller's. */
export function stopAt(line: number, externalId: string | null, error: unknown): LineResult {
  if (!(error instanceof RegistryError)) throw error
  const [problem] = problemsOfFailure(error.failure, null)
  const message = `${problem?.message ?? ''}. The import ends before this line`
  const fix = 'fix it and send the file again from this line on: lines that were imported are left unchanged'
  const errors = [{ field: '', message, fix }]
  return { ...faulty(line, errors, externalId), stopped: true }
}
