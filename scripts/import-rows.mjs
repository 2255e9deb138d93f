/**
 * From a file of customers to the lines that `POST /v1/customers/import` takes: which column is which field, and where in
 * the file each line came from. Reads the file as a stream; sending is for import.mjs.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import { unescapeFormula } from '../src/shared/spreadsheet.ts'

const FIELDS = [
  'external_id',
  'name',
  'email',
  'contact',
  'address_line1',
  'address_line2',
  'address_city',
  'address_state',
  'address_postal_code',
  'address_country',
  'timezone',
  'parent_customer_id',
  'parent_customer_external_id',
  'status',
  'metadata',
  'integration_entity_mapping',
]
/** Their cells hold JSON. */
const JSON_FIELDS = new Set(['metadata', 'integration_entity_mapping'])
/** What an export has beside, and an import can not set. */
const READ_ONLY = new Set(['id', 'created_at', 'updated_at', 'created_by', 'updated_by', 'environment_id', 'tenant_id'])
const OTHER_NAMES = {
  reference_id: 'external_id',
  customer_id: 'external_id',
  phone: 'contact',
  email_address: 'email',
  line1: 'address_line1',
  line2: 'address_line2',
  city: 'address_city',
  state: 'address_state',
  zip: 'address_postal_code',
  postal_code: 'address_postal_code',
  country: 'address_country',
  time_zone: 'timezone',
}

/** Something the caller has to change before anything can be sent. */
export class UsageError extends Error {}

/** `Company=name,Plan=metadata.plan,Notes=` as a Map; nothing after the sign leaves the column out. */
export function parseMap(text) {
  const map = new Map()
  for (const pair of (text ?? '').split(',').filter((pair) => pair.trim() !== '')) {
    const at = pair.lastIndexOf('=')
    const [column, field] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    if (at < 1) throw new UsageError(`--map: "${pair}" has no "=": write Column=field`)
    if (field !== '' && !isField(field)) {
      throw new UsageError(`--map: "${field}" is no field: use one of ${FIELDS.join(', ')} or metadata.<key>`)
    }
    map.set(column, field)
  }
  return map
}

/** The field of each column, null for one that is left out. */
export function fieldsOf(columns, map) {
  const missing = [...map.keys()].filter((column) => !columns.includes(column))
  if (missing.length > 0) {
    throw new UsageError(`--map: the file has no column ${missing.join(', ')}: it has ${columns.join(', ')}`)
  }
  const fields = columns.map((column) => (map.has(column) ? map.get(column) || null : guess(column)))
  const twice = fields.find((field, at) => field !== null && fields.indexOf(field) !== at)
  if (twice) throw new UsageError(`two columns are ${twice}: choose one with --map "Column=" for the other`)
  if (!fields.includes('external_id')) {
    throw new UsageError('no column is external_id: name it with --map "Column=external_id"')
  }
  return fields
}

/**
 * The lines of a file: `{text, lineNumber, bytes}`, `bytes` being how far into the file it ends. `onColumns` is told what
 * each column of a CSV file is taken for.
 */
export async function* readLines(file, { map, onColumns }) {
  if (/\.(ndjson|jsonl|json)$/i.test(file)) yield* readNdjson(file)
  else yield* readCsv(file, map, onColumns)
}

async function* readNdjson(file) {
  let lineNumber = 0
  let bytes = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    lineNumber++
    bytes += Buffer.byteLength(text) + 1
    if (text.trim() !== '') yield { text, lineNumber, bytes }
  }
}

async function* readCsv(file, map, onColumns) {
  const options = { bom: true, info: true, relax_column_count: true }
  const parser = createReadStream(file).pipe(parse({ ...options, delimiter: [',', ';', '\t'] }))
  let fields = null
  let lineNumber = 1
  for await (const { record, info } of parser) {
    if (fields === null) {
      const columns = record.map((column) => column.trim())
      fields = fieldsOf(columns, map)
      onColumns(columns, fields)
    } else if (record.length > 1 || record[0] !== '') {
      yield { text: JSON.stringify(rowOf(record, fields)), lineNumber, bytes: info.bytes }
    }
    // A quoted cell may go over several lines: the row begins after the last one ended.
    lineNumber = info.lines + (info.trailing_newline === false ? 0 : 1)
  }
  if (fields === null) throw new UsageError('the file is empty: its first line names the columns')
}

/** An empty cell says nothing: the customer keeps what it has. */
function rowOf(record, fields) {
  const row = {}
  for (const [at, field] of fields.entries()) {
    const cell = unescapeFormula(record[at] ?? '')
    if (field === null || cell === '') continue
    if (field.startsWith('metadata.')) row.metadata = { ...row.metadata, [field.slice('metadata.'.length)]: cell }
    else if (JSON_FIELDS.has(field)) row[field] = merged(row[field], jsonOr(cell))
    else row[field] = cell
  }
  return row
}

/** What is no JSON goes as it is, and is answered with what is wrong with it. */
function jsonOr(cell) {
  try {
    return JSON.parse(cell)
  } catch {
    return cell
  }
}

function merged(known, value) {
  return known && typeof value === 'object' && !Array.isArray(value) ? { ...value, ...known } : value
}

function guess(column) {
  if (/^metadata\../i.test(column)) return `metadata.${column.slice('metadata.'.length)}`
  const name = column
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
  if (FIELDS.includes(name)) return name
  if (READ_ONLY.has(name)) return null
  return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : null
}

function isField(field) {
  return FIELDS.includes(field) || /^metadata\../.test(field)
}
