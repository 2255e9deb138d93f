/**
 * The rules of a merge: what of one customer, the source, goes to another one, the survivor. Pure. The database keeps
 * the rules that need other rows, such as those of parents, when the merge is made.
 */
import { canonicalJson } from '../shared/canonical-json.ts'
import { type Customer, type CustomerChanges, DEFAULT_TIMEZONE, LIMITS } from './customer.ts'
import type { CustomerFieldName, OptionalTextField } from './customer-fields.ts'
import type { Outcome } from './errors.ts'

/** The fields for which a caller may choose a side. The parts of an address stay together. */
export const MERGE_FIELDS = [
  'name',
  'email',
  'contact',
  'address',
  'timezone',
  'parent',
  'metadata',
  'profile',
] as const
export type MergeField = (typeof MERGE_FIELDS)[number]

/** The customer whose value is kept where both have one. */
export type MergeSide = 'target' | 'source'

/** One side for all fields, or for some of them; `target` for the others. */
export type MergePreference = MergeSide | Partial<Record<MergeField, MergeSide>>

/**
 * The bounds of a merge. It is one transaction, and its rows are as many as those of a piece of an import at most: some
 * seven for each child.
 */
export const MERGE_BOUNDS = {
  childrenMax: 200,
  formerIdsMax: 100,
  /** Customers that one stands for, at all levels. Erasing it erases them too. */
  mergedMax: 100,
} as const

/** The things that a merge would move too many of, and how many there may be. */
export interface MergeExcess {
  what: 'children' | 'former_external_ids' | 'integrations' | 'merged_customers'
  max: number
}

/** The result of a merge, for the caller and the event. */
export interface MergeReport {
  sourceId: string
  survivorId: string
  /** The external id of the source and its former ones. */
  externalIds: string[]
  integrations: { provider: string; id: string }[]
  /** The number of customers that got another parent. */
  children: number
  /** The fields that the survivor got from the source, or gave back. */
  fields: CustomerFieldName[]
  /** The same of its metadata, by key. */
  metadata: string[]
}

/** A former external id, and the customer that had it before it was merged into the one that has it now. */
export interface FormerId {
  externalId: string
  mergedFrom: string | null
}

export interface Given<Value> {
  before: Value
  after: Value
}

/** Fields of one text that a merge can give. */
export type GivenField = OptionalTextField | 'timezone' | 'parentId'

/** The things that the survivor got, with what it had before: all that is needed to take them back. */
export interface MergeGift {
  /** When the source had been archived; null if it was not. */
  archivedAtMs: number | null
  fields: Partial<Record<GivenField, Given<string | null>>>
  metadata: Record<string, Given<string | null>>
  /** By the groups of the profile. */
  profile: Record<string, Given<unknown>>
  integrations: { provider: string; id: string }[]
  formerIds: FormerId[]
  children: string[]
  /** The customers that were merged into the source before. */
  mergedIds: string[]
}

/** The stored facts around the two customers of a merge. */
export interface MergeFacts {
  /** When the source was archived; null if it is not. */
  archivedAtMs: number | null
  /** The children of the source that are not archived, one more than may be moved at most. */
  children: readonly string[]
  /** The customers above the source. */
  ancestors: readonly string[]
  formerIds: readonly FormerId[]
  /** The customers that were merged into the source, and the number of those merged into the survivor. */
  mergedIds: readonly string[]
  mergedIntoSurvivor: number
}

export interface MergePlan {
  sourceId: string
  survivorId: string
  /** The versions that the plan was made from. */
  sourceVersion: number
  survivorVersion: number
  /**
   * The version of the survivor afterwards. It is above every version that a reader of either id has seen, so that an
   * etag of the source never passes for one of the survivor.
   */
  nextVersion: number
  changes: CustomerChanges
  /** The survivor afterwards, but for its stamps. */
  survivor: Customer
  /** The children that move, without the survivor. */
  children: string[]
  mergedIds: string[]
  gift: MergeGift
  report: MergeReport
}

const ADDRESS = [
  'addressLine1',
  'addressLine2',
  'addressCity',
  'addressState',
  'addressPostalCode',
  'addressCountry',
] as const

/** Returns the plan of a merge, or why the source cannot be merged into the survivor. */
export function planMerge(
  source: Customer,
  survivor: Customer,
  facts: MergeFacts,
  prefer: MergePreference,
): Outcome<{ plan: MergePlan }> {
  const isArchived = facts.archivedAtMs !== null
  const integrations = isArchived ? [] : source.integrations
  const excess = excessOf(facts, survivor.integrations.length + integrations.length)
  if (excess) return { ok: false, failure: { reason: 'merge_too_large', ...excess } }

  const children = facts.children.filter((id) => id !== survivor.id)
  const fields = givenFields(source, survivor, facts, prefer)
  const metadata = givenMetadata(source.metadata, survivor.metadata, sideOf(prefer, 'metadata'))
  const profile = unitedProfile(source.profile, survivor.profile, sideOf(prefer, 'profile'))
  const groups = givenGroups(survivor.profile, profile)
  const formerIds = isArchived ? [] : [...facts.formerIds]
  const externalIds = isArchived ? [] : [source.externalId, ...formerIds.map(({ externalId }) => externalId)]
  const entities = integrations.map(({ provider, id }) => ({ provider, id }))
  const united = {
    ...valuesAfter(fields),
    metadata: { ...survivor.metadata, ...afterOf(metadata) } as Record<string, string>,
    integrations: [...survivor.integrations, ...integrations],
    profile,
  }
  const nextVersion = Math.max(source.version, survivor.version) + 1
  return {
    ok: true,
    plan: {
      sourceId: source.id,
      survivorId: survivor.id,
      sourceVersion: source.version,
      survivorVersion: survivor.version,
      nextVersion,
      changes: {
        ...changesOf(fields),
        ...(Object.keys(metadata).length > 0 && { metadata: { replace: united.metadata } }),
        ...(integrations.length > 0 && { integrations: united.integrations }),
        ...(Object.keys(groups).length > 0 && { profile }),
      },
      survivor: { ...survivor, ...united, version: nextVersion },
      children,
      mergedIds: [...facts.mergedIds],
      gift: {
        archivedAtMs: facts.archivedAtMs,
        fields,
        metadata,
        profile: groups,
        integrations: entities,
        formerIds,
        children,
        mergedIds: [...facts.mergedIds],
      },
      report: {
        sourceId: source.id,
        survivorId: survivor.id,
        externalIds,
        integrations: entities,
        children: children.length,
        fields: [
          ...(Object.keys(fields) as GivenField[]),
          ...(Object.keys(groups).length > 0 ? (['profile'] as const) : []),
        ],
        metadata: Object.keys(metadata),
      },
    },
  }
}

function excessOf(facts: MergeFacts, integrations: number): MergeExcess | null {
  const { childrenMax, formerIdsMax, mergedMax } = MERGE_BOUNDS
  const { integrationsMax } = LIMITS
  if (facts.children.length > childrenMax) return { what: 'children', max: childrenMax }
  if (facts.formerIds.length > formerIdsMax) return { what: 'former_external_ids', max: formerIdsMax }
  if (integrations > integrationsMax) return { what: 'integrations', max: integrationsMax }
  const merged = facts.mergedIds.length + 1 + facts.mergedIntoSurvivor
  return merged > mergedMax ? { what: 'merged_customers', max: mergedMax } : null
}

function sideOf(prefer: MergePreference, field: MergeField): MergeSide {
  return typeof prefer === 'string' ? prefer : (prefer[field] ?? 'target')
}

function givenFields(
  source: Customer,
  survivor: Customer,
  { archivedAtMs, ancestors }: MergeFacts,
  prefer: MergePreference,
): MergeGift['fields'] {
  const given: MergeGift['fields'] = {}
  const give = (name: GivenField) => {
    if (source[name] !== survivor[name]) given[name] = { before: survivor[name], after: source[name] }
  }
  for (const name of ['name', 'email', 'contact'] as const) {
    if (source[name] !== null && (survivor[name] === null || sideOf(prefer, name) === 'source')) give(name)
  }
  const hasAddress = (customer: Customer) => ADDRESS.some((name) => customer[name] !== null)
  if (hasAddress(source) && (!hasAddress(survivor) || sideOf(prefer, 'address') === 'source')) ADDRESS.forEach(give)
  const isSet = ({ timezone }: Customer) => timezone !== DEFAULT_TIMEZONE
  if (isSet(source) && (!isSet(survivor) || sideOf(prefer, 'timezone') === 'source')) give('timezone')
  // A child of the source takes its place. Any other survivor below or above the source keeps its own place, because the
  // source has none that it could have.
  const isBelow = survivor.parentId === source.id
  const hasPlace = source.parentId !== null && archivedAtMs === null && !ancestors.includes(survivor.id)
  if (isBelow || (hasPlace && (survivor.parentId === null || sideOf(prefer, 'parent') === 'source'))) give('parentId')
  return given
}

function givenMetadata(
  source: Record<string, string>,
  survivor: Record<string, string>,
  side: MergeSide,
): MergeGift['metadata'] {
  const entries = Object.entries(source).filter(
    ([key, value]) => !Object.hasOwn(survivor, key) || (side === 'source' && survivor[key] !== value),
  )
  return Object.fromEntries(
    entries.map(([key, after]) => [
      key,
      { before: Object.hasOwn(survivor, key) ? (survivor[key] ?? null) : null, after },
    ]),
  )
}

/** Returns the groups of the profile whose value is another one. */
function givenGroups(before: Record<string, unknown>, after: Record<string, unknown>): MergeGift['profile'] {
  const differing = Object.keys(after).filter((group) => canonicalJson(before[group]) !== canonicalJson(after[group]))
  return Object.fromEntries(differing.map((group) => [group, { before: before[group] ?? null, after: after[group] }]))
}

/** Returns both, with the values of one side where both have one. A list is one value. */
function unitedProfile(
  source: Record<string, unknown>,
  survivor: Record<string, unknown>,
  side: MergeSide,
): Record<string, unknown> {
  return side === 'source' ? over(survivor, source) : over(survivor, over(source, survivor))
}

/** Lays values over others. The keys of `base` come first. */
function over(base: Record<string, unknown>, top: Record<string, unknown>): Record<string, unknown> {
  const laid = Object.entries(top).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(base, key) ? base[key] : undefined
    return [key, isGroup(below) && isGroup(value) ? over(below, value) : value]
  })
  return { ...base, ...Object.fromEntries(laid) }
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function afterOf<Value>(given: Record<string, Given<Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(given).map(([key, { after }]) => [key, after]))
}

function valuesAfter(fields: MergeGift['fields']): Partial<Customer> {
  return afterOf(fields as Record<string, Given<string | null>>) as Partial<Customer>
}

function changesOf(fields: MergeGift['fields']): CustomerChanges {
  const { parentId, ...others } = valuesAfter(fields)
  if (fields.parentId === undefined) return others as CustomerChanges
  return { ...(others as CustomerChanges), parent: parentId ? { id: parentId } : null }
}
