/**
 * Makes a customer again what it was: which of its fields change, and which cannot, because what they were is not to be had
 * any more. Pure. Storage finds the facts, and commits the plan on no other version than the one that the facts are about.
 */
import { canonicalJson } from '../shared/canonical-json.ts'
import { type Customer, type CustomerChanges, LIMITS } from './customer.ts'
import { OPTIONAL_TEXT_FIELDS } from './customer-fields.ts'

/** The fields whose value of then may belong to another customer by now, or break a rule. */
export type ContestedField = 'externalId' | 'parentId' | 'integrations' | 'status'

/** A field that cannot be what it was, and the customer that is in the way, if it is one. */
export interface RevertConflict {
  field: ContestedField
  reason:
    | 'external_id_taken'
    | 'integration_taken'
    | 'parent_not_found'
    | 'parent_cycle'
    | 'parent_too_deep'
    | 'too_many_descendants'
    | 'has_children'
  customerId: string | null
}

/** A place below a parent, for the rules about the tree. */
export interface PlaceFacts {
  /** The parent exists and is not archived. */
  isThere: boolean
  /** The parent and the customers above it. */
  above: readonly string[]
}

/** The facts about other customers that decide what a customer may be again. */
export interface RevertFacts {
  /** The other customers that have the external id of then, and the present one. */
  holder: string | null
  presentHolder: string | null
  /** Entities of then that other customers have. */
  taken: readonly { provider: string; id: string; customerId: string }[]
  place: PlaceFacts
  presentPlace: PlaceFacts
  /** Levels and customers below this one, those that are archived not counted as levels. */
  levelsBelow: number
  customersBelow: number
  hasChildren: boolean
}

export interface RevertPlan {
  /** The customer as it is to be. */
  past: Customer
  /** The version that the plan is made for. */
  onVersion: number
  /** The fields that differ, as far as they can be had. */
  changes: CustomerChanges
  /** The profile, if it differs. It replaces the whole. */
  profile?: Record<string, unknown>
  /** True archives the customer, false restores it. */
  archived?: boolean
  conflicts: RevertConflict[]
}

/** Returns how a customer becomes what it was. */
export function planRevert(past: Customer, now: Customer, facts: RevertFacts): RevertPlan {
  const conflicts: RevertConflict[] = []
  const left = (field: ContestedField, reason: RevertConflict['reason'], customerId: string | null = null) => {
    conflicts.push({ field, reason, customerId })
  }
  const wasArchived = now.status === 'archived'
  let isArchived = past.status === 'archived'
  if (isArchived && !wasArchived && facts.hasChildren) {
    left('status', 'has_children')
    isArchived = false
  }
  let { externalId } = past
  if (!isArchived && facts.holder !== null) {
    left('externalId', 'external_id_taken', facts.holder)
    externalId = now.externalId
    // Without a free external id the customer cannot come back.
    if (wasArchived && facts.presentHolder !== null) {
      left('status', 'external_id_taken', facts.presentHolder)
      isArchived = true
    }
  }
  let { integrations, parentId } = past
  if (!isArchived) {
    const taken = new Set(facts.taken.map(({ provider, id }) => entityOf(provider, id)))
    const [first] = facts.taken
    if (first) left('integrations', 'integration_taken', first.customerId)
    integrations = integrations.filter(({ provider, id }) => !taken.has(entityOf(provider, id)))
    const isMoved = past.parentId !== now.parentId || wasArchived
    const fault = isMoved && past.parentId !== null ? placeFault(now.id, facts.place, facts) : null
    if (fault) {
      left('parentId', fault, past.parentId)
      const canStay = !wasArchived || placeFault(now.id, facts.presentPlace, facts) === null
      parentId = canStay ? now.parentId : null
    }
  }
  // A customer that stays archived keeps what it will be when it is restored.
  const status = isArchived || past.status === 'archived' ? undefined : past.status
  const wanted = { ...past, externalId, integrations, parentId }
  return {
    past,
    onVersion: now.version,
    changes: { ...differing(wanted, now), ...(status && (wasArchived || status !== now.status) && { status }) },
    ...(!isSame(past.profile, now.profile) && { profile: past.profile }),
    ...(isArchived !== wasArchived && { archived: isArchived }),
    conflicts,
  }
}

/** Returns whether the plan changes anything. */
export function isChange({ changes, profile, archived }: RevertPlan): boolean {
  return Object.keys(changes).length > 0 || profile !== undefined || archived !== undefined
}

/** Returns the contested fields in which a customer is not what it was. */
export function fieldsLeft(past: Customer, now: Customer): ContestedField[] {
  const fields = ['externalId', 'parentId', 'integrations', 'status'] as const
  return fields.filter((field) => !isSame(past[field], now[field]))
}

function differing(wanted: Customer, now: Customer): CustomerChanges {
  const changes: CustomerChanges = {}
  for (const field of [...OPTIONAL_TEXT_FIELDS, 'timezone'] as const) {
    if (wanted[field] !== now[field]) changes[field] = wanted[field]
  }
  if (wanted.externalId !== now.externalId) changes.externalId = wanted.externalId
  if (wanted.parentId !== now.parentId) changes.parent = wanted.parentId === null ? null : { id: wanted.parentId }
  if (!isSame(wanted.metadata, now.metadata)) changes.metadata = { replace: wanted.metadata }
  if (!isSame(wanted.integrations, now.integrations)) changes.integrations = wanted.integrations
  return changes
}

/** Returns the rule that a place below a parent breaks. The triggers of D1 say the same, in this order. */
function placeFault(id: string, { isThere, above }: PlaceFacts, below: RevertFacts): RevertConflict['reason'] | null {
  if (!isThere) return 'parent_not_found'
  if (above.includes(id)) return 'parent_cycle'
  if (below.customersBelow > LIMITS.descendantsMax) return 'too_many_descendants'
  return above.length + 1 + below.levelsBelow > LIMITS.parentLevelsMax ? 'parent_too_deep' : null
}

function entityOf(provider: string, id: string): string {
  return JSON.stringify([provider, id])
}

/** Ignores the order of the keys of an object, which is no difference between customers. */
function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other)
}
