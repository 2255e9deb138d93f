/**
 * A merge of two customers on the screen: what both have, and what moves, in sentences. Pure. The API decides; this only says
 * it.
 */
import type { V1Customer } from 'roster/client'
import { type Change, fieldLabel } from './changes.ts'
import { changesBetween, valuesOf } from './edit.ts'
import { count } from './format.ts'

export type Side = 'target' | 'source'
export type Preferences = Partial<Record<MergeField, Side>>

/** The fields for which the API takes a side, as far as the v1 API shows them. */
const TEXTS = ['name', 'email', 'contact', 'timezone', 'parent_customer_id'] as const
const ADDRESS = [
  'address_line1',
  'address_line2',
  'address_postal_code',
  'address_city',
  'address_state',
  'address_country',
] as const
/** The time zone of a customer that has none of its own: it gives way to any other. */
const NO_TIMEZONE = 'UTC'

export type MergeField = (typeof TEXTS)[number] | 'address' | 'metadata'

export interface Both {
  field: MergeField
  label: string
  target: string
  source: string
}

/** Returns the fields in which both have a value, and not the same: there, somebody chooses. */
export function bothHave(target: V1Customer, source: V1Customer): Both[] {
  const keys = Object.keys(source.metadata).filter((key) => Object.hasOwn(target.metadata, key))
  const unlike = keys.filter((key) => target.metadata[key] !== source.metadata[key])
  const metadataOf = ({ metadata }: V1Customer) => unlike.map((key) => `${key}: ${metadata[key]}`).join(', ')
  const all: Both[] = [
    ...TEXTS.map((field) => ({
      field,
      label: fieldLabel(field),
      target: textOf(target, field),
      source: textOf(source, field),
    })),
    { field: 'address', label: 'Address', target: addressOf(target), source: addressOf(source) },
    { field: 'metadata', label: 'Metadata', target: metadataOf(target), source: metadataOf(source) },
  ]
  return all.filter(({ target, source }) => target !== '' && source !== '' && target !== source)
}

function textOf(customer: V1Customer, field: (typeof TEXTS)[number]): string {
  const value = customer[field] ?? ''
  return field === 'timezone' && value === NO_TIMEZONE ? '' : value
}

function addressOf(customer: V1Customer): string {
  return ADDRESS.map((field) => customer[field])
    .filter((part) => part !== '')
    .join(', ')
}

export interface Moved {
  external_ids: string[]
  integrations: { provider: string; id: string }[]
  children: number
}

/** Returns what a merge moves beside the values of fields, a sentence each. */
export function movesOf({ external_ids: ids, integrations, children }: Moved): string[] {
  const entities = integrations.map(({ provider, id }) => `${provider} ${id}`)
  return [
    ...(ids.length > 0 ? [`${count(ids.length, 'external id')}: ${ids.join(', ')}`] : []),
    ...(entities.length > 0 ? [`${count(entities.length, 'integration')}: ${entities.join(', ')}`] : []),
    ...(children > 0 ? [count(children, 'child', 'children')] : []),
  ]
}

/** Returns the values of the survivor that change. A key without the scope `customers:read` is shown none. */
export function changesOfSurvivor(survivor: V1Customer, after: object): Change[] {
  return 'metadata' in after ? changesBetween(valuesOf(survivor), valuesOf(after as V1Customer)) : []
}

export interface Kept {
  customer_id: string
  field: string
  name: string | null
  reason: 'changed' | 'taken' | 'gone'
}

const KEPT_REASONS: Record<Kept['reason'], string> = {
  changed: 'somebody has changed it since',
  taken: 'another customer has it now, or had it since',
  gone: 'the customer that it names is archived, erased or merged',
}

/** Returns what stays as it is when a merge is taken back, and why, a sentence each. */
export function keptTexts(
  kept: readonly Kept[],
  { sourceId, survivorId, survivorName }: { sourceId: string; survivorId: string; survivorName: string },
): string[] {
  const owners: Record<string, string> = { [sourceId]: 'the customer that comes back', [survivorId]: survivorName }
  return kept.map(({ customer_id: id, field, name, reason }) => {
    const label =
      field === 'old_external_ids' ? 'Former external id' : field === 'metadata' ? 'Metadata' : fieldLabel(field)
    const what = name === null ? label : `${label} ${name}`
    return `${what} of ${owners[id] ?? `the child ${id}`} stays as it is: ${KEPT_REASONS[reason]}.`
  })
}

const REASONS: Record<string, string> = {
  same_integration_entity: 'same entity of a provider',
  same_email: 'same e-mail address',
  same_name_and_postal_code: 'same name and postal code',
}

/** Returns why two customers may be the same, such as `same e-mail address`. */
export function reasonsText(reasons: readonly string[]): string {
  return reasons.map((reason) => REASONS[reason] ?? reason.replaceAll('_', ' ')).join(', ')
}
