/**
 * Guesses which column of a CSV file is which field of a customer, from its name and its first values. A person looks at
 * the guesses with samples before anything is sent, so a guess may be bold. Pure.
 */
import { columnsOf, FileFault, fieldNamed } from '../../../src/formats/files/columns.ts'
import { CsvReader } from '../../../src/formats/files/csv.ts'
import { FileLines, type FileOptions } from '../../../src/formats/files/lines.ts'
import { FileText } from '../../../src/formats/files/text.ts'
import type { InputProblem } from '../../../src/registry/errors.ts'

export interface GuessedColumn {
  name: string
  /** The field of a customer. An import leaves out a column without one. */
  field: string | null
  /** `name`: its name or the reader says so. `guess`: its values or nothing say so. */
  by: 'name' | 'guess'
  samples: string[]
}

export interface Guess {
  columns: GuessedColumn[]
  delimiter: string
}

type Reading = Pick<FileOptions, 'encoding' | 'delimiter' | 'lineBytesMax'>

const ROWS_MAX = 200
const SAMPLES_MAX = 3
const METADATA_KEY_LENGTH_MAX = 40
const ADDRESS = /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+$/
const ZONE = /^(?:[A-Z][A-Za-z_]+\/[A-Z][A-Za-z_/+-]+|UTC)$/
const IDENTIFYING = /(?:^|[\s_.-])(?:id|key|code|no|nr|number|num)$/i

/** Fields that values give away. */
const BY_VALUES: readonly [field: string, isOne: (value: string) => boolean][] = [
  ['email', (value) => ADDRESS.test(value)],
  ['timezone', (value) => ZONE.test(value)],
  ['address_country', (value) => /^[A-Z]{2}$/.test(value)],
]

/**
 * Returns the guesses for a file that begins with these bytes, or has no others (`isWhole`). Throws `FileFault` if its header
 * cannot be read.
 */
export function guessColumns(beginning: Uint8Array, isWhole: boolean, reading: Reading): Guess {
  const { header, delimiter } = headerOf(beginning, reading)
  const names = header.map((name) => name.trim())
  while (names.at(-1) === '') names.pop()
  const rows = rowsOf(beginning, isWhole, reading, header, delimiter)
  const valuesOf = (at: number) => rows.map((row) => row[at] ?? '').filter((value) => value !== '')
  const columns = names.map((name, at): GuessedColumn => {
    const samples = [...new Set(valuesOf(at))].slice(0, SAMPLES_MAX)
    const known = isForeignId(name, valuesOf(at)) ? undefined : fieldNamed(name)
    return known === undefined
      ? { name, field: null, by: 'guess', samples }
      : { name, field: known, by: 'name', samples }
  })
  const isTaken = (field: string) => columns.some((column) => column.field === field)
  const unknown = (column: GuessedColumn) => column.by === 'guess' && column.field === null
  for (const [at, column] of columns.entries()) {
    if (columns.findIndex(({ field }) => field !== null && field === column.field) < at) column.field = null
    if (!unknown(column)) continue
    const values = valuesOf(at)
    const field = BY_VALUES.find(([, isOne]) => values.length > 0 && values.every(isOne))?.[0]
    if (field !== undefined && !isTaken(field)) column.field = field
  }
  if (!isTaken('external_id')) {
    const candidates = columns.filter((column, at) => unknown(column) && isIdentifying(valuesOf(at), rows.length))
    const chosen = candidates.find(({ name }) => IDENTIFYING.test(name)) ?? candidates[0]
    if (chosen) chosen.field = 'external_id'
  }
  for (const column of columns) {
    if (!unknown(column) || column.name === '') continue
    const field = metadataField(column.name)
    if (!isTaken(field)) column.field = field
  }
  return { columns, delimiter }
}

/** Ids in a column `id` are those of Roster in an export, and of another system in any other file. */
function isForeignId(name: string, values: readonly string[]): boolean {
  return fieldNamed(name) === 'id' && values.length > 0 && !values.every((value) => value.startsWith('cust_'))
}

/** Each row has another value. */
function isIdentifying(values: readonly string[], rows: number): boolean {
  return rows > 0 && values.length === rows && new Set(values).size === rows
}

/** Returns the field that keeps a column in the metadata, such as `metadata.plan` for `Plan`. */
export function metadataField(name: string): string {
  return `metadata.${metadataKey(name)}`
}

function metadataKey(name: string): string {
  const key = name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '_')
  return [...key.replaceAll(/^_+|_+$/g, '')].slice(0, METADATA_KEY_LENGTH_MAX).join('') || 'column'
}

function headerOf(beginning: Uint8Array, reading: Reading): { header: readonly string[]; delimiter: string } {
  const lines = new FileLines({ ...reading, format: 'csv', map: new Map() })
  let fault: unknown = null
  try {
    lines.push(beginning)
    lines.end()
  } catch (error) {
    // The columns are not chosen yet, so most headers are refused here.
    if (!(error instanceof FileFault)) throw error
    fault = error
  }
  if (lines.header === null) throw fault ?? new FileFault([])
  return { header: lines.header, delimiter: lines.delimiter }
}

function rowsOf(
  beginning: Uint8Array,
  isWhole: boolean,
  reading: Reading,
  header: readonly string[],
  delimiter: string,
): string[][] {
  const text = new FileText(reading.encoding)
  const reader = new CsvReader(delimiter, reading.lineBytesMax)
  // The last record of a beginning may be cut.
  const records = [...reader.push(text.push(beginning)), ...(isWhole ? reader.end() : [])]
  const isHeader = (cells: readonly string[]) =>
    cells.length === header.length && cells.every((cell, at) => cell === header[at])
  const headerAt = records.findIndex(({ cells }) => isHeader(cells))
  return records
    .slice(headerAt + 1, headerAt + 1 + ROWS_MAX)
    .filter(({ fault, cells }) => fault === null && cells.some((cell) => cell !== ''))
    .map(({ cells }) => cells)
}

/** Returns the mapping that the chosen fields are, as the import takes it. */
export function mapOf(columns: readonly Pick<GuessedColumn, 'name' | 'field'>[]): Map<string, string> {
  return new Map(columns.map(({ name, field }) => [name, field ?? '']))
}

/** Returns the mapping as the parameter `map` of the import route. It names only columns whose name does not say their field. */
export function mapText(columns: readonly Pick<GuessedColumn, 'name' | 'field'>[]): string {
  const quoted = (text: string) => (/[,"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return columns
    .filter(({ name, field }) => (fieldNamed(name) ?? null) !== field || fieldNamed(name) === undefined)
    .map(({ name, field }) => `${quoted(name)}=${field ?? ''}`)
    .join(',')
}

/** Returns what is wrong with the chosen columns, each with the column that it is about. Empty if they can be imported. */
export function columnProblems(columns: readonly Pick<GuessedColumn, 'name' | 'field'>[]): InputProblem[] {
  try {
    columnsOf(
      columns.map(({ name }) => name),
      mapOf(columns),
    )
    return []
  } catch (error) {
    if (!(error instanceof FileFault)) throw error
    return error.problems
  }
}
