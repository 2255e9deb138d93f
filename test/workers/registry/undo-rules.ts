/**
 * How a customer becomes what it was: the rules of the model for a revert, and for an undo, which takes one customer after the
 * other.
 */
import { type Model, moveOf } from './model.ts'
import {
  isSame,
  type ModelCustomer,
  type ModelEvent,
  type Operation,
  type Request,
  type Undone,
  type UndoOperation,
} from './model-types.ts'
import { mergedAway, notFound, Refusal, requireVersion } from './refusals.ts'

export function revert(model: Model, request: Request, operation: Extract<Operation, { kind: 'revert' }>) {
  const { target, to, partial, ifVersion } = operation
  const now = model.customers.get(target.id)
  if (!now || now.erased) throw notFound()
  if (now.mergedInto) throw mergedAway(now)
  const past = pastOf(model, now, 'version' in to ? to.version : 0)
  requireVersion(now, ifVersion)
  const { wanted, left } = wayBack(model, now, past)
  if (left.length > 0 && !partial) throw new Refusal({ reason: 'revert_conflict', conflicts: [] })
  if (isSame(wanted, now)) return { effect: 'unchanged' as const, customer: now }
  return { effect: 'updated' as const, customer: goBack(model, request, now, wanted) }
}

/** Every version but the present one is what the next change found. */
function pastOf(model: Model, now: ModelCustomer, version: number): ModelCustomer {
  if (version === now.version) return now
  const next = model.events.find((happened) => happened.customerId === now.id && happened.version > version)
  if (next && next.before === null) throw new Refusal({ reason: 'history_expired' })
  if (next?.before?.version !== version) throw notFound()
  return next.before
}

/**
 * Undoes the chosen changes of one customer. It goes back to what the first of them found; one that they created is archived.
 * A change that was not chosen and came later is in the way, unless the customer is what it was all the same.
 */
export function undo(model: Model, request: Request, { customerId, isChosen, dryRun }: UndoOperation): Undone {
  const changes = model.events.filter(
    (happened) => happened.customerId === customerId && happened.type !== 'customer.erased',
  )
  const isTakenBack = (happened: ModelEvent) =>
    !MERGES.includes(happened.type) &&
    !model.moves.has(moveOf(happened)) &&
    happened.requestId !== request.requestId &&
    isChosen(happened)
  const first = changes.find(isTakenBack)
  const now = model.customers.get(customerId)
  if (!first || !now) return { result: 'none' }
  if (now.erased) return { result: 'unchanged', isErased: true }
  const later = changes.findLast(
    (happened) =>
      happened.version > first.version && happened.requestId !== request.requestId && !isTakenBack(happened),
  )
  const changedLater = later && {
    result: 'conflict' as const,
    later: { type: later.type, actor: later.actor, version: later.version },
  }
  const isCreation = first.type === 'customer.created'
  if (first.before === null && !isCreation) return changedLater ?? { result: 'conflict', fields: [] }

  // A dry run takes every customer that the undo is about for out of the way.
  const isAside = (id: string) =>
    dryRun && model.events.some((happened) => happened.customerId === id && isTakenBack(happened))
  const { wanted, left } = wayBack(model, now, first.before ?? { ...now, archived: true }, isAside)
  if (isSame(wanted, now) && left.length === 0) return { result: 'unchanged', isErased: false }
  if (changedLater) return changedLater
  if (now.mergedInto) return { result: 'conflict', rule: 'merged' }
  if (left.length > 0) return { result: 'conflict', fields: left }
  if (!dryRun) goBack(model, request, now, wanted)
  return { result: 'reverted' }
}

const MERGES = ['customer.merged', 'customer.unmerged']

/**
 * Returns what the customer becomes, and the fields that cannot be what they were. `isAside`: says of which other customers
 * nothing is in the way.
 */
function wayBack(
  model: Model,
  now: ModelCustomer,
  past: ModelCustomer,
  isAside: (id: string) => boolean = () => false,
): { wanted: ModelCustomer; left: string[] } {
  const { version, updatedBy, mergedInto } = now
  const wanted = { ...past, status: past.archived ? now.status : past.status, version, updatedBy, mergedInto }
  const left: string[] = []
  const others = model.live().filter(({ id }) => id !== now.id && !isAside(id))
  const isTaken = (externalId: string) => others.some((other) => other.externalId === externalId)
  if (wanted.archived && !now.archived && model.childrenOf(now.id).some(({ id }) => !isAside(id))) {
    left.push('status')
    wanted.archived = false
  }
  if (!wanted.archived && isTaken(wanted.externalId)) {
    left.push('externalId')
    wanted.externalId = now.externalId
    if (now.archived && isTaken(now.externalId)) {
      left.push('status')
      Object.assign(wanted, { archived: true, status: now.status })
    }
  }
  if (wanted.archived) return { wanted, left }
  wanted.integrations = past.integrations.filter(({ provider, id }) =>
    others.every(({ integrations }) => !integrations.some((one) => one.provider === provider && one.id === id)),
  )
  if (wanted.integrations.length < past.integrations.length) left.push('integrations')
  const isPlace = (parentId: string | null) => parentId === null || model.isPlace({ ...wanted, parentId }, isAside)
  if ((now.archived || past.parentId !== now.parentId) && !isPlace(past.parentId)) {
    left.push('parentId')
    wanted.parentId = now.archived && !isPlace(now.parentId) ? null : now.parentId
  }
  return { wanted, left }
}

function goBack(model: Model, request: Request, now: ModelCustomer, wanted: ModelCustomer): ModelCustomer {
  if (!wanted.archived && (now.archived || wanted.externalId !== now.externalId))
    model.aliases.delete(wanted.externalId)
  if (!wanted.archived && !now.archived && wanted.externalId !== now.externalId)
    model.aliases.set(now.externalId, { of: now.id, from: null })
  if (wanted.archived) model.forgetAliases(now.id)
  const type = wanted.archived === now.archived ? 'updated' : wanted.archived ? 'archived' : 'restored'
  return model.next(request, `customer.${type}`, now, wanted)
}
