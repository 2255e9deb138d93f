/**
 * Decides which column of a CSV file is which field of a customer: by the name of the field, by a common name for it, or
 * as the caller says. A column that is none of these is refused with its name, and never left out silently. Pure.
 */
import { CUSTOMER_FIELD_NAMES, CUSTOMER_FIELDS, v1NameOf } from '../../registry/customer-fields.ts'
import type { InputProblem } from '../../registry/errors.ts'
import { nearestName } from '../../validation/nearest.ts'
import { CsvReader } from './csv.ts'

/** Fields of a line that are no fields of a customer in the v1 API, and those that exports add. */
const LINE_FIELDS = ['parent_customer_external_id', 'profile', 'old_external_ids'] as const
/** The column in which an export marks the rows whose formulas have an apostrophe before them. */
export const GUARD_COLUMN = 'formula_guard'
/** The column that a file of rejected rows adds. An import leaves it out. */
export const ERROR_COLUMN = 'import_error'

const V1_NAMES = CUSTOMER_FIELD_NAMES.flatMap((name) => v1NameOf(name) ?? [])
const READ_ONLY = new Set([
  ...V1_NAMES.filter((name) => /^(created|updated)_/.test(name)),
  'environment_id',
  'tenant_id',
  'parent_customer',
  ERROR_COLUMN,
])

/** The fields that a column may be, besides `metadata.<key>`. */
export const LINE_FIELD_NAMES = [...V1_NAMES.filter((name) => !READ_ONLY.has(name)), ...LINE_FIELDS]

/** The columns of an export, in their order. */
export const EXPORT_COLUMNS = [...V1_NAMES, ...LINE_FIELDS, GUARD_COLUMN]

const JSON_FIELDS = new Set<string>([
  ...CUSTOMER_FIELD_NAMES.filter((name) => CUSTOMER_FIELDS[name].kind === 'json').flatMap(
    (name) => v1NameOf(name) ?? [],
  ),
  'profile',
  'old_external_ids',
])

/** Returns whether the cells of a field hold JSON. */
export function isJsonField(field: string): boolean {
  return JSON_FIELDS.has(field)
}

/** Common names of columns, beside the name of each field. Letter case, spaces and signs do not count. */
export const COMMON_NAMES: Record<string, readonly string[]> = {
  external_id: ['customer id', 'customer number', 'customer no', 'external customer id', 'reference id', 'reference'],
  name: [
    'company',
    'company name',
    'customer',
    'customer name',
    'full name',
    'display name',
    'organization',
    'organisation',
  ],
  email: ['e-mail', 'email address', 'e-mail address', 'mail', 'billing email'],
  contact: [
    'phone',
    'phone number',
    'telephone',
    'telephone number',
    'tel',
    'mobile',
    'mobile phone',
    'contact number',
  ],
  address_line1: ['address', 'address 1', 'street', 'street address', 'line 1', 'address line 1'],
  address_line2: ['address 2', 'street 2', 'line 2', 'address line 2', 'apartment', 'suite'],
  address_city: ['city', 'town'],
  address_state: ['state', 'province', 'region', 'state/province', 'county'],
  address_postal_code: ['zip', 'zip code', 'postal code', 'post code', 'address zip'],
  address_country: ['country', 'country code'],
  timezone: ['time zone', 'tz'],
  parent_customer_external_id: ['parent', 'parent external id', 'parent customer'],
  integration_entity_mapping: ['integrations'],
  old_external_ids: ['former external ids'],
}

/** `E-mail Address` and `email_address` are the same name. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

const BY_NAME = new Map<string, string | null>([
  ...[...READ_ONLY].map((name): [string, null] => [plain(name), null]),
  ...Object.entries(COMMON_NAMES).flatMap(([field, names]) =>
    names.map((name): [string, string] => [plain(name), field]),
  ),
  ...[...LINE_FIELD_NAMES, GUARD_COLUMN].map((name): [string, string] => [plain(name), name]),
])

/** The file as a whole cannot be read: nothing of it was imported. */
export class FileFault extends Error {
  readonly problems: InputProblem[]
  constructor(problems: InputProblem[]) {
    super(
      problems.map(({ field, message, fix }) => `${field === '' ? 'the file' : field} ${message}: ${fix}`).join('\n'),
    )
    this.problems = problems
  }
}

/** A column of the file, and the field that it is; null if the import leaves it out. */
export interface Column {
  name: string
  field: string | null
}

/**
 * Returns `Company=name,"Name, first"=metadata.first,Notes=` as a Map from column to field; an empty field leaves the
 * column out. Throws `FileFault` for text that is no such list.
 */
export function columnMap(text: string): Map<string, string> {
  const map = new Map<string, string>()
  const reader = new CsvReader(',', text.length + 1)
  // A quoted column name is followed by its field, so the quotes are around the whole pair or in the middle of it.
  const [record] = [...reader.push(text.replaceAll(/"([^"]*)"(=[^,"]*)/g, '"$1$2"')), ...reader.end()]
  if (record?.fault) throw new FileFault([mapProblem(text, 'has quotes in the wrong place')])
  for (const pair of (record?.cells ?? []).filter((cell) => cell.trim() !== '')) {
    const at = pair.lastIndexOf('=')
    const [column, field] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    if (at < 1) throw new FileFault([mapProblem(pair, 'has no "="')])
    if (field !== '' && !isField(field)) {
      const near = nearestName(field, LINE_FIELD_NAMES)
      const fix = near ? `did you mean ${near}?` : `use one of ${LINE_FIELD_NAMES.join(', ')} or metadata.<key>`
      throw new FileFault([{ field: 'map', message: `names "${field}", which is no field`, fix }])
    }
    map.set(column, field)
  }
  return map
}

function mapProblem(text: string, message: string): InputProblem {
  return { field: 'map', message: `"${text}" ${message}`, fix: 'write Column=field, with commas between' }
}

function isField(field: string): boolean {
  return LINE_FIELD_NAMES.includes(field) || /^metadata\../.test(field)
}

/**
 * Returns the field of each column of a header. Throws `FileFault` with all problems: a column without a name, two of the
 * same name or field, one that is not known, none that is `external_id`, or a mapped one that the file does not have.
 */
export function columnsOf(header: readonly string[], map: ReadonlyMap<string, string>): Column[] {
  const names = header.map((name) => name.trim())
  while (names.at(-1) === '') names.pop()
  const problems: InputProblem[] = []
  for (const mapped of map.keys()) {
    if (names.includes(mapped)) continue
    const near = nearestName(mapped, names)
    const fix = near ? `did you mean "${near}"?` : `name one of ${names.join(', ')}`
    problems.push({ field: mapped, message: 'is mapped, but the file has no such column', fix })
  }
  const columns = names.map((name): Column => ({ name, field: fieldOf(name, map, problems) }))
  for (const [at, { name, field }] of columns.entries()) {
    const first = columns.findIndex((column) => column.name === name || (field !== null && column.field === field))
    if (first === at || name === '') continue
    const other = columns[first]?.name
    const message = other === name ? 'is the name of two columns' : `and "${other}" are both ${field}`
    const fix = other === name ? 'rename one of them' : `leave one of them out with the mapping "${name}="`
    problems.push({ field: name, message, fix })
  }
  if (problems.length === 0 && !columns.some(({ field }) => field === 'external_id')) {
    const fix = `map one with "Column=external_id": the file has ${names.join(', ')}`
    problems.push({ field: 'external_id', message: 'is no column', fix })
  }
  if (problems.length > 0) throw new FileFault(problems)
  return columns
}

/** Returns the field that a column of this name is: null if an import leaves it out, undefined if the name is not known. */
export function fieldNamed(name: string): string | null | undefined {
  return /^metadata\../i.test(name) ? `metadata.${name.slice('metadata.'.length)}` : BY_NAME.get(plain(name))
}

function fieldOf(name: string, map: ReadonlyMap<string, string>, problems: InputProblem[]): string | null {
  const mapped = map.get(name)
  if (mapped !== undefined) return mapped === '' ? null : mapped
  if (name === '') {
    problems.push({ field: 'the header', message: 'has a column without a name', fix: 'name it, or remove the column' })
    return null
  }
  const known = fieldNamed(name)
  if (known !== undefined) return known
  const near = nearestName(name, [...LINE_FIELD_NAMES, ...Object.values(COMMON_NAMES).flat()])
  const message = near ? `is no known column, did you mean "${near}"?` : 'is no known column'
  const fix = `map it with "${name}=field" or "${name}=metadata.<key>", or leave it out with "${name}="`
  problems.push({ field: name, message, fix })
  return null
}
