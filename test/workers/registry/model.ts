/**
 * The registry in its simplest form: a Map of customers, the former external ids, the events, and the answers of keyed
 * requests. One operation after the other, every rule in the order in which the contract names it. Shares no code with the
 * registry, only the types of its commands; callers.ts knows how an API expresses them.
 */
import type { CustomerChanges, ParentReference } from '../../../src/registry/customer.ts'
import type { Effect, Target } from '../../../src/registry/ports.ts'
import { merge, unmerge } from './merge-rules.ts'
import {
  type Alias,
  type Answer,
  blankCustomer,
  emptied,
  isSame,
  type ModelCustomer,
  type ModelEvent,
  type ModelMerge,
  type Moved,
  merged,
  type Outcome,
  type Receipt,
  type Request,
  type State,
  TEXTS,
  type Undone,
} from './model-types.ts'
import { mergedAway, notFound, Refusal, requireMetadata, requireVersion, taken } from './refusals.ts'
import { revert, undo } from './undo-rules.ts'

const LEVELS_MAX = 10

export class Model {
  readonly customers = new Map<string, ModelCustomer>()
  readonly aliases = new Map<string, Alias>()
  readonly events: ModelEvent[] = []
  readonly answers = new Map<string, Answer>()
  readonly receipts = new Map<string, Receipt>()
  readonly merges = new Map<string, ModelMerge>()
  /** The changes of children that merges and unmerges have moved, by customer and version. */
  readonly moves = new Set<string>()
  /** The times for which customers were merged into another one, by its versions: they are over. */
  readonly stays: { guests: string[]; host: string; fromVersion: number; untilVersion: number }[] = []

  /** Returns a copy that changes independently. The values in the maps are replaced, never changed. */
  copy(): Model {
    const copy = new Model()
    copy.#become(this)
    return copy
  }

  #become({ customers, aliases, answers, receipts, merges, moves, events, stays }: Model): void {
    const replace = <Value>(own: Map<string, Value>, other: Map<string, Value>) => {
      own.clear()
      for (const [key, value] of other) own.set(key, value)
    }
    replace(this.customers, customers)
    replace(this.aliases, aliases)
    replace(this.answers, answers)
    replace(this.receipts, receipts)
    replace(this.merges, merges)
    this.moves.clear()
    for (const move of moves) this.moves.add(move)
    this.events.splice(0, this.events.length, ...events)
    this.stays.splice(0, this.stays.length, ...stays)
  }

  /** Applies the request, or returns its former answer. `newId`: the id of the customer, if one is created. */
  apply(request: Request, newId: string): Outcome {
    const { key, fingerprint } = request
    const before = key === null ? undefined : this.answers.get(key)
    if (before) {
      if (before.fingerprint === fingerprint) return { ...before.outcome, replayed: true }
      return { ok: false, failure: { reason: 'idempotency_mismatch' }, replayed: false }
    }
    const outcome = this.#outcome(request, newId)
    if (key === null) return outcome
    const about = outcome.ok ? outcome.customer.id : 'customerId' in outcome.failure ? outcome.failure.customerId : null
    this.answers.set(key, { fingerprint, outcome, about })
    return outcome
  }

  /** Returns the customer as readers find it: archived ones too, erased ones not, and where it was merged into. */
  byId(id: string): ModelCustomer | null {
    const customer = this.customers.get(this.followed(id))
    return customer && !customer.erased ? customer : null
  }

  /** Returns whether an erasure of another customer has emptied the change that found this version. */
  isForgotten(id: string, version: number): boolean {
    const next = this.events.find((happened) => happened.customerId === id && happened.version > version)
    return next?.before === null
  }

  followed(id: string): string {
    return this.customers.get(id)?.mergedInto ?? id
  }

  byExternalId(externalId: string): ModelCustomer | null {
    return this.holder(externalId) ?? this.customers.get(this.aliases.get(externalId)?.of ?? '') ?? null
  }

  childrenOf(id: string): ModelCustomer[] {
    return this.live().filter(({ parentId }) => parentId === id)
  }

  /** Returns the customers newest first. */
  list(): ModelCustomer[] {
    return this.live().sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  state(): State {
    const all = [...this.customers.values()].filter(({ erased, mergedInto }) => !erased && mergedInto === null)
    const count = (is: (customer: ModelCustomer) => boolean) => all.filter(is).length
    const events: Record<string, ModelEvent[]> = {}
    for (const happened of this.events) events[happened.customerId] = [...(events[happened.customerId] ?? []), happened]
    return {
      customers: Object.fromEntries(this.customers),
      aliases: Object.fromEntries(this.aliases),
      merges: Object.fromEntries([...this.merges].map(([source, { into }]) => [source, into])),
      integrations: Object.fromEntries(
        this.live().flatMap(({ id, integrations }) => integrations.map((each) => [`${each.provider} ${each.id}`, id])),
      ),
      counts: {
        published: count(({ archived, status }) => !archived && status === 'published'),
        draft: count(({ archived, status }) => !archived && status === 'draft'),
        archived: count(({ archived }) => archived),
      },
      events,
      answers: {
        stored: this.answers.size,
        blank: [...this.answers.values()].filter(({ fingerprint }) => fingerprint === '').length,
      },
    }
  }

  #outcome(request: Request, newId: string): Outcome {
    try {
      return { ...this.#do(request, newId), ok: true, replayed: false }
    } catch (error) {
      if (error instanceof Refusal) return { ok: false, failure: error.failure, replayed: false }
      throw error
    }
  }

  #do(
    request: Request,
    newId: string,
  ): {
    effect: Effect
    customer: ModelCustomer
    receipt?: Receipt | undefined
    moved?: Moved
    source?: ModelCustomer
    undone?: Undone
  } {
    const { operation } = request
    switch (operation.kind) {
      case 'create':
        return this.#create(request, newId, operation.fields, operation.ifExists)
      case 'upsert': {
        const { externalId, changes, ifVersion } = operation
        const found = this.byExternalId(externalId)
        if (found) return this.#update(request, found, changes, ifVersion)
        if (ifVersion !== null) throw new Refusal({ reason: 'version_conflict', currentVersion: 0 })
        return this.#create(request, newId, { ...changes, externalId }, 'fail')
      }
      case 'update':
        return this.#update(request, this.#target(operation.target, true), operation.changes, operation.ifVersion)
      case 'merge':
      case 'unmerge': {
        const { target, dryRun } = operation
        const before = this.copy()
        try {
          if (operation.kind === 'unmerge') return unmerge(this, request, this.#target(target), operation)
          return merge(this, request, this.#target(target), operation)
        } catch (error) {
          this.#become(before)
          throw error
        } finally {
          if (dryRun) this.#become(before)
        }
      }
      case 'archive':
        return this.#archive(request, this.#target(operation.target), operation.ifVersion)
      case 'restore':
        return this.#restore(request, this.#target(operation.target), operation.changes ?? {}, operation.ifVersion)
      case 'revert':
        return revert(this, request, operation)
      case 'undo': {
        const undone = undo(this, request, operation)
        const { customerId, dryRun } = operation
        const customer = this.customers.get(customerId) ?? blankCustomer(customerId, '')
        return { effect: undone.result === 'reverted' && !dryRun ? 'updated' : 'unchanged', customer, undone }
      }
      case 'erase':
        return this.#erase(request, operation.target.id ?? '', operation.ifVersion)
    }
  }

  #create(
    request: Request,
    id: string,
    fields: CustomerChanges & { externalId: string },
    ifExists: 'fail' | 'return',
  ): { effect: Effect; customer: ModelCustomer } {
    const holder = this.holder(fields.externalId)
    if (holder && ifExists === 'return') return { effect: 'unchanged', customer: holder }
    if (holder) throw taken(holder)
    const blank = blankCustomer(id, request.actor)
    const customer = { ...this.#changed(blank, fields), version: 1 }
    if (customer.parentId !== null) this.requireParent(customer)
    this.#requireIntegrations(customer)
    this.aliases.delete(customer.externalId)
    return { effect: 'created', customer: this.keep(request, 'customer.created', null, customer) }
  }

  #update(request: Request, customer: ModelCustomer, changes: CustomerChanges, ifVersion: number | null) {
    if (customer.archived) throw new Refusal({ reason: 'archived', customerId: customer.id })
    requireVersion(customer, ifVersion)
    const changed = this.#changed(customer, changes)
    if (isSame(changed, customer)) return { effect: 'unchanged' as const, customer }
    if (changed.parentId !== null && changed.parentId !== customer.parentId) this.requireParent(changed)
    requireMetadata(changed)
    if (changed.externalId !== customer.externalId) {
      const holder = this.holder(changed.externalId)
      if (holder) throw taken(holder)
      this.#requireIntegrations(changed)
      this.aliases.delete(changed.externalId)
      this.aliases.set(customer.externalId, { of: customer.id, from: null })
    } else this.#requireIntegrations(changed)
    return { effect: 'updated' as const, customer: this.next(request, 'customer.updated', customer, changed) }
  }

  #archive(request: Request, customer: ModelCustomer, ifVersion: number | null) {
    if (customer.archived) throw notFound()
    requireVersion(customer, ifVersion)
    this.#requireNoChildren(customer)
    this.forgetAliases(customer.id)
    const archived = this.next(request, 'customer.archived', customer, { ...customer, archived: true })
    return { effect: 'archived' as const, customer: archived }
  }

  #restore(request: Request, customer: ModelCustomer, changes: CustomerChanges, ifVersion: number | null) {
    if (!customer.archived) return this.#update(request, customer, changes, ifVersion)
    requireVersion(customer, ifVersion)
    const parent = this.customers.get(customer.parentId ?? '')
    const parentId = parent?.erased ? null : (parent?.mergedInto ?? customer.parentId)
    const changed = { ...this.#changed({ ...customer, parentId }, changes), archived: false }
    if (changed.parentId !== null) this.requireParent(changed)
    requireMetadata(changed)
    const holder = this.holder(changed.externalId)
    if (holder) throw taken(holder)
    this.#requireIntegrations(changed)
    this.aliases.delete(changed.externalId)
    const restored = this.next(request, 'customer.restored', customer, changed)
    return { effect: 'restored' as const, customer: restored }
  }

  #erase(request: Request, id: string, ifVersion: number | null) {
    const customer = this.customers.get(id)
    if (!customer || (customer.erased && customer.mergedInto)) throw notFound()
    if (customer.mergedInto) throw mergedAway(customer)
    if (customer.erased) return { effect: 'unchanged' as const, customer, receipt: this.receipts.get(id) }
    requireVersion(customer, ifVersion)
    if (!customer.archived) this.#requireNoChildren(customer)
    const merged = [...this.customers.values()].filter(({ mergedInto }) => mergedInto === id)
    const remains = new Set([id, ...merged.map((each) => each.id)])
    const own = this.events.filter(({ customerId }) => remains.has(customerId))
    const receipt: Receipt = {
      erasedBy: request.actor,
      rows: {
        customers: remains.size,
        events: own.length,
        aliases: [...this.aliases.values()].filter(({ of }) => of === id).length,
        integrations: customer.archived ? 0 : customer.integrations.length,
        idempotencyRecords: [...this.answers.values()].filter(({ about }) => about !== null && remains.has(about))
          .length,
      },
    }
    for (const [at, happened] of this.events.entries()) {
      if (!remains.has(happened.customerId)) continue
      this.#empty(at, happened)
    }
    this.forgetAliases(id)
    for (const [key, answer] of this.answers)
      if (answer.about !== null && remains.has(answer.about)) this.answers.set(key, { ...answer, fingerprint: '' })
    for (const each of merged) this.customers.set(each.id, { ...emptied(each), erased: true })
    for (const each of remains) this.merges.delete(each)
    this.#eraseStays(remains)
    this.receipts.set(id, receipt)
    const erased = this.next(request, 'customer.erased', customer, emptied({ ...customer, archived: true }))
    this.customers.set(id, { ...erased, erased: true })
    return { effect: 'erased' as const, customer: erased, receipt }
  }

  /** The events of a customer lose everything from a merge with one of these to its unmerge, and so do the answers about them. */
  #eraseStays(guests: Set<string>): void {
    for (const stay of this.stays) {
      const { host, fromVersion, untilVersion } = stay
      if (guests.has(host) || !stay.guests.some((id) => guests.has(id))) continue
      const isOf = ({ version }: { version: number }) => version >= fromVersion && version <= untilVersion
      for (const [at, happened] of this.events.entries()) {
        if (happened.customerId === host && isOf(happened)) this.#empty(at, happened)
      }
      for (const [key, { outcome, about, ...answer }] of this.answers) {
        if (about !== host || (outcome.ok && !isOf(outcome.customer))) continue
        this.answers.set(key, { ...answer, outcome, about: null, fingerprint: '' })
      }
    }
  }

  /** An erasure leaves of an event who did something and when. */
  #empty(at: number, happened: ModelEvent): void {
    this.events[at] = { ...happened, before: null, reason: null, after: emptied(happened.after) }
    this.moves.delete(moveOf(happened))
  }

  /** `follows`: a customer that was merged stands for the one that it was merged into. */
  #target(target: Target, follows = false): ModelCustomer {
    const named = target.externalId === undefined ? null : this.byExternalId(target.externalId)
    if (target.externalId !== undefined && !named) throw notFound()
    const from =
      named?.externalId === target.externalId ? null : (this.aliases.get(target.externalId ?? '')?.from ?? null)
    if (named && from !== null && !follows) {
      throw new Refusal({ reason: 'merged', customerId: from, mergedInto: named.id })
    }
    if (named && target.id !== undefined && this.followed(target.id) !== named.id) {
      throw new Refusal({ reason: 'targets_disagree' })
    }
    const own = this.customers.get(target.id ?? '')
    if (!named && own?.mergedInto && !own.erased && !follows) throw mergedAway(own)
    const customer = named ?? this.byId(target.id ?? '')
    if (!customer) throw notFound()
    return customer
  }

  /** Returns the customer with the changes in it. An unknown parent stays a name that no customer has. */
  #changed(customer: ModelCustomer, changes: CustomerChanges): ModelCustomer {
    const changed = { ...customer }
    for (const field of TEXTS) if (changes[field] !== undefined) changed[field] = changes[field]
    if (changes.externalId !== undefined) changed.externalId = changes.externalId
    if (changes.timezone !== undefined) changed.timezone = changes.timezone ?? 'UTC'
    if (changes.status !== undefined) changed.status = changes.status
    if (changes.integrations !== undefined) changed.integrations = changes.integrations
    if (changes.parent !== undefined) changed.parentId = this.#parentId(changes.parent)
    if (changes.profile !== undefined) changed.profile = merged(customer.profile, changes.profile)
    if (changes.metadata !== undefined) {
      changed.metadata =
        'replace' in changes.metadata
          ? changes.metadata.replace
          : (merged(customer.metadata, changes.metadata.merge) as Record<string, string>)
    }
    return changed
  }

  #parentId(parent: ParentReference | null): string | null {
    if (parent === null) return null
    return 'id' in parent ? this.followed(parent.id) : (this.holder(parent.externalId)?.id ?? '')
  }

  /** Returns whether the customer may stand below its parent. `isAside`: says which archived ones count as restored. */
  isPlace(customer: ModelCustomer, isAside: (id: string) => boolean): boolean {
    try {
      this.requireParent(customer, isAside)
      return true
    } catch {
      return false
    }
  }

  requireParent({ id, parentId }: ModelCustomer, isAside: (id: string) => boolean = () => false): void {
    const parent = this.customers.get(parentId ?? '')
    if (!parent || parent.erased || (parent.archived && !isAside(parent.id)))
      throw new Refusal({ reason: 'parent_not_found' })
    const above: string[] = []
    for (let at: string | null = parent.id; at !== null; at = this.customers.get(at)?.parentId ?? null) {
      if (at === id) throw new Refusal({ reason: 'parent_cycle' })
      above.push(at)
    }
    if (above.length + 1 + this.#levelsBelow(id) > LEVELS_MAX) {
      throw new Refusal({ reason: 'parent_too_deep', levelsMax: LEVELS_MAX })
    }
  }

  #levelsBelow(id: string): number {
    return Math.max(0, ...this.childrenOf(id).map((child) => 1 + this.#levelsBelow(child.id)))
  }

  #requireIntegrations({ id, integrations }: ModelCustomer): void {
    const isTheirs = (theirs: ModelCustomer) =>
      theirs.integrations.some((each) =>
        integrations.some((own) => own.provider === each.provider && own.id === each.id),
      )
    if (this.live().some((other) => other.id !== id && isTheirs(other))) {
      throw new Refusal({ reason: 'integration_taken' })
    }
  }

  #requireNoChildren({ id }: ModelCustomer): void {
    if (this.childrenOf(id).length > 0) throw new Refusal({ reason: 'has_children' })
  }

  holder(externalId: string): ModelCustomer | undefined {
    return this.live().find((customer) => customer.externalId === externalId)
  }

  live(): ModelCustomer[] {
    return [...this.customers.values()].filter(({ archived }) => !archived)
  }

  forgetAliases(id: string): void {
    for (const [externalId, { of }] of this.aliases) if (of === id) this.aliases.delete(externalId)
  }

  next(request: Request, type: string, before: ModelCustomer, after: ModelCustomer): ModelCustomer {
    return this.keep(request, type, before, { ...after, version: before.version + 1, updatedBy: request.actor })
  }

  keep(
    { actor, requestId, reason }: Request,
    type: string,
    before: ModelCustomer | null,
    after: ModelCustomer,
  ): ModelCustomer {
    const { id: customerId, version } = after
    const isErasure = type === 'customer.erased'
    const receipt = (isErasure && this.receipts.get(customerId)) || null
    const event = { type, customerId, version, actor, requestId, reason, receipt }
    this.customers.set(customerId, after)
    this.events.push({ ...event, before: isErasure ? null : before, after })
    return after
  }
}

export function moveOf({ customerId, version }: Pick<ModelEvent, 'customerId' | 'version'>): string {
  return `${customerId} ${version}`
}
