/** The rules of the model for merges of two customers: the values that move, and those that an unmerge takes back. */
import type { MergePreference } from '../../../src/registry/merge.ts'
import { type Model, moveOf } from './model.ts'
import { isSame, type ModelCustomer, type ModelMerge, merged, type Request, TEXTS } from './model-types.ts'
import { Refusal, requireMetadata, requireVersion, taken } from './refusals.ts'

export function merge(
  model: Model,
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
  const survivor = model.byId(into)
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
  const isAbove = above(model, source).includes(survivor.id)
  if (survivor.parentId === source.id) changed.parentId = source.parentId
  else if (isLive && !isAbove && takes(survivor.parentId, source.parentId)) changed.parentId = source.parentId
  const [first, last] = prefer === 'source' ? [survivor, source] : [source, survivor]
  changed.metadata = { ...first.metadata, ...last.metadata }
  changed.profile = merged(first.profile, last.profile)
  if (isLive) changed.integrations = [...survivor.integrations, ...source.integrations]
  const children = model.childrenOf(source.id).filter(({ id }) => id !== survivor.id)
  const names = [...model.aliases].filter(([, { of }]) => of === source.id).map(([externalId]) => externalId)
  const externalIds = isLive ? [source.externalId, ...names.toSorted()] : []
  const version = Math.max(source.version, survivor.version) + 1
  model.merges.set(source.id, {
    into: survivor.id,
    version,
    source,
    gave: given(survivor, changed),
    names: isLive ? names.map((name) => ({ name, from: model.aliases.get(name)?.from ?? null })) : [],
    children: children.map(({ id }) => id),
    earlier: [...model.customers.values()].filter(({ mergedInto }) => mergedInto === source.id).map(({ id }) => id),
  })

  model.customers.set(source.id, { ...source, archived: true, mergedInto: survivor.id })
  for (const earlier of model.customers.values()) {
    if (earlier.mergedInto === source.id) model.customers.set(earlier.id, { ...earlier, mergedInto: survivor.id })
  }
  for (const externalId of names) {
    const from = model.aliases.get(externalId)?.from ?? source.id
    model.aliases.set(externalId, { of: survivor.id, from })
  }
  if (isLive) model.aliases.set(source.externalId, { of: survivor.id, from: source.id })
  requireMetadata(changed)
  if (changed.parentId !== null && changed.parentId !== survivor.parentId) model.requireParent(changed)
  const after = { ...changed, version, updatedBy: request.actor }
  const customer = model.keep(request, 'customer.merged', survivor, after)
  for (const child of children) {
    const moved = { ...child, parentId: survivor.id }
    model.requireParent(moved)
    moveChild(model, request, child, moved)
  }
  const isGiven = (key: string) => survivor.metadata[key] !== changed.metadata[key]
  const moved = { externalIds, children: children.length, metadata: Object.keys(source.metadata).filter(isGiven) }
  return { effect: 'merged' as const, customer, moved }
}

export function unmerge(
  model: Model,
  request: Request,
  survivor: ModelCustomer,
  { source: sourceId, ifVersion }: { source: string; ifVersion: number | null },
) {
  requireVersion(survivor, ifVersion)
  const invalid = new Refusal({ reason: 'invalid_input', problems: [] })
  if (model.customers.get(sourceId)?.mergedInto !== survivor.id) throw invalid
  if (survivor.archived) throw new Refusal({ reason: 'archived', customerId: survivor.id })
  const merge = model.merges.get(sourceId)
  if (!merge) throw new Error('the model keeps every merge')
  if (merge.into !== survivor.id) throw new Refusal({ reason: 'unmerge_order', sourceId, firstId: '' })
  const { source, gave, names, earlier } = merge
  const holder = model.holder(source.externalId)
  if (!source.archived && holder) throw taken(holder)
  if (!source.archived && isTakenBut(model, survivor.id, source)) throw new Refusal({ reason: 'integration_taken' })
  const kept: string[] = []
  const placeOf = (id: string | null) => {
    const place = id === null ? null : model.customers.get(model.followed(id))
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
          model.followed(String(before)) === survivor.id)
    const what = place === 'fields' ? name : place === 'metadata' ? `metadata ${name}` : 'profile'
    if (!isSame(at[name] ?? null, after)) kept.push(`${survivor.id} ${what} changed`)
    else if (isGone) kept.push(`${survivor.id} ${what} gone`)
    else {
      if (place === 'metadata') metadata.push(name)
      if (before === null && place !== 'fields') delete at[name]
      else at[name] = isParent && before !== null && before !== sourceId ? model.followed(String(before)) : before
    }
  }

  const back = names.filter(({ name }) => isBack(model, name, survivor.id, [sourceId, ...earlier]))
  for (const { name } of names) {
    if (back.some((one) => one.name === name)) continue
    const isOwn = survivor.externalId === name || isOwnAlias(model, name, survivor.id)
    kept.push(`${sourceId} formerIds ${name} ${isOwn ? 'changed' : 'taken'}`)
  }
  const isChild = (id: string) => {
    const child = model.customers.get(id)
    return child?.parentId === survivor.id && !child.erased && child.mergedInto === null
  }
  const children = merge.children.filter(isChild)
  for (const id of merge.children) if (!children.includes(id)) kept.push(`${id} parentId changed`)

  const version = Math.max(source.version, survivor.version) + 1
  const again = { ...source, parentId, version, updatedBy: request.actor }
  if (!again.archived && again.parentId !== null) model.requireParent({ ...again })
  const restored = model.keep(request, 'customer.restored', source, again)
  if (!source.archived) model.aliases.delete(source.externalId)
  for (const { name, from } of back) model.aliases.set(name, { of: sourceId, from })
  for (const id of earlier)
    model.customers.set(id, { ...(model.customers.get(id) as ModelCustomer), mergedInto: sourceId })
  for (const id of children) {
    const child = model.customers.get(id) as ModelCustomer
    const moved = { ...child, parentId: sourceId }
    if (!child.archived) model.requireParent(moved)
    moveChild(model, request, child, moved)
  }
  if (changed.parentId !== null && changed.parentId !== survivor.parentId) model.requireParent(changed)
  const after = { ...changed, version, updatedBy: request.actor }
  const customer = model.keep(request, 'customer.unmerged', survivor, after)
  model.stays.push({
    guests: [sourceId, ...earlier],
    host: survivor.id,
    fromVersion: merge.version,
    untilVersion: version,
  })
  forgetMerge(model, sourceId, merge)
  const externalIds = source.archived ? [] : [source.externalId, ...back.map(({ name }) => name).toSorted()]
  const moved = { externalIds, children: children.length, metadata, kept: [...new Set(kept)].toSorted() }
  return { effect: 'unmerged' as const, customer, source: restored, moved }
}

/** A later merge into the same customer may have found a value of this one: it is to bring back the one from before both. */
function forgetMerge(model: Model, sourceId: string, { into, gave }: ModelMerge): void {
  const order = [...model.merges.keys()]
  for (const [id, later] of model.merges) {
    if (later.into !== into || model.customers.get(id)?.mergedInto !== into) continue
    if (order.indexOf(id) <= order.indexOf(sourceId)) continue
    const patched = later.gave.map((one) => {
      const own = gave.find(({ place, name }) => place === one.place && name === one.name)
      return own && isSame(own.after, one.before) ? { ...one, before: own.before } : one
    })
    model.merges.set(id, { ...later, gave: patched })
  }
  model.merges.delete(sourceId)
}

function isTakenBut(model: Model, id: string, { integrations }: ModelCustomer): boolean {
  const others = model.live().filter((other) => other.id !== id)
  return others.some((other) => other.integrations.some((one) => integrations.some((own) => isSameEntity(own, one))))
}

/** Returns whether a former external id goes back: it still leads there because of the merge, or nobody has it. */
function isBack(model: Model, name: string, survivorId: string, from: string[]): boolean {
  const alias = model.aliases.get(name)
  if (!alias) return !model.holder(name)
  return alias.of === survivorId && from.includes(alias.from ?? '')
}

function isOwnAlias(model: Model, name: string, id: string): boolean {
  const alias = model.aliases.get(name)
  return alias?.of === id && alias.from === null
}

function above(model: Model, { parentId }: ModelCustomer): string[] {
  const above: string[] = []
  for (let at = parentId; at !== null; at = model.customers.get(at)?.parentId ?? null) above.push(at)
  return above
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

function moveChild(model: Model, request: Request, child: ModelCustomer, moved: ModelCustomer): void {
  const { id: customerId, version } = model.next(request, 'customer.updated', child, moved)
  model.moves.add(moveOf({ customerId, version }))
}
