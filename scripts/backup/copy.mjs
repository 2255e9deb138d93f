/**
 * Copies a D1 database into a SQLite file while it serves. The rows are read page by page in the order of their keys,
 * so each page is of another moment; triggers note the keys of the rows that change meanwhile, and those rows are read
 * again. The last of these reads is one transaction, and the file then holds the database as of that transaction.
 *
 * Not `wrangler d1 export`: D1 answers no queries while that runs, it refuses a database with a full-text index, it
 * stores a text that has a line break and a backslash before an n as another text, and D1 takes no row of over 100 KB
 * back from it.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Stop } from '../deploy/refusals.mjs'
import { CHANGES_PREFIX, changedRows, isVirtual, leftovers, noteChanges, ownSchema, quoted, SCHEMA } from './schema.mjs'
import { VIRTUAL_TABLES } from './search-index.mjs'

/** A backup that takes longer fails. */
const TIME_MAX_SECONDS = 2 * 3600
const PAGE_BYTES = 1_000_000
const PAGE_ROWS_MAX = 2_000
/** Changed rows are read again after this many pages, so that none of these reads is large. */
const PAGES_PER_LOOK = 20

/**
 * Copies the database to a new file and returns `{rows, takenAt}`. The file notes that it is database `number` of `databases`.
 * `folder` is for the files that wrangler reads; `onProgress` is called with the number of rows so far. Throws `Stop` if the copy is
 * not consistent.
 */
export async function copyDatabase(source, file, { folder, number = 0, databases = 1, onProgress = () => undefined }) {
  const before = await source.query(SCHEMA)
  const schema = ownSchema(before, VIRTUAL_TABLES)
  const copy = new DatabaseSync(file, { enableForeignKeyConstraints: false })
  const tables = createTables(copy, schema)
  const [{ now }] = await source.query('SELECT unixepoch() AS now')
  const untilSeconds = now + TIME_MAX_SECONDS
  const noted = `${CHANGES_PREFIX}${randomBytes(4).toString('hex')}`
  const ddl = `${folder}/note-changes.sql`
  writeFileSync(
    ddl,
    [...leftovers(before), ...noteChanges(noted, tables, untilSeconds)].map((sql) => `${sql};\n`).join(''),
  )
  try {
    await source.apply(ddl)
    const changes = new Changes(source, noted, copy, tables)
    let [rows, pages] = [0, 0]
    for (const table of tables) {
      for await (const page of pagesOf(source, table)) {
        keep(copy, table, page)
        rows += page.length
        onProgress(rows)
        if (++pages % PAGES_PER_LOOK === 0) await changes.look()
      }
    }
    const { takenAtSeconds, schemaThen } = await changes.look()
    if (takenAtSeconds >= untilSeconds) throw new Stop('The backup took longer than two hours, and is not consistent.')
    if (JSON.stringify(ownSchema(schemaThen, VIRTUAL_TABLES)) !== JSON.stringify(schema)) {
      throw new Stop('A migration was applied during the backup. Run it again.')
    }
    return describe(copy, schema, tables, { takenAtSeconds, number, databases })
  } finally {
    copy.close()
    await source.batch(leftovers(await source.query(SCHEMA)))
  }
}

/** Returns the tables with their columns and keys, `{name, columns, key}[]`. */
function createTables(copy, schema) {
  return schema
    .filter((object) => object.type === 'table' && !isVirtual(object))
    .map(({ name, sql }) => {
      copy.exec(sql)
      const columns = copy.prepare('SELECT name, pk FROM pragma_table_info(?)').all(name)
      const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
      if (key.length === 0) throw new Stop(`The table ${name} has no primary key, and a backup reads by it.`)
      return { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) }
    })
}

async function* pagesOf(source, { name, columns, key }) {
  const order = key.map(quoted).join(', ')
  const select = `SELECT ${columns.map(quoted).join(', ')} FROM ${quoted(name)}`
  const beyond = `WHERE (${order}) > (${key.map(() => '?').join(', ')})`
  let last = null
  for (let limit = 100; ; ) {
    const where = last ? `${beyond} ` : ''
    const params = last ? key.map((column) => last[column]) : []
    const page = await source.query(`${select} ${where}ORDER BY ${order} LIMIT ${limit}`, params)
    if (page.length > 0) yield page
    if (page.length < limit) return
    last = page.at(-1)
    const rowBytes = JSON.stringify(page).length / page.length
    limit = Math.max(1, Math.min(2 * limit, PAGE_ROWS_MAX, Math.floor(PAGE_BYTES / rowBytes)))
  }
}

function keep(copy, { name, columns }, rows) {
  const places = columns.map(() => '?').join(', ')
  const insert = copy.prepare(
    `INSERT OR REPLACE INTO ${quoted(name)} (${columns.map(quoted).join(', ')}) VALUES (${places})`,
  )
  copy.exec('BEGIN')
  for (const row of rows) insert.run(...columns.map((column) => row[column]))
  copy.exec('COMMIT')
}

class Changes {
  #source
  #noted
  #copy
  #tables
  #seenSeq = 0

  constructor(source, noted, copy, tables) {
    this.#source = source
    this.#noted = noted
    this.#copy = copy
    this.#tables = tables
  }

  /**
   * Brings the copy up to date with every row that changed since the last look. One transaction, which may be repeated.
   */
  async look() {
    const seen = this.#seenSeq
    const [, [head], schemaThen, ...changed] = await this.#source.batch([
      `DELETE FROM ${this.#noted} WHERE seq <= ${seen}`,
      `SELECT coalesce(max(seq), ${seen}) AS seq, unixepoch() AS now FROM ${this.#noted}`,
      SCHEMA,
      ...this.#tables.map((table) => changedRows(this.#noted, table, seen)),
    ])
    for (const [at, table] of this.#tables.entries()) {
      const rows = changed[at]
      const remove = this.#copy.prepare(
        `DELETE FROM ${quoted(table.name)} WHERE ${table.key.map((column) => `${quoted(column)} = ?`).join(' AND ')}`,
      )
      for (const row of rows) remove.run(...JSON.parse(row['backup key']))
      keep(
        this.#copy,
        table,
        rows.filter((row) => row['backup exists']),
      )
    }
    this.#seenSeq = head.seq
    return { takenAtSeconds: head.now, schemaThen }
  }
}

/**
 * Writes the two tables about the backup: the whole schema, and the facts: the moment that the copy is of, and which database of how
 * many it is. Returns `{rows, takenAt}`.
 */
function describe(copy, schema, tables, { takenAtSeconds, number, databases }) {
  const takenAt = new Date(takenAtSeconds * 1000).toISOString()
  copy.exec('CREATE TABLE backup_schema (position integer PRIMARY KEY, type text, name text, sql text)')
  const insert = copy.prepare('INSERT INTO backup_schema (position, type, name, sql) VALUES (?, ?, ?, ?)')
  for (const [at, { type, name, sql }] of schema.entries()) insert.run(at, type, name, sql)
  copy.exec('CREATE TABLE backup_facts (name text PRIMARY KEY, value text)')
  for (const fact of Object.entries({ taken_at: takenAt, number: `${number}`, databases: `${databases}` })) {
    copy.prepare('INSERT INTO backup_facts VALUES (?, ?)').run(...fact)
  }
  const counts = tables.map(({ name }) => copy.prepare(`SELECT count(*) AS n FROM ${quoted(name)}`).get().n)
  return { rows: counts.reduce((sum, n) => sum + n, 0), takenAt }
}
