/**
 * Tests that D1 reads every migration as it was meant, whichever way it arrives: as a text that the server cuts into statements, or
 * as a file. Local D1 is kinder than the server, so test/shared/d1-splitter.ts models the server. SQLite itself finds the statements
 * and counts the arguments of functions.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { MAX_FUNCTION_ARGUMENTS } from '../../shared/d1-limits.ts'
import { SPLITTERS, splitLikeD1Query, withoutComments } from '../../shared/d1-splitter.ts'

const files = readdirSync('migrations')
  .filter((name) => name.endsWith('.sql'))
  .sort()
const filesBefore = (name: string) => files.slice(0, files.indexOf(name)).map(read)

function read(name: string): string {
  return readFileSync(`migrations/${name}`, 'utf8')
}

/** The limits of D1 that SQLite can enforce. */
const LIMITS = { functionArg: MAX_FUNCTION_ARGUMENTS, sqlLength: 100_000, column: 100, variableNumber: 100, attach: 0 }

function databaseAfter(texts: string[]): DatabaseSync {
  const database = new DatabaseSync(':memory:', { limits: LIMITS })
  database.exec('CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)')
  for (const text of texts) database.exec(text)
  return database
}

/** Returns the statements of a text as SQLite finds them: it compiles the first one and reports where that ends. */
function statementsOf(sql: string, earlier: string[] = []): string[] {
  const database = databaseAfter(earlier)
  const statements: string[] = []
  for (let rest = sql; withoutComments(rest) !== ''; ) {
    const statement = database.prepare(rest)
    statements.push(withoutComments(statement.sourceSQL).replace(/;$/, ''))
    statement.run()
    rest = rest.slice(statement.sourceSQL.length)
  }
  return statements
}

/** Returns the models of the server that cut a text in another way than SQLite. */
function misreadBy(sql: string, earlier: string[] = []): string[] {
  const meant = statementsOf(sql, earlier)
  return Object.keys(SPLITTERS).filter((name) => {
    const seen = SPLITTERS[name]?.(sql).map(withoutComments)
    return JSON.stringify(seen) !== JSON.stringify(meant)
  })
}

function commentsOf(sql: string): string[] {
  const parts = sql.matchAll(/'[^']*'|"[^"]*"|`[^`]*`|(--[^\n]*|\/\*[\s\S]*?\*\/)/g)
  return Array.from(parts, ([, comment]) => comment).filter((comment) => comment !== undefined)
}

/** Returns the parts of a text that break the rules of src/storage/README.md. */
function breaches(sql: string): string[] {
  const code = withoutComments(sql).replaceAll(/'[^']*'/g, '')
  return [
    sql.includes('\r') && 'a carriage return',
    /\bCASE\b/i.test(code) && 'a CASE',
    !sql.endsWith(';\n') && 'no semicolon at the end',
    ...commentsOf(sql).filter((comment) => /['"`;]/.test(comment)),
  ].filter((breach) => typeof breach === 'string')
}

describe.each(files)('%s', (name) => {
  it('is cut by every model of the server into the statements that SQLite sees, with what wrangler appends', () => {
    const posted = `${read(name)}\nINSERT INTO d1_migrations (name)\nvalues ('${name}');\n`
    expect(statementsOf(posted, filesBefore(name)).length).toBeGreaterThan(1)
    expect(misreadBy(posted, filesBefore(name))).toEqual([])
  })

  it('follows the rules of src/storage/README.md', () => {
    expect(breaches(read(name))).toEqual([])
  })

  it('makes the same schema as a whole, cut by the server, and cut at its breakpoints, within the limits of D1', () => {
    const ways = [[read(name)], splitLikeD1Query(read(name)), read(name).split('--> statement-breakpoint')]
    const [whole, ...others] = ways.map((texts) => schemaOf(databaseAfter([...filesBefore(name), ...texts])))
    expect(whole?.length).toBeGreaterThan(0)
    for (const other of others) expect(other).toEqual(whole)
  })
})

function schemaOf(database: DatabaseSync): string[] {
  const rows = database.prepare('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL').all()
  return rows.map(({ sql }) => withoutComments(String(sql)))
}

describe('the checks', () => {
  const table = 'CREATE TABLE t (a, b);\n'
  const tables = (comment: string) => `${comment}\n${table}CREATE TABLE u (a);\n`
  const trigger = (body: string, [begin, end] = ['BEGIN', 'END']) =>
    `${table}CREATE TRIGGER r AFTER INSERT ON t\n${begin}\n  ${body}\n${end};\nCREATE TABLE u (a);\n`
  const two = 'DELETE FROM t;\n  DELETE FROM t;'
  const all = Object.keys(SPLITTERS)
  const [readsComments = '', readsCommentsInAnyCase = '', skipsComments = ''] = all

  it.each([
    ['a bare CASE', trigger(`UPDATE t SET a = CASE WHEN b THEN 1 END; ${two}`), all, ['a CASE']],
    ['a CASE in parentheses', trigger(`SELECT (CASE WHEN 1 THEN 1 END); ${two}`), all, ['a CASE']],
    ['an apostrophe in a comment', tables("-- D1's"), [readsComments, readsCommentsInAnyCase], ["-- D1's"]],
    ['two apostrophes in a comment', tables("-- 'a'"), [], ["-- 'a'"]],
    ['a quote mark in a comment', tables('-- a "'), [readsComments, readsCommentsInAnyCase], ['-- a "']],
    ['a backtick in a comment', tables('-- a `'), [readsComments, readsCommentsInAnyCase], ['-- a `']],
    ['a quote mark in a trigger', trigger(`-- a "\n${two}`), [readsComments, readsCommentsInAnyCase], ['-- a "']],
    ['a semicolon in a comment', tables('-- a; b'), [readsComments, readsCommentsInAnyCase], ['-- a; b']],
    ['END in a comment', trigger(`-- END\n${two}`), [readsComments, readsCommentsInAnyCase], []],
    ['end in a comment', trigger(`-- end\n${two}`), [readsCommentsInAnyCase], []],
    ['small begin and end', trigger(two, ['begin', 'end']), [readsComments, skipsComments], []],
    ['carriage returns', trigger(two).replaceAll('\n', '\r\n'), all, ['a carriage return', 'no semicolon at the end']],
    ['a comment at the end', `${tables('-- why')}-- done\n`, all, ['no semicolon at the end']],
  ])('find text that the server would misread: %s', (_, sql, models, rules) => {
    databaseAfter([sql])
    expect([misreadBy(sql), breaches(sql)]).toEqual([models, rules])
  })

  it('accept text that the server reads well', () => {
    const good = trigger(`-- Why, in words.\n  UPDATE t SET a = iif(b, 'x; y', 'BEGIN');\n  ${two}`)
    expect([misreadBy(good), breaches(good)]).toEqual([[], []])
  })
})

it('refuses a function with too many arguments, also in a trigger that has not run', () => {
  const trigger = (count: number) => {
    const list = Array.from({ length: count }, () => 'NULL').join(', ')
    return `CREATE TABLE t (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT max(${list}); END;`
  }
  databaseAfter([trigger(MAX_FUNCTION_ARGUMENTS)])
  expect(() => databaseAfter([trigger(MAX_FUNCTION_ARGUMENTS + 1)])).toThrow('too many arguments on function max')
})
