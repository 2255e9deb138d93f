/**
 * A line of an import as the statements read it, and the SQL that these statements have in common. ?1 is the lines as
 * a JSON text, ?2 and ?3 are the tenant and the mode.
 */
import { type ImportLine, newIdOf } from '../../registry/bulk.ts'
import { creationTimeOf, DEFAULT_TIMEZONE } from '../../registry/customer.ts'
import { CUSTOMER_FIELDS, OPTIONAL_TEXT_FIELDS, type OptionalTextField } from '../../registry/customer-fields.ts'
import { canonicalJson } from '../../shared/canonical-json.ts'
import { asciiEmail } from '../../validation/email.ts'
import { foldsOf } from './given-columns.ts'

/** Has no property for a field that the line does not name. Documents are text, as they are stored. */
export interface StoredLine {
  id: string
  changeId?: string
  createdAtMs: number
  externalId: string
  onboarding: string | null
  parent?: { id?: string; ids?: string[]; externalId?: string | null } | null
  formerIds?: string[]
  archivedIds?: string[]
  [column: string]: unknown
}

/** Fields that a line can name besides the optional texts. */
const OTHER_FIELDS = ['timezone', 'parentId', 'metadata', 'integrations', 'profile', 'status'] as const
type ImportedField = OptionalTextField | (typeof OTHER_FIELDS)[number]

/**
 * A line names the parent by `parent`, which is an id or an external id. `emailAscii` follows from the e-mail address.
 * `folded` follows from the texts and is merged into what is there.
 */
export type Field = Exclude<ImportedField, 'parentId'> | 'parent' | 'emailAscii' | 'folded'

const IMPORTED_FIELDS: readonly ImportedField[] = [...OPTIONAL_TEXT_FIELDS, ...OTHER_FIELDS]
const inLine = (name: ImportedField): Field => (name === 'parentId' ? 'parent' : name)

/** The columns that take a value of the line, by the name of the field in the line. */
export const COLUMNS = Object.fromEntries([
  ...IMPORTED_FIELDS.map((name) => [inLine(name), CUSTOMER_FIELDS[name].column]),
  ['emailAscii', 'email_ascii'],
  ['folded', 'folded'],
]) as Record<Field, string>
/** The fields that a line sets: those it names, and the address with its domain in ASCII. */
export const FIELDS: readonly Field[] = [...IMPORTED_FIELDS.map(inLine), 'emailAscii']
/** The fields that an import writes. */
export const WRITTEN_FIELDS: readonly Field[] = [...FIELDS, 'folded']

/** Values of a new customer in fields that the line does not name. Other columns are null. */
export const DEFAULTS: Partial<Record<Field, string>> = Object.fromEntries([
  ...IMPORTED_FIELDS.flatMap((name) => {
    const field = CUSTOMER_FIELDS[name]
    return 'initial' in field ? [[inLine(name), field.initial]] : []
  }),
  ['folded', '{}'],
])

/**
 * The id of the parent. An external id stands for the customer that has it now. Without such a customer it is `''`,
 * which is no customer's id, so that the trigger refuses the line. Of several ids, the first that exists is meant.
 */
export const PARENT = `CASE
  WHEN l.value ->> '$.parent.id' IS NOT NULL THEN coalesce((
    SELECT p.merged_into FROM customers p WHERE p.tenant_id = ?2 AND p.mode = ?3 AND p.id = l.value ->> '$.parent.id'
  ), l.value ->> '$.parent.id')
  WHEN json_type(l.value, '$.parent') = 'object' THEN coalesce((
    SELECT p.id FROM json_each(l.value, '$.parent.ids') i CROSS JOIN customers p
      ON p.tenant_id = ?2 AND p.mode = ?3 AND p.id = i.value
    WHERE p.erased_at IS NULL AND p.merged_into IS NULL ORDER BY i.key LIMIT 1
  ), (
    SELECT p.id FROM customers p INDEXED BY customers_external_id
    WHERE p.tenant_id = ?2 AND p.mode = ?3 AND p.external_id = l.value ->> '$.parent.externalId' AND p.archived_at IS NULL
  ), '') END`

/** The id of an archived customer that exists under one of the ids of its line, whatever became of it; else null. */
const ARCHIVED = `(
    SELECT h.id FROM json_each(l.value, '$.archivedIds') i CROSS JOIN customers h
      ON h.tenant_id = ?2 AND h.mode = ?3 AND h.id = i.value
    ORDER BY i.key LIMIT 1
  )`

/**
 * The id of the customer that has the external id, or had it before if no other took it since; null if there is
 * neither. For an archived customer its ids count, because its external id is free.
 */
export const HOLDER = `iif(json_type(l.value, '$.archivedIds') IS NOT NULL, ${ARCHIVED}, coalesce((
    SELECT h.id FROM customers h INDEXED BY customers_external_id
    WHERE h.tenant_id = ?2 AND h.mode = ?3 AND h.external_id = l.value ->> '$.externalId' AND h.archived_at IS NULL
  ), (
    SELECT a.customer_id FROM customer_aliases a
    WHERE a.tenant_id = ?2 AND a.mode = ?3 AND a.external_id = l.value ->> '$.externalId'
  )))`

/** Joins the lines to the customers they are for, with the value that each field would get. */
export function withNewValues(fields: readonly Field[]): string {
  const values = fields.map((field) => {
    const given = field === 'parent' ? PARENT : `l.value ->> '$.${field}'`
    if (field === 'folded') return `json_patch(c.folded, coalesce(${given}, '{}')) AS new_folded`
    return `CASE WHEN json_type(l.value, '$.${field}') IS NULL THEN c.${COLUMNS[field]} ELSE ${given} END AS new_${COLUMNS[field]}`
  })
  return `WITH n AS MATERIALIZED (
    SELECT ${['c.tenant_id', 'c.mode', 'c.id', `l.value ->> '$.changeId' AS new_change_id`, ...values].join(', ')}
    FROM json_each(?1) l CROSS JOIN customers c
      ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = l.value ->> '$.id'
    WHERE c.archived_at IS NULL AND c.id = ${HOLDER}
  )`
}

/**
 * Takes the tenant from the line too. With the tenant as a bound value, SQLite would go through all of its customers.
 */
export const IS_CUSTOMER = 'customers.tenant_id = n.tenant_id AND customers.mode = n.mode AND customers.id = n.id'

/** Returns a condition: the customer of a line is not found by the former external id. */
export function isMissing(externalId: string): string {
  return `NOT EXISTS (
    SELECT 1 FROM customer_aliases a WHERE a.tenant_id = ?2 AND a.mode = ?3 AND a.external_id = ${externalId}
      AND a.customer_id = l.value ->> '$.id'
  )`
}

const NEW_VALUE = (field: Field) => `n.new_${COLUMNS[field]}`

/**
 * Compares the columns of `customers` with new values. Leaves `folded` out, because it differs only if its text does. Documents
 * are taken apart only if their texts differ.
 */
export function differences(
  fields: readonly Field[],
  { customers = 'customers', newValue = NEW_VALUE }: { customers?: string; newValue?: (field: Field) => string } = {},
): string {
  const differ = fields
    .filter((field) => field !== 'folded')
    .map((field) => {
      const [old, young] = [`${customers}.${COLUMNS[field]}`, newValue(field)]
      const textsDiffer = `${old} IS NOT ${young}`
      if (field === 'metadata') return `(${textsDiffer} AND ${inKeyOrder(old)} IS NOT ${inKeyOrder(young)})`
      if (field === 'profile') return `(${textsDiffer} AND ${leavesOf(old)} IS NOT ${leavesOf(young)})`
      return textsDiffer
    })
  return `(${['0', ...differ].join(' OR ')})`
}

/** Returns an expression for metadata with its keys sorted, because their order is no difference. */
function inKeyOrder(object: string): string {
  return `(SELECT json_group_array(json_array(key, value) ORDER BY key) FROM json_each(${object}))`
}

/** Returns an expression for a nested document that is the same whatever the order of its keys. */
function leavesOf(document: string): string {
  return `(SELECT json_group_array(json_array(fullkey, type, atom) ORDER BY fullkey) FROM json_tree(${document}))`
}

/** Returns the fields that some of the lines name. */
export function fieldsOf(lines: readonly ImportLine[]): Field[] {
  const isNamed = ({ fields }: ImportLine, field: Field) =>
    field === 'folded'
      ? OPTIONAL_TEXT_FIELDS.some((text) => fields[text] !== undefined)
      : fields[field === 'emailAscii' ? 'email' : field] !== undefined
  return WRITTEN_FIELDS.filter((field) => lines.some((line) => isNamed(line, field)))
}

/**
 * Returns the line as the statements read it. `id` is that of the customer it is for, and `creates` is true if the line
 * makes it: another line may name its customer by a former external id.
 */
export function stored(line: ImportLine & { changeId?: string }, id: string, creates: boolean): StoredLine {
  const { fields, externalId, changeId, formerIds, archivedIds, onboarding = '' } = line
  const row: StoredLine = {
    id,
    externalId,
    onboarding,
    createdAtMs: creationTimeOf(newIdOf(line)),
    ...(changeId !== undefined && { changeId }),
    ...(formerIds && formerIds.length > 0 && { formerIds }),
    ...(archivedIds && { archivedIds }),
  }
  const folded = foldsOf({ ...fields, ...(creates && { externalId }) })
  if (folded !== null) row.folded = folded
  return Object.assign(row, givenBy(line))
}

/** Returns the values that a line gives its customer, besides those that follow from others. */
export function givenBy({ fields }: Pick<ImportLine, 'fields'>): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (const field of OPTIONAL_TEXT_FIELDS) if (fields[field] !== undefined) row[field] = fields[field]
  if (fields.email !== undefined) row.emailAscii = fields.email && asciiEmail(fields.email)
  if (fields.timezone !== undefined) row.timezone = fields.timezone ?? DEFAULT_TIMEZONE
  if (fields.status !== undefined) row.status = fields.status
  if (fields.parent !== undefined) row.parent = fields.parent
  if (fields.metadata !== undefined) row.metadata = JSON.stringify(fields.metadata.replace)
  if (fields.integrations !== undefined) row.integrations = canonicalJson(fields.integrations)
  if (fields.profile !== undefined) row.profile = JSON.stringify(fields.profile.replace)
  return row
}
