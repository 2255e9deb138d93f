/**
 * The rules of an unmerge, which takes a merge back: the source comes back as it was, and the survivor loses what it got
 * from it, each value by itself, unless somebody has changed it since. Pure. The database keeps the rules that need other
 * rows when the unmerge is made.
 */
import { canonicalJson } from '../shared/canonical-json.ts'
import { DAY_MS } from '../shared/durations.ts'
import type { Customer, CustomerChanges, Integration } from './customer.ts'
import type { CustomerFieldName } from './customer-fields.ts'
import { fail, type Outcome, ruledOut } from './errors.ts'
import type { FormerId, Given, GivenField, MergeGift, MergeReport } from './merge.ts'

/** A merge can be taken back for so long. */
export const UNMERGE_TTL_MS = 30 * DAY_MS

/**
 * A value that stays where the merge put it, and why: somebody has changed it since, another customer has it by now, or
 * the customer that it names is not to be had any more.
 */
export interface KeptPart {
  /** The customer whose field it is. */
  customerId: string
  field: CustomerFieldName | 'formerIds'
  /** The key of the metadata, or the former external id. */
  name: string | null
  reason: 'changed' | 'taken' | 'gone'
}

/** The result of an unmerge, for the caller and the event. The report says what went back to the source. */
export interface UnmergeReport extends MergeReport {
  mergedAtMs: number
  kept: KeptPart[]
}

/** Where the id of a parent leads: to itself, or to the customer that it was merged into. Null: it is erased. */
export type ParentPlace = { id: string; isArchived: boolean } | null

/** The stored facts around the two customers of an unmerge. */
export interface UnmergeFacts {
  /** The change that was the merge. */
  mergeChangeId: string
  mergedAtMs: number
  gift: MergeGift
  /** The customers that a live source needs what they have for: its external id, one of its entities. */
  externalIdHolder: string | null
  isEntityTaken: boolean
  /** Children that still belong to the survivor, and former external ids that are free or still lead to it. */
  children: readonly string[]
  formerIds: readonly string[]
  /** Former external ids that the survivor has had as its own since. */
  survivorsOwn: readonly string[]
  /** The places of the parent of the source, and of the one that the survivor had before. */
  sourceParent: ParentPlace
  formerParent: ParentPlace
  /** The two lists as D1 found them, for the commit to find the same. */
  found: { children: string; formerIds: string }
}

export interface UnmergePlan {
  sourceId: string
  survivorId: string
  mergeChangeId: string
  /** The versions that the plan was made from. */
  sourceVersion: number
  survivorVersion: number
  /** The version of both afterwards: above every version that a reader of either id has seen. */
  nextVersion: number
  /** The parent that the source had and the one that it comes back with, if they differ. */
  sourceParent?: { before: string; after: string | null }
  changes: CustomerChanges
  /** Both afterwards, but for their stamps. */
  source: Customer
  survivor: Customer
  /** The children and the former external ids that go back. */
  children: string[]
  formerIds: FormerId[]
  mergedIds: string[]
  gift: MergeGift
  /** The two lists as D1 found them: the commit is refused if it finds others. */
  found: { children: string; formerIds: string }
  report: UnmergeReport
}

/** Returns the plan of an unmerge, or why the source cannot come back. `source` is what it was before the merge. */
export function planUnmerge(source: Customer, survivor: Customer, facts: UnmergeFacts): Outcome<{ plan: UnmergePlan }> {
  const { gift, mergedAtMs, externalIdHolder, isEntityTaken, sourceParent } = facts
  const isLive = gift.archivedAtMs === null
  if (isLive && externalIdHolder !== null) {
    return fail({ reason: 'external_id_taken', externalId: source.externalId, customerId: externalIdHolder })
  }
  if (isLive && isEntityTaken) return fail({ reason: 'integration_taken' })
  const needsParent = isLive && source.parentId !== null
  if (needsParent && sourceParent?.isArchived) {
    const message = `belonged to ${sourceParent.id}, which is archived now`
    return fail(ruledOut('source', message, 'restore that customer first').failure)
  }

  const fields = fieldsBack(source, survivor, facts)
  const metadata = metadataBack(survivor, gift)
  const profile = profileBack(survivor, gift)
  const children = gift.children.filter((id) => facts.children.includes(id))
  const formerIds = gift.formerIds.filter(({ externalId }) => facts.formerIds.includes(externalId))
  const wasGiven = new Set(gift.integrations.map(entityOf))
  const integrations = survivor.integrations.filter((one) => !wasGiven.has(entityOf(one)))
  const parentId = needsParent ? (sourceParent?.id ?? null) : source.parentId
  const nextVersion = Math.max(source.version, survivor.version) + 1
  const { parentId: parent, ...others } = fields.values
  return {
    ok: true,
    plan: {
      sourceId: source.id,
      survivorId: survivor.id,
      mergeChangeId: facts.mergeChangeId,
      sourceVersion: source.version,
      survivorVersion: survivor.version,
      nextVersion,
      ...(source.parentId !== null &&
        parentId !== source.parentId && { sourceParent: { before: source.parentId, after: parentId } }),
      changes: {
        ...(others as CustomerChanges),
        ...(parent !== undefined && { parent: parent === null ? null : { id: parent } }),
        ...(metadata.keys.length > 0 && { metadata: { replace: metadata.value } }),
        ...(integrations.length < survivor.integrations.length && { integrations }),
        ...(profile.isChanged && { profile: profile.value }),
      },
      source: { ...source, parentId, version: nextVersion },
      survivor: {
        ...survivor,
        ...fields.values,
        metadata: metadata.value,
        integrations,
        profile: profile.value,
        version: nextVersion,
      },
      children,
      formerIds,
      mergedIds: gift.mergedIds,
      gift,
      found: facts.found,
      report: {
        sourceId: source.id,
        survivorId: survivor.id,
        mergedAtMs,
        externalIds: isLive ? [source.externalId, ...formerIds.map(({ externalId }) => externalId)] : [],
        integrations: gift.integrations,
        children: children.length,
        fields: [...(Object.keys(fields.values) as GivenField[]), ...(profile.isChanged ? (['profile'] as const) : [])],
        metadata: metadata.keys,
        kept: [
          ...fields.kept,
          ...metadata.kept,
          ...profile.kept,
          ...namesKept(source.id, facts),
          ...childrenKept(facts),
          ...(parentId === source.parentId ? [] : [keptOf(source.id, 'parentId', 'gone')]),
        ],
      },
    },
  }
}

/** The values of then that the survivor gets back, by field. */
function fieldsBack(source: Customer, survivor: Customer, { gift, formerParent }: UnmergeFacts) {
  const values: Partial<Customer> = {}
  const kept: KeptPart[] = []
  const sourcePlace = { id: source.id, isArchived: gift.archivedAtMs !== null }
  for (const [name, { before, after }] of Object.entries(gift.fields) as [GivenField, Given<string | null>][]) {
    if (survivor[name] !== after) {
      kept.push(keptOf(survivor.id, name, 'changed'))
    } else if (name !== 'parentId' || before === null) {
      Object.assign(values, { [name]: before })
    } else {
      const place = before === source.id ? sourcePlace : formerParent
      if (place && !place.isArchived && place.id !== survivor.id) values[name] = place.id
      else kept.push(keptOf(survivor.id, name, 'gone'))
    }
  }
  return { values, kept }
}

function metadataBack(survivor: Customer, { metadata }: MergeGift) {
  const value = { ...survivor.metadata }
  const keys: string[] = []
  const kept: KeptPart[] = []
  for (const [key, { before, after }] of Object.entries(metadata)) {
    if (!Object.hasOwn(value, key) || value[key] !== after) {
      kept.push(keptOf(survivor.id, 'metadata', 'changed', key))
      continue
    }
    keys.push(key)
    if (before === null) delete value[key]
    else value[key] = before
  }
  return { value, keys, kept }
}

/** A group of the profile is one value. */
function profileBack(survivor: Customer, { profile }: MergeGift) {
  const value = { ...survivor.profile }
  const isGiven = (group: string, after: unknown) => canonicalJson(value[group] ?? null) === canonicalJson(after)
  const groups = Object.entries(profile)
  const back = groups.filter(([group, { after }]) => isGiven(group, after))
  for (const [group, { before }] of back) {
    if (before === null) delete value[group]
    else value[group] = before
  }
  const kept = back.length < groups.length ? [keptOf(survivor.id, 'profile', 'changed')] : []
  return { value, isChanged: back.length > 0, kept }
}

function namesKept(sourceId: string, { gift, formerIds, survivorsOwn }: UnmergeFacts): KeptPart[] {
  const stay = gift.formerIds.filter(({ externalId }) => !formerIds.includes(externalId))
  return stay.map(({ externalId }) =>
    keptOf(sourceId, 'formerIds', survivorsOwn.includes(externalId) ? 'changed' : 'taken', externalId),
  )
}

function childrenKept({ gift, children }: UnmergeFacts): KeptPart[] {
  return gift.children.filter((id) => !children.includes(id)).map((id) => keptOf(id, 'parentId', 'changed'))
}

function keptOf(
  customerId: string,
  field: KeptPart['field'],
  reason: KeptPart['reason'],
  name: string | null = null,
): KeptPart {
  return { customerId, field, name, reason }
}

function entityOf({ provider, id }: Pick<Integration, 'provider' | 'id'>): string {
  return JSON.stringify([provider, id])
}
