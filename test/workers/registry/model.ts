/**
 * The registry in its simplest form: a Map of customers, the former external ids, the events, and the answers of keyed
 * requests. One operation after the other, every rule in the order in which the contract names it. Shares no code with the
 * registry, only the types of its commands; callers.ts knows how an API expresses them.
 */
import type { CustomerChanges, ParentReference } from '../../../src/registry/customer.ts'
import type { Failure } from '../../../src/registry/errors.ts'
import type { MergePreference } from '../../../src/registry/merge.ts'
import type { Effect, Target } from '../../../src/registry/ports.ts'
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
  type Operation,
  type Outcome,
  type Receipt,
  type Request,
  type State,
  TEXTS,
} from './model-types.ts'

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
  readonly customers = new Map<string, ModelCustomer>()
  readonly aliases = new Map<string, Alias>()
  readonly events: ModelEvent[] = []
  readonly answers = new Map<string, Answer>()
  readonly receipts = new Map<string, Receipt>()
  readonly merges = new Map<string, ModelMerge>()
  /** The times for which customers were merged into another one, by its versions: they are over. */
  readonly stays: { guests: string[]; host: string; fromVersion: number; untilVersion: number }[] = []

  /** Returns a copy that changes independently. The values in the maps are replaced, never changed. */
  copy(): Model {
    const copy = new Model()
    copy.#become(this)
    return copy
  }

  #become({ customers, aliases, answers, receipts, merges, events, stays }: Model): void {
    const replace = <Value>(own: Map<string, Value>, other: Map<string, Value>) => {
      own.clear()
      for (const [key, value] of other) own.set(key, value)
    }
    replace(this.customers, customers)
    replace(this.aliases, aliases)
    replace(this.answers, answers)
    replace(this.receipts, receipts)
    replace(this.merges, merges)
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
    const customer = this.customers.get(this.#followed(id))
    return customer && !customer.erased ? customer : null
  }

  /** Returns whether an erasure of another customer has emptied the change that found this version. */
  isForgotten(id: string, version: number): boolean {
    const next = this.events.find((happened) => happened.customerId === id && happened.version > version)
    return next?.before === null
  }

  #followed(id: string): string {
    return this.customers.get(id)?.mergedInto ?? id
  }

  byExternalId(externalId: string): ModelCustomer | null {
    return this.#holder(externalId) ?? this.customers.get(this.aliases.get(externalId)?.of ?? '') ?? null
  }

  childrenOf(id: string): ModelCustomer[] {
    return this.#live().filter(({ parentId }) => parentId === id)
  }

  /** Returns the customers newest first. */
  list(): ModelCustomer[] {
    return this.#live().sort((a, b) => (a.id < b.id ? 1 : -1))
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
        this.#live().flatMap(({ id, integrations }) => integrations.map((each) => [`${each.provider} ${each.id}`, id])),
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
  ): { effect: Effect; customer: ModelCustomer; receipt?: Receipt | undefined; moved?: Moved; source?: ModelCustomer } {
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
          if (operation.kind === 'unmerge') return this.#unmerge(request, this.#target(target), operation)
          return this.#merge(request, this.#target(target), operation)
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
        return this.#revert(request, operation)
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

  #update(request: Request, customer: ModelCustomer, changes: CustomerChanges, ifVersion: number | null) {
    if (customer.archived) throw new Refusal({ reason: 'archived', customerId: customer.id })
    requireVersion(customer, ifVersion)
    const changed = this.#changed(customer, changes)
    if (isSame(changed, customer)) return { effect: 'unchanged' as const, customer }
    if (changed.parentId !== null && changed.parentId !== customer.parentId) this.#requireParent(changed)
    requireMetadata(changed)
    if (changed.externalId !== customer.externalId) {
      const holder = this.#holder(changed.externalId)
      if (holder) throw taken(holder)
      this.#requireIntegrations(changed)
      this.aliases.delete(changed.externalId)
      this.aliases.set(customer.externalId, { of: customer.id, from: null })
    } else this.#requireIntegrations(changed)
    return { effect: 'updated' as const, customer: this.#next(request, 'customer.updated', customer, changed) }
  }

  #archive(request: Request, customer: ModelCustomer, ifVersion: number | null) {
    if (customer.archived) throw notFound()
    requireVersion(customer, ifVersion)
    this.#requireNoChildren(customer)
    this.#forgetAliases(customer.id)
    const archived = this.#next(request, 'customer.archived', customer, { ...customer, archived: true })
    return { effect: 'archived' as const, customer: archived }
  }

  #restore(request: Request, customer: ModelCustomer, changes: CustomerChanges, ifVersion: number | null) {
    if (!customer.archived) return this.#update(request, customer, changes, ifVersion)
    requireVersion(customer, ifVersion)
    const parent = this.customers.get(customer.parentId ?? '')
    const parentId = parent?.erased ? null : (parent?.mergedInto ?? customer.parentId)
    const changed = { ...this.#changed({ ...customer, parentId }, changes), archived: false }
    if (changed.parentId !== null) this.#requireParent(changed)
    requireMetadata(changed)
    const holder = this.#holder(changed.externalId)
    if (holder) throw taken(holder)
    this.#requireIntegrations(changed)
    this.aliases.delete(changed.externalId)
    const restored = this.#next(request, 'customer.restored', customer, changed)
    return { effect: 'restored' as const, customer: restored }
  }

  #revert(request: Request, operation: Extract<Operation, { kind: 'revert' }>) {
    const { target, to, partial, ifVersion } = operation
    const now = this.customers.get(target.id)
    if (!now || now.erased) throw notFound()
    if (now.mergedInto) throw mergedAway(now)
    const version = 'version' in to ? to.version : 0
    const past = this.events.find((happened) => happened.customerId === now.id && happened.version === version)?.after
    if (!past) throw notFound()
    requireVersion(now, ifVersion)
    const wanted = {
      ...past,
      status: past.archived ? now.status : past.status,
      version: now.version,
      updatedBy: now.updatedBy,
    }
    const isTaken = (externalId: string) => (this.#holder(externalId)?.id ?? now.id) !== now.id
    let isWhole = true
    if (wanted.archived && !now.archived && this.childrenOf(now.id).length > 0) {
      isWhole = false
      wanted.archived = false
    }
    if (!wanted.archived && isTaken(wanted.externalId)) {
      isWhole = false
      wanted.externalId = now.externalId
      if (now.archived && isTaken(now.externalId)) Object.assign(wanted, { archived: true, status: now.status })
    }
    if (!wanted.archived) {
      const others = this.#live().filter(({ id }) => id !== now.id)
      wanted.integrations = past.integrations.filter(({ provider, id }) =>
        others.every(({ integrations }) => !integrations.some((one) => one.provider === provider && one.id === id)),
      )
      isWhole &&= wanted.integrations.length === past.integrations.length
      const isPlace = (parentId: string | null) => parentId === null || this.#isPlace({ ...wanted, parentId })
      if ((now.archived || past.parentId !== now.parentId) && !isPlace(past.parentId)) {
        isWhole = false
        wanted.parentId = now.archived && !isPlace(now.parentId) ? null : now.parentId
      }
    }
    if (!isWhole && !partial) throw new Refusal({ reason: 'revert_conflict', conflicts: [] })
    if (isSame(wanted, now)) return { effect: 'unchanged' as const, customer: now }
    if (!wanted.archived && (now.archived || wanted.externalId !== now.externalId))
      this.aliases.delete(wanted.externalId)
    if (!wanted.archived && !now.archived && wanted.externalId !== now.externalId)
      this.aliases.set(now.externalId, { of: now.id, from: null })
    if (wanted.archived) this.#forgetAliases(now.id)
    const type = wanted.archived === now.archived ? 'updated' : wanted.archived ? 'archived' : 'restored'
    return { effect: 'updated' as const, customer: this.#next(request, `customer.${type}`, now, wanted) }
  }

  #isPlace(customer: ModelCustomer): boolean {
    try {
      this.#requireParent(customer)
      return true
    } catch {
      return false
    }
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
      this.events[at] = { ...happened, before: null, reason: null, after: emptied(happened.after) }
    }
    this.#forgetAliases(id)
    for (const [key, answer] of this.answers)
      if (answer.about !== null && remains.has(answer.about)) this.answers.set(key, { ...answer, fingerprint: '' })
    for (const each of merged) this.customers.set(each.id, { ...emptied(each), erased: true })
    for (const each of remains) this.merges.delete(each)
    this.#eraseStays(remains)
    this.receipts.set(id, receipt)
    const erased = this.#next(request, 'customer.erased', customer, emptied({ ...customer, archived: true }))
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
        if (happened.customerId !== host || !isOf(happened)) continue
        this.events[at] = { ...happened, before: null, reason: null, after: emptied(happened.after) }
      }
      for (const [key, { outcome, about, ...answer }] of this.answers) {
        if (about !== host || (outcome.ok && !isOf(outcome.customer))) continue
        this.answers.set(key, { ...answer, outcome, about: null, fingerprint: '' })
      }
    }
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
    if (named && target.id !== undefined && this.#followed(target.id) !== named.id) {
      throw new Refusal({ reason: 'targets_disagree' })
    }
    const own = this.customers.get(target.id ?? '')
    if (!named && own?.mergedInto && !own.erased && !follows) throw mergedAway(own)
    const customer = named ?? this.byId(target.id ?? '')
    if (!customer) throw notFound()
    return customer
  }

  #merge(
    request: Request,
    source: ModelCustomer,
    {
      into,
      intoVersion,
      prefer,
      ifVersion,
    }: { into: string; intoVersion: number | null; prefer: MergePreference; ifVersion: number | null },
  ) {
    requireVersion(source, ifVersion)
    const survivor = this.byId(into)
    if (!survivor || survivor.id === source.id || survivor.archived) {
      throw new Refusal({ reason: 'invalid_input', problems: [] })
    }
    requireVersion(survivor, intoVersion)
    const isLive = !source.archived
    const takes = (own: unknown, other: unknown) => other !== null && (own === null || prefer === 'source')
    const changed: ModelCustomer = { ...survivor }
    for (const field of ['name', 'email', 'contact'] as const) {
      if (takes(survivor[field], source[field])) changed[field] = source[field]
    }
    // The steps know no other part of an address.
    if (takes(survivor.addressCity, source.addressCity)) changed.addressCity = source.addressCity
    const zone = ({ timezone }: ModelCustomer) => (timezone === 'UTC' ? null : timezone)
    if (takes(zone(survivor), zone(source))) changed.timezone = source.timezone
    const isAbove = this.#above(source).includes(survivor.id)
    if (survivor.parentId === source.id) changed.parentId = source.parentId
    else if (isLive && !isAbove && takes(survivor.parentId, source.parentId)) changed.parentId = source.parentId
    const [first, last] = prefer === 'source' ? [survivor, source] : [source, survivor]
    changed.metadata = { ...first.metadata, ...last.metadata }
    changed.profile = merged(first.profile, last.profile)
    if (isLive) changed.integrations = [...survivor.integrations, ...source.integrations]
    const children = this.childrenOf(source.id).filter(({ id }) => id !== survivor.id)
    const names = [...this.aliases].filter(([, { of }]) => of === source.id).map(([externalId]) => externalId)
    const externalIds = isLive ? [source.externalId, ...names.toSorted()] : []
    const version = Math.max(source.version, survivor.version) + 1
    this.merges.set(source.id, {
      into: survivor.id,
      version,
      source,
      gave: given(survivor, changed),
      names: isLive ? names.map((name) => ({ name, from: this.aliases.get(name)?.from ?? null })) : [],
      children: children.map(({ id }) => id),
      earlier: [...this.customers.values()].filter(({ mergedInto }) => mergedInto === source.id).map(({ id }) => id),
    })

    this.customers.set(source.id, { ...source, archived: true, mergedInto: survivor.id })
    for (const earlier of this.customers.values()) {
      if (earlier.mergedInto === source.id) this.customers.set(earlier.id, { ...earlier, mergedInto: survivor.id })
    }
    for (const externalId of names) {
      const from = this.aliases.get(externalId)?.from ?? source.id
      this.aliases.set(externalId, { of: survivor.id, from })
    }
    if (isLive) this.aliases.set(source.externalId, { of: survivor.id, from: source.id })
    requireMetadata(changed)
    if (changed.parentId !== null && changed.parentId !== survivor.parentId) this.#requireParent(changed)
    const after = { ...changed, version, updatedBy: request.actor }
    const customer = this.#keep(request, 'customer.merged', survivor, after)
    for (const child of children) {
      const moved = { ...child, parentId: survivor.id }
      this.#requireParent(moved)
      this.#next(request, 'customer.updated', child, moved)
    }
    const isGiven = (key: string) => survivor.metadata[key] !== changed.metadata[key]
    const moved = { externalIds, children: children.length, metadata: Object.keys(source.metadata).filter(isGiven) }
    return { effect: 'merged' as const, customer, moved }
  }

  #unmerge(
    request: Request,
    survivor: ModelCustomer,
    { source: sourceId, ifVersion }: { source: string; ifVersion: number | null },
  ) {
    requireVersion(survivor, ifVersion)
    const invalid = new Refusal({ reason: 'invalid_input', problems: [] })
    if (this.customers.get(sourceId)?.mergedInto !== survivor.id) throw invalid
    if (survivor.archived) throw new Refusal({ reason: 'archived', customerId: survivor.id })
    const merge = this.merges.get(sourceId)
    if (!merge) throw new Error('the model keeps every merge')
    if (merge.into !== survivor.id) throw new Refusal({ reason: 'unmerge_order', sourceId, firstId: '' })
    const { source, gave, names, earlier } = merge
    const holder = this.#holder(source.externalId)
    if (!source.archived && holder) throw taken(holder)
    if (!source.archived && this.#isTakenBut(survivor.id, source)) throw new Refusal({ reason: 'integration_taken' })
    const kept: string[] = []
    const placeOf = (id: string | null) => {
      const place = id === null ? null : this.customers.get(this.#followed(id))
      return place && !place.erased ? place : null
    }
    const parent = placeOf(source.parentId)
    if (!source.archived && parent?.archived) throw invalid
    const parentId = source.archived ? source.parentId : (parent?.id ?? null)
    if (parentId !== source.parentId) kept.push(`${sourceId} parentId gone`)

    const changed: ModelCustomer = { ...survivor, metadata: { ...survivor.metadata }, profile: { ...survivor.profile } }
    changed.integrations = source.archived
      ? survivor.integrations
      : survivor.integrations.filter((own) => !source.integrations.some((one) => isSameEntity(own, one)))
    const metadata: string[] = []
    for (const { place, name, before, after } of gave) {
      const at = (place === 'fields' ? changed : changed[place]) as Record<string, unknown>
      const isParent = place === 'fields' && name === 'parentId'
      const isGone =
        isParent &&
        before !== null &&
        (before === sourceId
          ? source.archived
          : [undefined, true].includes(placeOf(String(before))?.archived) ||
            this.#followed(String(before)) === survivor.id)
      const what = place === 'fields' ? name : place === 'metadata' ? `metadata ${name}` : 'profile'
      if (!isSame(at[name] ?? null, after)) kept.push(`${survivor.id} ${what} changed`)
      else if (isGone) kept.push(`${survivor.id} ${what} gone`)
      else {
        if (place === 'metadata') metadata.push(name)
        if (before === null && place !== 'fields') delete at[name]
        else at[name] = isParent && before !== null && before !== sourceId ? this.#followed(String(before)) : before
      }
    }

    const back = names.filter(({ name }) => this.#isBack(name, survivor.id, [sourceId, ...earlier]))
    for (const { name } of names) {
      if (back.some((one) => one.name === name)) continue
      const isOwn = survivor.externalId === name || this.#isOwnAlias(name, survivor.id)
      kept.push(`${sourceId} formerIds ${name} ${isOwn ? 'changed' : 'taken'}`)
    }
    const isChild = (id: string) => {
      const child = this.customers.get(id)
      return child?.parentId === survivor.id && !child.erased && child.mergedInto === null
    }
    const children = merge.children.filter(isChild)
    for (const id of merge.children) if (!children.includes(id)) kept.push(`${id} parentId changed`)

    const version = Math.max(source.version, survivor.version) + 1
    const again = { ...source, parentId, version, updatedBy: request.actor }
    if (!again.archived && again.parentId !== null) this.#requireParent({ ...again })
    const restored = this.#keep(request, 'customer.restored', { ...source, parentId }, again)
    if (!source.archived) this.aliases.delete(source.externalId)
    for (const { name, from } of back) this.aliases.set(name, { of: sourceId, from })
    for (const id of earlier)
      this.customers.set(id, { ...(this.customers.get(id) as ModelCustomer), mergedInto: sourceId })
    for (const id of children) {
      const child = this.customers.get(id) as ModelCustomer
      const moved = { ...child, parentId: sourceId }
      if (!child.archived) this.#requireParent(moved)
      this.#next(request, 'customer.updated', child, moved)
    }
    if (changed.parentId !== null && changed.parentId !== survivor.parentId) this.#requireParent(changed)
    const after = { ...changed, version, updatedBy: request.actor }
    const customer = this.#keep(request, 'customer.unmerged', survivor, after)
    this.stays.push({
      guests: [sourceId, ...earlier],
      host: survivor.id,
      fromVersion: merge.version,
      untilVersion: version,
    })
    this.#forgetMerge(sourceId, merge)
    const externalIds = source.archived ? [] : [source.externalId, ...back.map(({ name }) => name).toSorted()]
    const moved = { externalIds, children: children.length, metadata, kept: [...new Set(kept)].toSorted() }
    return { effect: 'unmerged' as const, customer, source: restored, moved }
  }

  /** A later merge into the same customer may have found a value of this one: it is to bring back the one from before both. */
  #forgetMerge(sourceId: string, { into, gave }: ModelMerge): void {
    const order = [...this.merges.keys()]
    for (const [id, later] of this.merges) {
      if (later.into !== into || this.customers.get(id)?.mergedInto !== into) continue
      if (order.indexOf(id) <= order.indexOf(sourceId)) continue
      const patched = later.gave.map((one) => {
        const own = gave.find(({ place, name }) => place === one.place && name === one.name)
        return own && isSame(own.after, one.before) ? { ...one, before: own.before } : one
      })
      this.merges.set(id, { ...later, gave: patched })
    }
    this.merges.delete(sourceId)
  }

  #isTakenBut(id: string, { integrations }: ModelCustomer): boolean {
    const others = this.#live().filter((other) => other.id !== id)
    return others.some((other) => other.integrations.some((one) => integrations.some((own) => isSameEntity(own, one))))
  }

  /** Returns whether a former external id goes back: it still leads there because of the merge, or nobody has it. */
  #isBack(name: string, survivorId: string, from: string[]): boolean {
    const alias = this.aliases.get(name)
    if (!alias) return !this.#holder(name)
    return alias.of === survivorId && from.includes(alias.from ?? '')
  }

  #isOwnAlias(name: string, id: string): boolean {
    const alias = this.aliases.get(name)
    return alias?.of === id && alias.from === null
  }

  #above({ parentId }: ModelCustomer): string[] {
    const above: string[] = []
    for (let at = parentId; at !== null; at = this.customers.get(at)?.parentId ?? null) above.push(at)
    return above
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
    return 'id' in parent ? this.#followed(parent.id) : (this.#holder(parent.externalId)?.id ?? '')
  }

  #requireParent({ id, parentId }: ModelCustomer): void {
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

  #requireIntegrations({ id, integrations }: ModelCustomer): void {
    const isTheirs = (theirs: ModelCustomer) =>
      theirs.integrations.some((each) =>
        integrations.some((own) => own.provider === each.provider && own.id === each.id),
      )
    if (this.#live().some((other) => other.id !== id && isTheirs(other))) {
      throw new Refusal({ reason: 'integration_taken' })
    }
  }

  #requireNoChildren({ id }: ModelCustomer): void {
    if (this.childrenOf(id).length > 0) throw new Refusal({ reason: 'has_children' })
  }

  #holder(externalId: string): ModelCustomer | undefined {
    return this.#live().find((customer) => customer.externalId === externalId)
  }

  #live(): ModelCustomer[] {
    return [...this.customers.values()].filter(({ archived }) => !archived)
  }

  #forgetAliases(id: string): void {
    for (const [externalId, { of }] of this.aliases) if (of === id) this.aliases.delete(externalId)
  }

  #next(request: Request, type: string, before: ModelCustomer, after: ModelCustomer): ModelCustomer {
    return this.#keep(request, type, before, { ...after, version: before.version + 1, updatedBy: request.actor })
  }

  #keep(
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

function isSameEntity(a: { provider: string; id: string }, b: { provider: string; id: string }): boolean {
  return a.provider === b.provider && a.id === b.id
}

/** Returns the values in which a customer differs after a merge. */
function given(before: ModelCustomer, after: ModelCustomer): ModelMerge['gave'] {
  const places = {
    fields: [[...TEXTS, 'timezone', 'parentId'], before, after],
    metadata: [Object.keys(after.metadata), before.metadata, after.metadata],
    profile: [Object.keys(after.profile), before.profile, after.profile],
  } as const
  return Object.entries(places).flatMap(([place, [names, old, now]]) => {
    const valueIn = (at: object, name: string) => (at as Record<string, unknown>)[name] ?? null
    return names
      .map((name) => ({
        place: place as keyof typeof places,
        name,
        before: valueIn(old, name),
        after: valueIn(now, name),
      }))
      .filter((one) => !isSame(one.before, one.after))
  })
}

function requireVersion({ version }: ModelCustomer, ifVersion: number | null): void {
  if (ifVersion !== null && ifVersion !== version) {
    throw new Refusal({ reason: 'version_conflict', currentVersion: version })
  }
}

function requireMetadata({ metadata }: ModelCustomer): void {
  if (Object.keys(metadata).length <= METADATA_KEYS_MAX) return
  throw new Refusal({ reason: 'metadata_too_many_keys', keysMax: METADATA_KEYS_MAX })
}

function taken({ externalId, id }: ModelCustomer): Refusal {
  return new Refusal({ reason: 'external_id_taken', externalId, customerId: id })
}

function mergedAway({ id, mergedInto }: ModelCustomer): Refusal {
  return new Refusal({ reason: 'merged', customerId: id, mergedInto: mergedInto ?? '' })
}

function notFound(): Refusal {
  return new Refusal({ reason: 'not_found', resource: 'customer' })
}
