/**
 * The limits of D1 that local D1 enforces, so that no other test has to check them, and those that it does not:
 * shared/d1-limits.ts checks these for every statement of every test (support/migrate.ts).
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { callsTooLong, MAX_FUNCTION_ARGUMENTS, VALUE_BYTES_MAX, valuesTooLarge } from '../../shared/d1-limits.ts'

const list = (length: number, value = 'NULL') => Array.from({ length }, () => value).join(', ')

it.each([
  ['a statement above 100 KB', `SELECT 1 -- ${'x'.repeat(100_000)}`],
  ['more than 100 parameters', `SELECT 1 WHERE 1 IN (${list(101, '?')})`],
  ['an expression more than 100 levels deep', `SELECT ${'NOT ('.repeat(101)}1${')'.repeat(101)}`],
  ['a pattern of more than 50 bytes', `SELECT 'a' LIKE '${'a'.repeat(51)}'`],
  ['a transaction', 'BEGIN TRANSACTION'],
  ['a savepoint', 'SAVEPOINT a'],
  ['another database', "ATTACH ':memory:' AS a"],
  ['VACUUM', 'VACUUM'],
  ['a PRAGMA that D1 does not document', 'PRAGMA journal_mode = wal'],
])('local D1 refuses %s, as D1 does', async (_, sql) => {
  await expect(env.DB.prepare(sql).run()).rejects.toThrow('D1_ERROR')
})

it('accepts locally a function with more arguments than D1 documents', async () => {
  // By exec, which the check of all statements does not cover.
  await env.DB.exec(`SELECT max(${list(MAX_FUNCTION_ARGUMENTS + 1)})`)
})

it('accepts locally a value larger than D1 documents', async () => {
  const large = 'ü'.repeat(VALUE_BYTES_MAX / 2 + 1)
  // By exec, which the check of all values does not cover.
  await env.DB.exec(`SELECT length(zeroblob(${VALUE_BYTES_MAX + 1}))`)
  expect(valuesTooLarge(['short', null, 7, large])).toEqual([`a value of ${VALUE_BYTES_MAX + 2} bytes`])
  expect(valuesTooLarge([large.slice(1)])).toEqual([])
})

describe('the check of function arguments', () => {
  it.each([
    ['alone', `SELECT max(${list(33)})`, ['33 arguments for max']],
    ['around others', `SELECT json_object('a', iif(1, 2, 3), ${list(31)})`, ['33 arguments for json_object']],
    ['around a query', `SELECT max((SELECT min(1, 2), 3), ${list(32)})`, ['33 arguments for max']],
    ['in another', `SELECT abs("max" (${list(40)}))`, ['40 arguments for "max"']],
  ])('%s', (_, sql, calls) => {
    expect(callsTooLong(sql)).toEqual(calls)
  })

  it('ignores everything else: lists of columns and values are no arguments', () => {
    const names = Array.from({ length: 40 }, (_, at) => `c${at}`).join(', ')
    for (const sql of [
      `SELECT max(${list(32)}), json_object()`,
      `CREATE TABLE t (${names}, PRIMARY KEY (${names}))`,
      `INSERT INTO "t" (${names}) VALUES (${list(40)}) ON CONFLICT (${names}) DO NOTHING`,
      `SELECT 1 WHERE 1 IN (${list(40)}) AND (1, 2) IN (SELECT 1, 2) -- max(${list(40)})`,
      `SELECT 'max(${list(40)})'`,
    ]) {
      expect(callsTooLong(sql), sql).toEqual([])
    }
  })
})
