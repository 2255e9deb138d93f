/**
 * The registry as simply as it can be told: a Map of customers, the former external ids, what happened, and what keyed
 * requests were answered. One operation after the other, every rule in the order in which the contract names it. Shares no
 * code with the registry, only the types of its words; how a door says them is for callers.ts.
 */
import type { CustomerChanges, ParentReference } from '../../src/registry/customer.ts'
import type { Failure } from '../../src/registry/failures.ts'
import type { Effect, Target } from '../../src/registry/ports.ts'
import {
  type Answer,
  blankCustomer,
  emptied,
  type Happened,
  isSame,
  type Kept,
  merged,
  type Receipt,
  type Request,
  type State,
  TEXTS,
  type Told,
} from './words.ts'

const LEVELS_MAX = 10
const METADATA_KEYS_MAX = 50

class Refusal extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.reason)
    this.failure = failure
  }
}

export class Model {
  readonly customers = new Map<string, Kept>()
  readonly aliases = new Map<string, string>()
  readonly events: Happened[] = []
  readonly answers = new Map<string, Answer>()
  readonly receipts = new Map<string, Receipt>()

  /** Another that goes its own way from here. What is in the maps is replaced, never changed. */
  copy(): Model {
    const copy = new Model()
    for (const [id, customer] of this.customers) copy.customers.set(id, customer)
    for (const [externalId, id] of this.aliases) copy.aliases.set(externalId, id)
    for (const [key, answer] of this.answers) copy.answers.set(key, answer)
    for (const [id, receipt] of this.receipts) copy.receipts.set(id, receipt)
    copy.events.push(...this.events)
    return copy
  }

  /** Does what is asked, or answers what was answered before. `newId`: of the customer, should one be made. */
  apply(request: Request, newId: string): Told {
    const { key, asked } = request
    const before = key === null ? undefined : this.answers.get(key)
    if (before) {
      if (before.asked === asked) return { ...before.told, replayed: true }
      return { ok: false, failure: { reason: 'idempotency_mismatch' }, replayed: false }
    }
    const told = this.#outcome(request, newId)
    if (key === null) return told
    const about = told.ok ? told.customer.id : 'customerId' in told.failure ? told.failure.customerId : null
    this.answers.set(key, { asked, told, about })
    return told
  }

  /** The customer as readers find it: archived ones too, erased ones not. */
  byId(id: string): Kept | null {
    const customer = this.customers.get(id)
    return customer && !customer.erased ? customer : null
  }

  byExternalId(externalId: string): Kept | null {
    return this.#holder(externalId) ?? this.customers.get(this.aliases.get(externalId) ?? '') ?? null
  }

  childrenOf(id: string): Kept[] {
    return this.#live().filter(({ parentId }) => parentId === id)
  }

  /** Newest first. */
  list(): Kept[] {
    return this.#live().sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  state(): State {
    const all = [...this.customers.values()].filter(({ erased }) => !erased)
    const count = (is: (customer: Kept) => boolean) => all.filter(is).length
    const events: Record<string, Happened[]> = {}
    for (const happened of this.events) events[happened.customerId] = [...(events[happened.customerId] ?? []), happened]
    return {
      customers: Object.fromEntries(this.customers),
      aliases: Object.fromEntries(this.aliases),
      integrations: Object.fromEntries(
        this.#live().flatMap(({ id, integrations }) => integrations.map((each) => [`${each.provider} ${each.id}`, id])),
      ),
      counts: {
        published: count(({ archived, status }) => !archived && status === 'published'),
        draft: count(({ archived, status }) => !archived && status === 'draft'),
        archived: count(({ archived }) => archived),
      },
      events,
      answers: {
        kept: this.answers.size,
        blank: [...this.answers.values()].filter(({ asked }) => asked === '').length,
      },
    }
  }

  #outcome(request: Request, newId: string): Told {
    try {
      return { ...this.#do(request, newId), ok: true, replayed: false }
    } catch (error) {
      if (error instanceof Refusal) return { ok: false, failure: error.failure, replayed: false }
      throw error
    }
  }

  #do(request: Request, newId: string): { effect: Effect; customer: Kept; receipt?: Receipt | undefined } {
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
        return this.#update(request, this.#target(operation.target), operation.changes, operation.ifVersion)
      case 'archive':
        return this.#archive(request, this.#target(operation.target), operation.ifVersion)
      case 'restore':
        return this.#restore(request, this.#target(operation.target), operation.ifVersion)
      case 'erase':
        return this.#erase(request, operation.target.id ?? '', operation.ifVersion)
    }
  }

  #create(
    request: Request,
    id: string,
    fields: CustomerChanges & { externalId: string },
    ifExists: 'fail' | 'return',
  ): { effect: Effect; customer: Kept } {
    const holder = this.#holder(fields.externalId)
    if (holder && ifExists === 'return') return { effect: 'unchanged', customer: holder }
    if (holder) throw taken(holder)
    const blank = blankCustomer(id, request.actor)
    const customer = { ...this.#changed(blank, fields), version: 1 }
    if (customer.parentId !== null) this.#requireParent(customer)
    this.#requireIntegrations(customer)
    this.aliases.delete(customer.externalId)
    return { effect: 'created', customer: this.#keep(request, 'customer.created', null, customer) }
  }

  #update(request: Request, customer: Kept, changes: CustomerChanges, ifVersion: number | null) {
    if (customer.archived) throw new Refusal({ reason: 'archived', customerId: customer.id })
    requireVersion(customer, ifVersion)
    const changed = this.#changed(customer, changes)
    if (isSame(changed, customer)) return { effect: 'unchanged' as const, customer }
    if (changed.parentId !== null && changed.parentId !== customer.parentId) this.#requireParent(changed)
    if (Object.keys(changed.metadata).length > METADATA_KEYS_MAX) {
      throw new Refusal({ reason: 'metadata_too_many_keys', keysMax: METADATA_KEYS_MAX })
    }
    if (changed.externalId !== customer.externalId) {
      const holder = this.#holder(changed.externalId)
      if (holder) throw taken(holder)
      this.#requireIntegrations(changed)
      this.aliases.delete(changed.externalId)
      this.aliases.set(customer.externalId, customer.id)
    } else this.#requireIntegrations(changed)
    return { effect: 'updated' as const, customer: this.#next(request, 'customer.updated', customer, changed) }
  }

  #archive(request: Request, customer: Kept, ifVersion: number | null) {
    if (customer.archived) throw notFound()
    requireVersion(customer, ifVersion)
    this.#requireNoChildren(customer)
    this.#forgetAliases(customer.id)
    const archived = this.#next(request, 'customer.archived', customer, { ...customer, archived: true })
    return { effect: 'archived' as const, customer: archived }
  }

  #restore(request: Request, customer: Kept, ifVersion: number | null) {
    requireVersion(customer, ifVersion)
    if (!customer.archived) return { effect: 'unchanged' as const, customer }
    if (customer.parentId !== null) this.#requireParent(customer)
    const holder = this.#holder(customer.externalId)
    if (holder) throw taken(holder)
    this.#requireIntegrations(customer)
    this.aliases.delete(customer.externalId)
    const restored = this.#next(request, 'customer.restored', customer, { ...customer, archived: false })
    return { effect: 'restored' as const, customer: restored }
  }

  #erase(request: Request, id: string, ifVersion: number | null) {
    const customer = this.customers.get(id)
    if (!customer) throw notFound()
    if (customer.erased) return { effect: 'unchanged' as const, customer, receipt: this.receipts.get(id) }
    requireVersion(customer, ifVersion)
    if (!customer.archived) this.#requireNoChildren(customer)
    const own = this.events.filter(({ customerId }) => customerId === id)
    const receipt: Receipt = {
      erasedBy: request.actor,
      rows: {
        customers: 1,
        events: own.length,
        aliases: [...this.aliases.values()].filter((of) => of === id).length,
        integrations: customer.archived ? 0 : customer.integrations.length,
        idempotencyRecords: [...this.answers.values()].filter(({ about }) => about === id).length,
      },
    }
    for (const [at, happened] of this.events.entries()) {
      if (happened.customerId !== id) continue
      this.events[at] = { ...happened, before: null, reason: null, after: emptied(happened.after) }
    }
    this.#forgetAliases(id)
    for (const [key, answer] of this.answers) if (answer.about === id) this.answers.set(key, { ...answer, asked: '' })
    this.receipts.set(id, receipt)
    const erased = this.#next(request, 'customer.erased', customer, emptied({ ...customer, archived: true }))
    this.customers.set(id, { ...erased, erased: true })
    return { effect: 'erased' as const, customer: erased, receipt }
  }

  #target(target: Target): Kept {
    const named = target.externalId === undefined ? null : this.byExternalId(target.externalId)
    if (target.externalId !== undefined && !named) throw notFound()
    if (named && target.id !== undefined && target.id !== named.id) throw new Refusal({ reason: 'targets_disagree' })
    const customer = named ?? this.byId(target.id ?? '')
    if (!customer) throw notFound()
    return customer
  }

  /** The customer with the changes in it. A parent that nobody is stays a name that nobody has. */
  #changed(customer: Kept, changes: CustomerChanges): Kept {
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
    return 'id' in parent ? parent.id : (this.#holder(parent.externalId)?.id ?? '')
  }

  #requireParent({ id, parentId }: Kept): void {
    const parent = this.customers.get(parentId ?? '')
    if (!parent || parent.archived) throw new Refusal({ reason: 'parent_not_found' })
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

  #requireIntegrations({ id, integrations }: Kept): void {
    const isTheirs = (theirs: Kept) =>
      theirs.integrations.some((each) =>
        integrations.some((own) => own.provider === each.provider && own.id === each.id),
      )
    if (this.#live().some((other) => other.id !== id && isTheirs(other))) {
      throw new Refusal({ reason: 'integration_taken' })
    }
  }

  #requireNoChildren({ id }: Kept): void {
    if (this.childrenOf(id).length > 0) throw new Refusal({ reason: 'has_children' })
  }

  #holder(externalId: string): Kept | undefined {
    return this.#live().find((customer) => customer.externalId === externalId)
  }

  #live(): Kept[] {
    return [...this.customers.values()].filter(({ archived }) => !archived)
  }

  #forgetAliases(id: string): void {
    for (const [externalId, of] of this.aliases) if (of === id) this.aliases.delete(externalId)
  }

  #next(request: Request, type: string, before: Kept, after: Kept): Kept {
    return this.#keep(request, type, before, { ...after, version: before.version + 1, updatedBy: request.actor })
  }

  #keep({ actor, requestId, reason }: Request, type: string, before: Kept | null, after: Kept): Kept {
    const { id: customerId, version } = after
    const isErasure = type === 'customer.erased'
    const receipt = (isErasure && this.receipts.get(customerId)) || null
    const told = { type, customerId, version, actor, requestId, reason, receipt }
    this.customers.set(customerId, after)
    this.events.push({ ...told, before: isErasure ? null : before, after })
    return after
  }
}

function requireVersion({ version }: Kept, ifVersion: number | null): void {
  if (ifVersion !== null && ifVersion !== version) {
    throw new Refusal({ reason: 'version_conflict', currentVersion: version })
  }
}

function taken({ externalId, id }: Kept): Refusal {
  return new Refusal({ reason: 'external_id_taken', externalId, customerId: id })
}

function notFound(): Refusal {
  return new Refusal({ reason: 'not_found', resource: 'customer' })
}
