/**
 * `POST /v1/undo`: takes back what somebody or some import did, and writes one result per customer as NDJSON. A chunk is undone
 * when the caller reads on, so memory use is constant, and a caller that stops reading stops the undo.
 */
import type { HttpContext } from '../../../http/api.ts'
import { respond } from '../../../http/respond.ts'
import { RegistryError } from '../../../registry/errors.ts'
import type { UndoneChunk, UndoOutcome, UndoSelection } from '../../../registry/undo.ts'
import { isoTime } from '../../../shared/clock.ts'
import { revertConflictText } from '../../error-texts.ts'
import { v1Api, v1FieldOf } from '../errors.ts'
import { NDJSON } from './bulk-schema.ts'
import type { UndoInput } from './schema.ts'

/** The counts of an undo so far. */
interface Sum {
  reverted: number
  unchanged: number
  conflict: number
}

export async function undoChanges(c: HttpContext, input: UndoInput) {
  const { writer } = c.get('registry')
  const dryRun = input.dry_run === true
  const selection = selectionOf(input)
  const undo = (beforeId: string | null) => writer.undoChunk({ selection, beforeId, dryRun })
  // Undoes the first chunk before the response begins: later, a refusal cannot have a status of its own.
  let next: UndoneChunk | null = await undo(null)
  let place: string | null = null
  const sum: Sum = { reverted: 0, unchanged: 0, conflict: 0 }
  const encoder = new TextEncoder()
  const lines = (all: object[]) => encoder.encode(all.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let chunk: UndoneChunk
        try {
          chunk = next ?? (await undo(place))
        } catch (error) {
          controller.enqueue(lines([stoppedBy(error)]))
          return controller.close()
        }
        next = null
        place = chunk.nextBeforeId
        for (const { result } of chunk.outcomes) sum[result]++
        const { consistencyToken: token } = chunk
        const progress = { progress: { ...sum }, ...(token !== null && { consistency_token: token }) }
        const done = { done: true, undo_id: c.get('requestId'), dry_run: dryRun, ...sum }
        controller.enqueue(lines([...chunk.outcomes.map(toLine), progress, ...(place === null ? [done] : [])]))
        if (place === null) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return respond(c, 200, stream, { 'content-type': NDJSON })
}

function selectionOf(input: UndoInput): UndoSelection {
  const { actor = null, import_id: importId, undo_id: undoId, since: sinceMs, until: untilMs = null } = input
  return { actor, requestId: importId ?? undoId ?? null, sinceMs, untilMs }
}

function toLine(outcome: UndoOutcome): object {
  const { id, externalId: external_id, result } = outcome
  const line = { result, id, external_id }
  if (outcome.result === 'unchanged') return outcome.isErased ? { ...line, reason: 'erased' } : line
  if (outcome.result === 'reverted') return line
  const { change, conflicts, rule } = outcome
  if (change) {
    const { eventId, type, actor, atMs } = change
    return { ...line, reason: 'changed_later', change: { event_id: eventId, type, actor, created_at: isoTime(atMs) } }
  }
  if (rule !== null) return { ...line, reason: rule }
  const fields = conflicts.map(({ field, reason, customerId }) => ({
    field: v1FieldOf(field),
    reason,
    customer_id: customerId,
    message: revertConflictText(reason, customerId),
  }))
  return { ...line, reason: 'revert_conflict', conflicts: fields }
}

/** Returns the last line of an undo that ends early. Throws an error that is none of the caller's. */
function stoppedBy(error: unknown): object {
  if (!(error instanceof RegistryError)) throw error
  const { body } = v1Api.toErrorResponse(error.failure, { requestId: '', nowMs: 0, liveMode: true })
  const { message } = body as { message: string }
  return { stopped: true, error: `${message}. Send the request again: what is undone is left unchanged` }
}
