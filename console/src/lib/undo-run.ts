/**
 * Reads the answer of an undo: a line of JSON for each customer, between them the counts so far, and at the end the sum or why
 * it stopped. Pure.
 */
import { fieldLabel, sentenceOf } from './changes.ts'
import { clockTime, date } from './format.ts'

export interface UndoCounts {
  reverted: number
  unchanged: number
  conflict: number
}

export interface UndoConflict {
  id: string
  externalId: string
  why: string
}

export interface UndoProgress {
  counts: UndoCounts
  /** The first ones. `counts.conflict` has the number of all. */
  conflicts: readonly UndoConflict[]
  /** The id by which the undo can be undone; null as long as it has not ended. */
  undoId: string | null
  /** Why it ended early; null if it did not. */
  stopped: string | null
}

export const NOTHING_UNDONE: UndoProgress = {
  counts: { reverted: 0, unchanged: 0, conflict: 0 },
  conflicts: [],
  undoId: null,
  stopped: null,
}

const SHOWN_MAX = 50
const CUT_OFF = 'The answer ended before the undo did. Send it again: what is undone by then stays as it is'

type Line = Partial<UndoCounts> & {
  result?: keyof UndoCounts
  id?: string
  external_id?: string
  reason?: string
  change?: { type: string; actor: string; created_at: string }
  conflicts?: { field: string; message: string }[]
  done?: boolean
  undo_id?: string
  stopped?: boolean
  error?: string
}

/** Reads to the end and returns what became of it. `onProgress` is called after each piece that arrived. */
export async function readUndo(
  stream: ReadableStream<Uint8Array>,
  nameOf: (actor: string) => string,
  onProgress: (progress: UndoProgress) => void,
): Promise<UndoProgress> {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  let progress = NOTHING_UNDONE
  let rest = ''
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + decoder.decode(piece.value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      progress = lines.reduce((sum, line) => afterLine(sum, JSON.parse(line), nameOf), progress)
      onProgress(progress)
    }
  } finally {
    await reader.cancel()
  }
  return progress.undoId === null && progress.stopped === null ? { ...progress, stopped: CUT_OFF } : progress
}

function afterLine(progress: UndoProgress, line: Line, nameOf: (actor: string) => string): UndoProgress {
  if (line.done) return { ...progress, undoId: line.undo_id ?? '' }
  if (line.stopped) return { ...progress, stopped: line.error ?? CUT_OFF }
  const { result, id = '', external_id: externalId = '' } = line
  if (result === undefined) return progress
  const counts = { ...progress.counts, [result]: progress.counts[result] + 1 }
  const isShown = result === 'conflict' && progress.conflicts.length < SHOWN_MAX
  const conflicts = isShown ? [...progress.conflicts, { id, externalId, why: whyOf(line, nameOf) }] : progress.conflicts
  return { ...progress, counts, conflicts }
}

/** Returns why the customer is left alone: the change that came later, or the fields that are not to be had. */
function whyOf({ change, conflicts = [], reason = '' }: Line, nameOf: (actor: string) => string): string {
  if (change) {
    const { type, actor, created_at: at } = change
    const what = sentenceOf({ type, actor: nameOf(actor), reason: null, changes: [], before: null, after: null })
    return `Changed later: ${what}, ${date(at)} ${clockTime(at)}`
  }
  if (conflicts.length > 0) return conflicts.map(({ field, message }) => `${fieldLabel(field)} ${message}`).join('; ')
  return reason.replaceAll('_', ' ')
}

const DAY_MS = 86_400_000
/** The beginning of the ids that an import from a file gives to its requests. */
const IMPORT_ID = 'imp_'

/** Returns an id for all requests of one import, by which it is undone. */
export function newImportId(): string {
  return IMPORT_ID + crypto.randomUUID()
}

/** Returns what undoes all that the request changed, found by a change that it made at a time: it may have begun before. */
export function undoOfRequest(requestId: string, at: string) {
  const since = new Date(Date.parse(at) - DAY_MS).toISOString()
  const what = requestId.startsWith(IMPORT_ID) ? 'this import' : 'this request'
  return { what, choice: { importId: requestId, since } }
}
