/**
 * Applies the rules of the database to the lines of a chunk one after the other, so that a refused line costs no
 * transaction. Pure. Each line meets the state after the accepted ones before it. The triggers of `migrations/` enforce
 * the rules all the same: when one refuses a line that was accepted here, another writer changed something meanwhile,
 * or the rule is not in this file.
 */
import { codePointLength, LIMITS } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { ImportFacts } from '../protocol/imports.ts'

/** The part of a line's change that the rules depend on. */
export interface Change {
  customerId: string
  creates: boolean
  externalId: string
  /** Undefined keeps the parent; `''` names a parent that does not exist. */
  parentId: string | null | undefined
  /** By `integrationKey`; undefined keeps them. */
  integrations: readonly string[] | undefined
  metadataKeys: number
  /** Bytes of the customer after the change. */
  bytes: number
  /** The onboarding workflow. Null: the default one, if there is one. Empty: none. */
  workflow: string | null
  formerIds: readonly string[]
  /** The line creates an archived customer, which takes no place in the tree and has no integrations. */
  isArchived: boolean
}

/** The effect of an accepted line, for the order in which statements may do it. */
export interface Effect {
  /** The customer got another place in the tree. */
  moves: boolean
  /** Customers whose own places the check of a move depends on: those above the new and the former place. */
  above: readonly string[]
  takes: readonly string[]
  releases: readonly string[]
}

export class ImportRules {
  readonly #parents = new Map<string, string | null>()
  readonly #children = new Map<string, Set<string>>()
  readonly #levelsBelow = new Map<string, number>()
  readonly #customersBelow = new Map<string, number>()
  readonly #holders = new Map<string, string>()
  readonly #held = new Map<string, Set<string>>()
  /** Customers by the external ids that find them, present and former ones. */
  readonly #named: Map<string, string>
  readonly #workflows: ReadonlySet<string>

  constructor(facts: ImportFacts) {
    for (const { id, parentId, levelsBelow, customersBelow } of facts.tree) {
      this.#place(id, parentId)
      this.#levelsBelow.set(id, levelsBelow)
      this.#customersBelow.set(id, customersBelow)
    }
    for (const { customerId, currentParentId } of facts.lines) {
      if (customerId !== null && !this.#parents.has(customerId)) this.#parents.set(customerId, currentParentId)
    }
    for (const { provider, entityId, customerId } of facts.holders) {
      this.#take(integrationKey(provider, entityId), customerId)
    }
    this.#named = new Map(facts.named.map(({ externalId, customerId }) => [externalId, customerId]))
    this.#workflows = new Set(facts.workflows)
  }

  /** Returns null when the change is allowed; else the failure of the first rule that refuses it. Changes nothing. */
  refusalOf(change: Change): Failure | null {
    // First, because the newest trigger is the first to refuse.
    if (change.bytes > LIMITS.customerBytesMax) {
      return { reason: 'customer_too_large', bytesMax: LIMITS.customerBytesMax }
    }
    if (change.isArchived) return change.parentId === '' ? { reason: 'parent_not_found' } : refusalOfBounds(change)
    return this.#refusalOfPlace(change) ?? refusalOfBounds(change) ?? this.#refusalOfNames(change)
  }

  /** Applies an allowed change. */
  apply(change: Change): Effect {
    const { customerId, parentId, creates, integrations, externalId, formerIds, isArchived } = change
    if (isArchived) return { moves: false, above: parentId ? [parentId] : [], takes: [], releases: [] }
    for (const name of [...(creates ? [externalId] : []), ...formerIds]) this.#named.set(name, customerId)
    const moves = this.#moves(change)
    const former = this.#parents.get(customerId) ?? null
    const above = moves ? [...this.#chainOf(parentId ?? null), ...this.#chainOf(former)] : []
    if (moves) {
      this.#children.get(former ?? '')?.delete(customerId)
      this.#place(customerId, parentId ?? null)
    }
    const held = this.#held.get(customerId) ?? new Set<string>()
    const takes = integrations ?? []
    const releases = integrations ? [...held].filter((key) => !takes.includes(key)) : []
    for (const key of releases) {
      held.delete(key)
      this.#holders.delete(key)
    }
    for (const key of takes) this.#take(key, customerId)
    return { moves: moves || creates, above, takes, releases }
  }

  #refusalOfPlace(change: Change): Failure | null {
    const { customerId, creates, parentId } = change
    if (parentId === null || parentId === undefined || !this.#moves(change)) return null
    if (parentId === '') return { reason: 'parent_not_found' }
    const chain = this.#chainOf(parentId)
    if (chain.includes(customerId)) return { reason: 'parent_cycle' }
    if (!creates && this.#countBelow(customerId) > LIMITS.descendantsMax) {
      return { reason: 'too_many_descendants', descendantsMax: LIMITS.descendantsMax }
    }
    const levels = chain.length + 1 + (creates ? 0 : this.#heightOf(customerId))
    if (levels <= LIMITS.parentLevelsMax) return null
    return { reason: 'parent_too_deep', levelsMax: LIMITS.parentLevelsMax }
  }

  #refusalOfNames({ customerId, creates, integrations = [], workflow, formerIds }: Change): Failure | null {
    const isTaken = integrations.some((key) => (this.#holders.get(key) ?? customerId) !== customerId)
    // The order is that of the triggers in D1, so that a line with both faults is refused for the one that D1 names.
    if (creates && workflow && !this.#workflows.has(workflow)) return { reason: 'unknown_workflow' }
    if (isTaken || new Set(integrations).size < integrations.length) return { reason: 'integration_taken' }
    const former = formerIds.find((name) => (this.#named.get(name) ?? customerId) !== customerId)
    if (former === undefined) return null
    const holder = this.#named.get(former) ?? null
    return { reason: 'external_id_taken', externalId: former, customerId: holder, field: 'old_external_ids' }
  }

  #moves({ customerId, parentId }: Change): boolean {
    return parentId !== undefined && parentId !== (this.#parents.get(customerId) ?? null)
  }

  /** Returns the customer and all its ancestors. */
  #chainOf(customerId: string | null): string[] {
    const chain: string[] = []
    for (let id = customerId; id && chain.length <= LIMITS.parentLevelsMax; id = this.#parents.get(id) ?? null) {
      chain.push(id)
    }
    return chain
  }

  /** Returns the number of levels below the customer. */
  #heightOf(customerId: string): number {
    let height = this.#levelsBelow.get(customerId) ?? 0
    for (const child of this.#children.get(customerId) ?? []) height = Math.max(height, 1 + this.#heightOf(child))
    return height
  }

  /** Returns the number of customers below the customer, at all levels. */
  #countBelow(customerId: string): number {
    let count = this.#customersBelow.get(customerId) ?? 0
    for (const child of this.#children.get(customerId) ?? []) count += 1 + this.#countBelow(child)
    return count
  }

  #place(customerId: string, parentId: string | null): void {
    this.#parents.set(customerId, parentId)
    if (parentId === null) return
    const siblings = this.#children.get(parentId)
    if (siblings) siblings.add(customerId)
    else this.#children.set(parentId, new Set([customerId]))
  }

  #take(key: string, customerId: string): void {
    this.#holders.set(key, customerId)
    const held = this.#held.get(customerId)
    if (held) held.add(key)
    else this.#held.set(customerId, new Set([key]))
  }
}

/** The API's schemas check these too, with better messages. */
function refusalOfBounds({ creates, externalId, metadataKeys }: Change): Failure | null {
  const length = codePointLength(externalId)
  if (creates && (length < 1 || length > LIMITS.externalIdLengthMax)) return { reason: 'internal' }
  if (creates || metadataKeys <= LIMITS.metadataKeysMax) return null
  return { reason: 'metadata_too_many_keys', keysMax: LIMITS.metadataKeysMax }
}

export function integrationKey(provider: string, entityId: string): string {
  return JSON.stringify([provider, entityId])
}
