/**
 * A form over a customer: what has changed, the merge patch that saves it, and what somebody else changed meanwhile. Pure.
 */
import type { Change } from './changes.ts'

/** The fields that a person edits, in the order of the form. */
export const EDITED_FIELDS = [
  'name',
  'external_id',
  'email',
  'contact',
  'address_line1',
  'address_line2',
  'address_postal_code',
  'address_city',
  'address_state',
  'address_country',
  'timezone',
  'parent_customer_id',
  'status',
] as const

export type EditedField = (typeof EDITED_FIELDS)[number]

/** Everything as text. An empty text is a field that is not set. Metadata has one entry a key. */
export interface Values {
  fields: Record<EditedField, string>
  metadata: Record<string, string>
}

/** Returns the values of a customer as the v1 API shows it. */
export function valuesOf(
  customer: { [Field in EditedField]: string | null } & { metadata: Record<string, string> },
): Values {
  const fields = Object.fromEntries(EDITED_FIELDS.map((field) => [field, customer[field] ?? '']))
  return { fields: fields as Values['fields'], metadata: { ...customer.metadata } }
}

/** Returns the fields that differ, each key of the metadata as `metadata.<key>`. A key that is gone is null after. */
export function changesBetween(before: Values, after: Values): Change[] {
  const fields = EDITED_FIELDS.map((field) => ({ field, before: before.fields[field], after: after.fields[field] }))
  const keys = [...new Set([...Object.keys(before.metadata), ...Object.keys(after.metadata)])]
  const entries = keys.map((key) => ({
    field: `metadata.${key}`,
    before: valueIn(before.metadata, key),
    after: valueIn(after.metadata, key),
  }))
  return [...fields, ...entries].filter((change) => change.before !== change.after)
}

/** Returns the body of the PATCH that makes the changes: only changed fields, and null for a key that is gone. */
export function patchOf(changes: readonly Change[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  const metadata: [string, unknown][] = []
  for (const { field, after } of changes) {
    if (field.startsWith('metadata.')) metadata.push([field.slice('metadata.'.length), after])
    else patch[field] = after === '' ? null : after
  }
  // An object from entries: `__proto__` is an ordinary key.
  return metadata.length === 0 ? patch : { ...patch, metadata: Object.fromEntries(metadata) }
}

export interface Conflict {
  field: string
  base: unknown
  theirs: unknown
  mine: unknown
}

/** Returns the fields that both have changed from `base`, each to something else. */
export function conflictsOf(base: Values, theirs: Values, mine: Values): Conflict[] {
  const changedByThem = new Map(changesBetween(base, theirs).map((change) => [change.field, change.after]))
  return changesBetween(base, mine)
    .filter(({ field, after }) => changedByThem.has(field) && changedByThem.get(field) !== after)
    .map(({ field, before, after }) => ({ field, base: before, theirs: changedByThem.get(field), mine: after }))
}

/**
 * Returns their values with my changes on top. A field that both have changed is mine, unless `keepTheirs` names it.
 */
export function rebased(base: Values, theirs: Values, mine: Values, keepTheirs: ReadonlySet<string>): Values {
  const fields = { ...theirs.fields }
  const metadata = new Map(Object.entries(theirs.metadata))
  for (const { field, after } of changesBetween(base, mine)) {
    if (keepTheirs.has(field)) continue
    if (!field.startsWith('metadata.')) fields[field as EditedField] = String(after)
    else if (after === null) metadata.delete(field.slice('metadata.'.length))
    else metadata.set(field.slice('metadata.'.length), String(after))
  }
  return { fields, metadata: Object.fromEntries(metadata) }
}

function valueIn(metadata: Record<string, string>, key: string): string | null {
  return Object.hasOwn(metadata, key) ? (metadata[key] ?? null) : null
}
