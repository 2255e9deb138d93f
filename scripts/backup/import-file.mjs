/**
 * Writes a backup as the SQL that D1's import takes: tables, rows, then indexes, the full-text index and triggers, so that
 * no trigger fires for a row that is restored, and at last the data epoch, which only the directory has. D1 applies such a file whole
 * or not at all.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Stop } from '../deploy/refusals.mjs'
import { RAISE_DATA_EPOCH } from './data-epoch.ts'
import { isVirtual, literal, quoted } from './schema.mjs'
import { fillSearchIndex, SEARCH_INDEX } from './search-index.mjs'

/** D1 takes statements of up to 100,000 bytes. */
const STATEMENT_BYTES_MAX = 90_000
/** The part of a long text that goes into one statement. A character is at most 4 bytes, or 8 digits. */
const CHUNK_CHARACTERS = 10_000

/**
 * Returns the facts about a backup: `takenAt`, and that it is database `number` of `databases`. Throws `Stop` if the file is no
 * backup.
 */
export function factsOf(backup) {
  const copy = openBackup(backup)
  try {
    const rows = copy.prepare('SELECT name, value FROM backup_facts').all()
    const { taken_at: takenAt, number, databases } = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    return { takenAt, number: Number(number), databases: Number(databases) }
  } finally {
    copy.close()
  }
}

/** Reads the backup and writes the file. Returns `{takenAt, rows}`. Throws `Stop` if the file is no backup. */
export function writeImportFile(backup, file) {
  const { takenAt, number } = factsOf(backup)
  const copy = openBackup(backup)
  const output = openSync(file, 'w')
  const write = (statement) => writeSync(output, `${statement};\n`)
  try {
    const schema = copy.prepare('SELECT type, name, sql FROM backup_schema ORDER BY position').all()
    const of = (type) => schema.filter((object) => object.type === type)
    const tables = of('table').filter((object) => !isVirtual(object))
    const indexes = of('table').filter(isVirtual)
    write('PRAGMA defer_foreign_keys = true')
    for (const { sql } of tables) write(sql)
    let rows = 0
    for (const { name } of tables) rows += writeRows(copy, name, write)
    for (const { sql } of of('index')) write(sql)
    for (const { sql } of of('view')) write(sql)
    for (const { name, sql } of indexes) {
      write(sql)
      if (name === SEARCH_INDEX) for (const statement of fillSearchIndex(copy)) write(statement)
    }
    for (const { sql } of of('trigger')) write(sql)
    if (number === 0) write(RAISE_DATA_EPOCH)
    return { takenAt, rows }
  } finally {
    closeSync(output)
    copy.close()
  }
}

function openBackup(file) {
  try {
    const copy = new DatabaseSync(file, { readOnly: true })
    copy.prepare('SELECT 1 FROM backup_facts').get()
    return copy
  } catch {
    throw new Stop(`${file} is not a backup, or the backup did not end well.`)
  }
}

function writeRows(copy, table, write) {
  const columns = copy.prepare('SELECT name, pk FROM pragma_table_info(?)').all(table)
  const key = columns.filter(({ pk }) => pk > 0).map(({ name }) => name)
  const names = columns.map(({ name }) => name)
  const insert = `INSERT INTO ${quoted(table)} (${names.map(quoted).join(', ')}) VALUES\n`
  let [rows, bytes, waiting] = [0, 0, []]
  const flush = () => {
    if (waiting.length > 0) write(insert + waiting.join(',\n'))
    waiting = []
    bytes = 0
  }
  // Events of all tenants are read in the order of their rowids, which has to be that of their times again.
  const order = table === 'events' ? 'ORDER BY id' : ''
  for (const row of copy.prepare(`SELECT * FROM ${quoted(table)} ${order}`).iterate()) {
    const { values, rest } = fitting(row, names)
    const text = `(${values.join(', ')})`
    const size = Buffer.byteLength(text) + 2
    if (bytes + size > STATEMENT_BYTES_MAX) flush()
    waiting.push(text)
    bytes += size
    rows++
    if (rest.length === 0) continue
    flush()
    const where = key.map((name) => `${quoted(name)} = ${sqlOf(row[name])}`).join(' AND ')
    for (const { name, chunk } of rest) {
      write(`UPDATE ${quoted(table)} SET ${quoted(name)} = ${quoted(name)} || ${sqlOf(chunk)} WHERE ${where}`)
    }
  }
  flush()
  return rows
}

/**
 * Returns the values of a row as SQL. If they are too long for one statement, long texts begin empty and `rest` has
 * their chunks.
 */
function fitting(row, names) {
  const values = names.map((name) => sqlOf(row[name]))
  const rest = []
  const isTooLong = Buffer.byteLength(values.join(', ')) > STATEMENT_BYTES_MAX
  for (const [at, name] of isTooLong ? names.entries() : []) {
    const text = row[name]
    if (typeof text !== 'string' || text.length <= 1_000) continue
    values[at] = "''"
    const characters = Array.from(text)
    for (let from = 0; from < characters.length; from += CHUNK_CHARACTERS) {
      rest.push({ name, chunk: characters.slice(from, from + CHUNK_CHARACTERS).join('') })
    }
  }
  return { values, rest }
}

/**
 * Returns a value as SQL. A text with control characters is written as hex digits, which no tool on the way can change.
 */
function sqlOf(value) {
  if (value === null) return 'NULL'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule is about control characters
  if (/[\u0000-\u001f]/.test(value)) return `CAST(X'${Buffer.from(value).toString('hex')}' AS text)`
  return literal(value)
}
