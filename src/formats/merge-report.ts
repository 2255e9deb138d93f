/**
 * The reports of merges and unmerges, as their events store and show them. An API shows the same under its own names.
 */
import { CUSTOMER_FIELD_NAMES, type CustomerFieldName, v1NameOf } from '../registry/customer-fields.ts'
import type { MergeReport } from '../registry/merge.ts'
import type { UnmergeReport } from '../registry/unmerge.ts'
import { isoTime } from '../shared/clock.ts'

/** The name that the v1 API gives the former external ids of a customer. */
const FORMER_IDS = 'old_external_ids'

/** The detail of `customer.merged`. */
export interface MergeDetail {
  source_id: string
  survivor_id: string
  moved: Moved
}

export interface Moved {
  external_ids: string[]
  integrations: { provider: string; id: string }[]
  children: number
  fields: string[]
  metadata: string[]
}

export function toMergeDetail(report: MergeReport): MergeDetail {
  return { source_id: report.sourceId, survivor_id: report.survivorId, moved: toMoved(report) }
}

export function toMoved({ externalIds, integrations, children, fields, metadata }: MergeReport): Moved {
  return { external_ids: externalIds, integrations, children, fields: fields.map(shownName), metadata }
}

/** The detail of `customer.unmerged`. `moved` went back to the source, and `kept` did not. */
export interface UnmergeDetail extends MergeDetail {
  merged_at: string
  kept: Kept[]
}

/** The detail of `customer.restored`, of a customer that is no longer merged into another one. */
export interface UnmergedDetail {
  survivor_id: string
  merged_at: string
}

/** The detail of `customer.updated`, of a child that a merge or an unmerge has given another parent. */
export interface MovedChildDetail {
  source_id: string
  survivor_id: string
}

export interface Kept {
  customer_id: string
  field: string
  name: string | null
  reason: 'changed' | 'taken' | 'gone'
}

export function toUnmergeDetail(report: UnmergeReport): UnmergeDetail {
  return { ...toMergeDetail(report), merged_at: isoTime(report.mergedAtMs), kept: toKept(report) }
}

export function toUnmergedDetail({ survivorId, mergedAtMs }: UnmergeReport): UnmergedDetail {
  return { survivor_id: survivorId, merged_at: isoTime(mergedAtMs) }
}

export function toMovedChildDetail({ sourceId, survivorId }: MergeReport): MovedChildDetail {
  return { source_id: sourceId, survivor_id: survivorId }
}

export function toKept({ kept }: UnmergeReport): Kept[] {
  return kept.map(({ customerId, field, name, reason }) => ({
    customer_id: customerId,
    field: field === 'formerIds' ? FORMER_IDS : shownName(field),
    name,
    reason,
  }))
}

/** Returns the report that a detail was made from. */
export function reportOfUnmergeDetail(detail: UnmergeDetail): UnmergeReport {
  const kept = detail.kept.map(({ customer_id: customerId, field, name, reason }) => ({
    customerId,
    field: field === FORMER_IDS ? ('formerIds' as const) : fieldOf(field),
    name,
    reason,
  }))
  return { ...reportOfDetail(detail), mergedAtMs: Date.parse(detail.merged_at), kept }
}

function fieldOf(shown: string): CustomerFieldName {
  const name = CUSTOMER_FIELD_NAMES.find((known) => shownName(known) === shown)
  if (!name) throw new Error(`no field is shown as ${shown}`)
  return name
}

/** Returns the report that a detail was made from. */
export function reportOfDetail({ source_id, survivor_id, moved }: MergeDetail): MergeReport {
  return {
    sourceId: source_id,
    survivorId: survivor_id,
    externalIds: moved.external_ids,
    integrations: moved.integrations,
    children: moved.children,
    fields: CUSTOMER_FIELD_NAMES.filter((name) => moved.fields.includes(shownName(name))),
    metadata: moved.metadata,
  }
}

/** The profile has no name in the v1 API, but changes of it are named. */
function shownName(name: CustomerFieldName): string {
  return v1NameOf(name) ?? name
}
