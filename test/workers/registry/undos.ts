/**
 * Undos as steps of a run: the request, and what its answer says of each customer. An undo takes one customer after the other,
 * and other requests come between, so each of them is an attempt of its own.
 */
import { BOUND_CALLER } from '../apis/drivers.ts'
import { call, type TestTenant } from '../support/roster.ts'
import type { Model } from './model.ts'
import type { ModelEvent, Outcome, Undone } from './model-types.ts'
import type { Attempt } from './orderings.ts'
import type { Stored, StoredChange } from './rows.ts'
import type { DrawnUndo } from './steps.ts'

/** The changes that an undo takes back. */
export interface Selection {
  actor: string | null
  importId: string | null
  sinceMs: number
  untilMs: number | null
  dryRun: boolean
}

export interface SentUndo {
  selection: Selection
  requestId: string
  /** Is null if it broke off. */
  lines: UndoLine[] | null
}

interface UndoLine {
  result: Undone['result']
  id: string
  reason?: string
  change?: { event_id: string; type: string; actor: string }
  conflicts?: { field: string }[]
}

/** Returns what is to be undone, by the latest of the changes. */
export function selectionOf({ live }: TestTenant, drawn: DrawnUndo, changes: StoredChange[]): Selection | null {
  const { author, dryRun } = drawn
  const first = changes.at(-1 - (drawn.since % changes.length))
  if (!first) return null
  const end = drawn.until === null ? undefined : changes.at(-1 - (drawn.until % changes.length))
  return {
    actor: author === 'import' ? null : author === 'key' ? live.keyId : BOUND_CALLER,
    importId: author === 'import' ? first.requestId : null,
    sinceMs: Math.trunc(first.atMs),
    untilMs: end && end.atMs > first.atMs ? Math.trunc(end.atMs) : null,
    dryRun,
  }
}

export async function sendUndo({ live }: TestTenant, selection: Selection, requestId: string): Promise<SentUndo> {
  const { actor, importId, sinceMs, untilMs, dryRun } = selection
  const body = {
    ...(actor !== null && { actor }),
    ...(importId !== null && { import_id: importId }),
    since: new Date(sinceMs).toISOString(),
    ...(untilMs !== null && { until: new Date(untilMs).toISOString() }),
    dry_run: dryRun,
  }
  const { status, text } = await call('POST', '/v1/undo', {
    key: live.key,
    body,
    headers: { 'x-request-id': requestId },
  })
  if (status === 503) return { selection, requestId, lines: null }
  if (status !== 200) throw new Error(`an undo was answered with ${status} ${text}`)
  const all = text.split('\n').filter((line) => line !== '')
  const lines: (UndoLine & { done?: true; undo_id?: string })[] = all.map((line) => JSON.parse(line))
  const last = lines.at(-1)
  const isWhole = last?.done === true && last.undo_id === requestId
  return { selection, requestId, lines: isWhole ? lines.filter(({ id }) => id !== undefined) : null }
}

/**
 * Returns an attempt for each customer that went back, in the order of the commits, and one for each that did not, those of
 * which the answer says nothing too. The commits tell who went back when the answer broke off.
 */
export function attemptsOf(
  model: Model,
  { selection, requestId, lines }: SentUndo,
  { changes }: Stored,
  actor: string,
): { made: Attempt[]; quiet: Attempt[] } {
  const timeOf = new Map(changes.map(({ customerId, version, atMs }) => [`${customerId} ${version}`, atMs]))
  const isChosen = (change: ModelEvent) => {
    const atMs = timeOf.get(`${change.customerId} ${change.version}`) ?? 0
    const { importId, sinceMs, untilMs } = selection
    return (
      (selection.actor === null || change.actor === selection.actor) &&
      (importId === null || change.requestId === importId) &&
      atMs >= sinceMs &&
      (untilMs === null || atMs < untilMs)
    )
  }
  const attempt = (customerId: string, observed: Undone): Attempt => ({
    request: {
      operation: { kind: 'undo', customerId, isChosen, dryRun: selection.dryRun },
      ...{ key: null, fingerprint: '', actor, requestId, reason: null },
    },
    observed,
    observationOf: undoneIn,
    mayBeDone: false,
    newId: undefined,
    waits: false,
    isQuiet: selection.dryRun || observed.result !== 'reverted',
  })
  const own = changes.filter((change) => change.requestId === requestId)
  const made: Attempt[] = []
  for (const { customerId } of own) {
    const after = made.at(-1)
    made.push({ ...attempt(customerId, { result: 'reverted' }), after })
  }
  if (!lines) return { made, quiet: [] }
  const said = new Map(lines.map((line) => [line.id, undoneOf(line, changes)]))
  const ids = new Set([...model.customers.keys(), ...said.keys()])
  const isMade = (id: string) => own.some(({ customerId }) => customerId === id)
  const rest = [...ids]
    .map((id) => attempt(id, said.get(id) ?? { result: 'none' }))
    .filter(({ request: { operation }, observed }) => {
      const { result } = observed as Undone
      return result !== 'reverted' || selection.dryRun || !('customerId' in operation && isMade(operation.customerId))
    })
  return { made, quiet: rest }
}

function undoneIn(outcome: Outcome): Undone {
  return (outcome.ok && outcome.undone) || { result: 'none' }
}

function undoneOf({ result, reason, change, conflicts }: UndoLine, changes: StoredChange[]): Undone {
  if (result === 'unchanged') return { result, isErased: reason === 'erased' }
  if (result !== 'conflict') return { result }
  if (change) {
    const { event_id: eventId, type, actor } = change
    return { result, later: { type, actor, version: changes.find((one) => one.eventId === eventId)?.version ?? 0 } }
  }
  if (conflicts) return { result, fields: conflicts.map(({ field }) => FIELDS[field] ?? field) }
  return { result, rule: reason ?? '' }
}

const FIELDS: Record<string, string> = {
  external_id: 'externalId',
  parent_customer_id: 'parentId',
  integration_entity_mapping: 'integrations',
}
