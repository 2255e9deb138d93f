/** Reads the schema of a database from SQLite, and makes the statements that note changes during a backup. */
import { Stop } from '../deploy/refusals.mjs'

/**
 * The names of the table and the triggers that exist during a backup. Each backup has a table of its own: of two at
 * once, both fail.
 */
export const CHANGES_PREFIX = 'backup_changes_'
const TRIGGER_PREFIX = 'backup_of_'

export const SCHEMA = `SELECT type, name, tbl_name AS "table", sql FROM sqlite_master
  WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY rowid`

/** The tables that FTS5 keeps for one of its own. */
const SHADOWS = ['data', 'idx', 'content', 'docsize', 'config']

/**
 * Returns the schema without the objects of a backup and without the tables that a virtual table keeps for itself,
 * `{type, name, table, sql}[]`. Throws `Stop` for a virtual table that is not in `filled`: only those can be filled anew.
 */
export function ownSchema(rows, filled) {
  const own = rows.filter(({ name, table }) => !name.startsWith(TRIGGER_PREFIX) && !table.startsWith(CHANGES_PREFIX))
  const virtual = own.filter(isVirtual).map(({ name }) => name)
  const unknown = virtual.find((name) => !filled.includes(name))
  if (unknown) throw new Stop(`${unknown} is a virtual table, and a backup cannot copy one.`)
  const shadows = new Set(virtual.flatMap((name) => SHADOWS.map((part) => `${name}_${part}`)))
  return own.filter(({ name }) => !shadows.has(name))
}

/** True for a table whose rows are in other tables. */
export function isVirtual({ sql }) {
  return /^CREATE VIRTUAL TABLE/i.test(sql)
}

/** Returns the statements that drop the triggers and tables of a backup that broke off. */
export function leftovers(rows) {
  const drops = rows
    .filter(({ type, name }) => type === 'trigger' && name.startsWith(TRIGGER_PREFIX))
    .map(({ name }) => `DROP TRIGGER IF EXISTS ${quoted(name)}`)
  const tables = rows.filter(({ type, name }) => type === 'table' && name.startsWith(CHANGES_PREFIX))
  return [...drops, ...tables.map(({ name }) => `DROP TABLE IF EXISTS ${quoted(name)}`)]
}

/**
 * Returns the statements that note in the table `changes` the key of every row that changes from now on. After
 * `untilSeconds`, a time since 1970, they note nothing, so that a backup that died burdens no write after that.
 */
export function noteChanges(changes, tables, untilSeconds) {
  const triggers = tables.flatMap(({ name, key }) =>
    [
      ['INSERT', ['NEW']],
      ['UPDATE', ['OLD', 'NEW']],
      ['DELETE', ['OLD']],
    ].map(([operation, rows]) => {
      const notes = rows.map((row) => {
        const values = key.map((column) => `${row}.${quoted(column)}`).join(', ')
        return `INSERT INTO ${changes} (of_table, row_key) VALUES (${literal(name)}, json_array(${values}));`
      })
      const trigger = quoted(`${TRIGGER_PREFIX}${name}_${operation.toLowerCase()}`)
      return `CREATE TRIGGER ${trigger} AFTER ${operation} ON ${quoted(name)} WHEN unixepoch() < ${untilSeconds}
BEGIN
  ${notes.join('\n  ')}
END`
    }),
  )
  return [
    `CREATE TABLE ${changes} (seq integer PRIMARY KEY, of_table text NOT NULL, row_key text NOT NULL)`,
    ...triggers,
  ]
}

/**
 * Returns the statement that reads every row that changed since `afterSeq`, as it is now: the columns, and `key` as
 * JSON. A row that is gone has nulls.
 */
export function changedRows(changes, { name, key, columns }, afterSeq) {
  const matches = key.map((column, at) => `t.${quoted(column)} = json_extract(c.row_key, '$[${at}]')`).join(' AND ')
  const shown = columns.map((column) => `t.${quoted(column)}`).join(', ')
  return `SELECT c.row_key AS "backup key", t.${quoted(key[0])} IS NOT NULL AS "backup exists", ${shown}
  FROM (SELECT DISTINCT row_key FROM ${changes} WHERE of_table = ${literal(name)} AND seq > ${afterSeq}) c
  LEFT JOIN ${quoted(name)} t ON ${matches}`
}

export function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`
}

export function literal(text) {
  return `'${text.replaceAll("'", "''")}'`
}
