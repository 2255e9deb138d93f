/**
 * Decides which lines of a chunk are refused, and in which few statements the others are done, so that the result is
 * the same as one line after the other. Pure.
 *
 * A line goes into the first statement where it finds the same state as in its turn: after the line before it for the
 * same customer, after whatever gave up an integration that it takes, and after each move that its own move is checked
 * against or that is checked against its own. The lines of a statement that updates are done in any order, so no two of
 * them may depend on each other. A statement that creates does its lines in their order.
 */
import { type ImportedParent, type ImportLine, newIdOf } from '../../registry/bulk.ts'
import type { Failure } from '../../registry/errors.ts'
import type { ImportFacts, LineFacts, PlannedLine } from '../protocol/imports.ts'
import { type Effect, ImportRules, integrationKey } from './import-rules.ts'

export interface ImportPlan {
  segments: PlannedLine[][]
  refused: { line: ImportLine; failure: Failure }[]
  /** Lines for customers that exist already as the lines want them. Not sent. */
  unchanged: { line: ImportLine; customerId: string }[]
}

/** Plans the statements of a chunk. */
export function planImport(lines: readonly ImportLine[], facts: ImportFacts, newChangeId: () => string): ImportPlan {
  const plan: ImportPlan = { segments: [], refused: [], unchanged: [] }
  const rules = new ImportRules(facts)
  const order = new Order()
  /** Customers that lines of the chunk create, by their external ids. */
  const made = new Map<string, string>()
  /** Customers by the former external ids that lines of the chunk give them. A former id names no parent. */
  const former = new Map<string, string>()
  /** Archived customers that lines of the chunk create, by their ids. */
  const madeArchived = new Map<string, ImportLine>()
  /** Customers that lines of the chunk create or change. */
  const touched = new Set<string>()
  for (const [at, line] of lines.entries()) {
    const known = facts.lines[at]
    if (!known) throw new Error('a line was not looked up')
    const isArchived = line.archivedIds !== undefined
    const settled = isArchived ? settledArchived(line, known, madeArchived) : null
    if (settled) {
      if ('failure' in settled) plan.refused.push({ line, failure: settled.failure })
      else plan.unchanged.push({ line, customerId: settled.customerId })
      continue
    }
    const customerId =
      known.customerId ?? (isArchived ? null : (made.get(line.externalId) ?? former.get(line.externalId) ?? null))
    const { reference, parentId } = parentOf(line, known, made, madeArchived)
    const { integrations, metadata } = line.fields
    const change = {
      customerId: customerId ?? newIdOf(line),
      creates: customerId === null,
      externalId: line.externalId,
      parentId,
      integrations: integrations?.map(({ provider, id }) => integrationKey(provider, id)),
      bytes: known.bytes,
      metadataKeys: Object.keys(metadata?.replace ?? {}).length,
      workflow: line.onboarding === undefined ? '' : line.onboarding,
      formerIds: line.formerIds ?? [],
      isArchived,
    }
    const failure = rules.refusalOf(change)
    if (failure) {
      plan.refused.push({ line, failure })
      continue
    }
    if (customerId !== null && known.isSame && !touched.has(customerId)) {
      plan.unchanged.push({ line, customerId })
      continue
    }
    touched.add(change.customerId)
    if (isArchived) madeArchived.set(change.customerId, line)
    else if (change.creates) made.set(line.externalId, change.customerId)
    for (const externalId of change.formerIds) former.set(externalId, change.customerId)
    const place = order.placeFor(change, rules.apply(change))
    const sent = reference === line.fields.parent ? line.fields : { ...line.fields, parent: reference }
    const planned = { ...line, fields: sent, customerId, parentId, changeId: newChangeId() }
    const segment = plan.segments[place]
    if (segment) segment.push(planned)
    else plan.segments[place] = [planned]
  }
  // Statements that no line needed are holes.
  return { ...plan, segments: plan.segments.filter(Boolean) }
}

/**
 * Returns the parent that a line gives its customer, as the statement receives it. A parent from the same chunk is
 * named by its id, because it does not exist when the statement begins. Others are named as in the line, so that D1
 * finds who they are by then.
 */
function parentOf(
  { fields: { parent } }: ImportLine,
  { parentId }: LineFacts,
  made: ReadonlyMap<string, string>,
  madeArchived: ReadonlyMap<string, ImportLine>,
): { reference: ImportedParent | null | undefined; parentId: string | null | undefined } {
  if (!parent) return { reference: parent, parentId: parent }
  const archived = 'ids' in parent ? parent.ids.find((id) => madeArchived.has(id)) : undefined
  if (archived !== undefined) return { reference: { id: archived }, parentId: archived }
  if (parentId !== null) return { reference: parent, parentId }
  const externalId = 'externalId' in parent ? parent.externalId : null
  const id = externalId === null ? undefined : made.get(externalId)
  if (id !== undefined) return { reference: { id }, parentId: id }
  return { reference: parent, parentId: '' }
}

/** Returns the end of a line for an archived customer that exists, or null if the line creates it. */
function settledArchived(
  line: ImportLine,
  { customerId, archived }: LineFacts,
  made: ReadonlyMap<string, ImportLine>,
): { failure: Failure } | { customerId: string } | null {
  const before = made.get(newIdOf(line))
  if (before) {
    if (isSame(before, line)) return { customerId: newIdOf(line) }
    return { failure: { reason: 'archived', customerId: newIdOf(line) } }
  }
  if (customerId === null) return null
  switch (archived) {
    case 'same':
      return { customerId }
    case 'live':
      return { failure: { reason: 'not_archived', customerId } }
    case 'erased':
      return { failure: { reason: 'not_found', resource: 'customer' } }
    default:
      return { failure: { reason: 'archived', customerId } }
  }
}

function isSame(one: ImportLine, other: ImportLine): boolean {
  return one.externalId === other.externalId && JSON.stringify(one.fields) === JSON.stringify(other.fields)
}

/** Numbers the statements: even ones create, odd ones update, and they run in this order. */
class Order {
  readonly #ofCustomer = new Map<string, number>()
  readonly #ofRelease = new Map<string, number>()
  readonly #ofMove = new Map<string, number>()
  readonly #ofCheck = new Map<string, number>()

  placeFor({ customerId, creates }: { customerId: string; creates: boolean }, effect: Effect): number {
    const { moves, above, takes, releases } = effect
    const behind = Math.max(
      this.#ofCustomer.get(customerId) ?? -1,
      moves ? (this.#ofCheck.get(customerId) ?? -1) : -1,
      ...above.map((id) => this.#ofMove.get(id) ?? -1),
      ...takes.map((key) => this.#ofRelease.get(key) ?? -1),
    )
    // A line that creates may share the statement of a line it depends on, if that one creates too.
    const first = creates ? Math.max(behind, 0) : behind + 1
    const place = first % 2 === (creates ? 0 : 1) ? first : first + 1
    later(this.#ofCustomer, customerId, place)
    if (moves) later(this.#ofMove, customerId, place)
    for (const id of above) later(this.#ofCheck, id, place)
    for (const key of releases) later(this.#ofRelease, key, place)
    return place
  }
}

function later(places: Map<string, number>, key: string, place: number): void {
  places.set(key, Math.max(place, places.get(key) ?? -1))
}
