import { env } from 'cloudflare:workers'
import { DrizzleQueryError } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { classifyD1Error } from '../../../src/storage/d1-errors.ts'
import { takeRefused } from '../support/checked-d1.ts'
import { create, insertTenant } from './support.ts'

async function errorOf(sql: string, ...values: unknown[]): Promise<unknown> {
  return env.DB.prepare(sql)
    .bind(...values)
    .run()
    .then(
      () => expect.unreachable('the statement was to fail'),
      (error: unknown) => error,
    )
}

describe('the error of D1', () => {
  it('names the columns of a unique key, the check, or the text of the trigger that refused', async () => {
    const scope = await insertTenant()
    const first = await create(scope, { externalId: 'first' })
    const second = await create(scope, { externalId: 'second' })
    const where = `WHERE tenant_id = '${scope.tenantId}' AND id = ?`
    const cases = {
      [`UPDATE customers SET external_id = 'first' ${where}`]:
        'customers.external_id, customers.tenant_id, customers.mode',
      [`UPDATE customers SET change_id = (SELECT change_id FROM customers ${where.replace('?', `'${first.id}'`)}) ${where}`]:
        'events.tenant_id, events.mode, events.id',
      [`UPDATE customers SET status = 'lost', change_id = 'evt_c' ${where}`]: 'customers_status',
      [`UPDATE customers SET timezone = NULL ${where}`]: 'customers.timezone',
      [`UPDATE customers SET parent_id = 'nobody' ${where}`]: 'parent_not_found',
      [`UPDATE customers SET tenant_id = 'nobody', change_id = 'evt_f' ${where}`]: 'FOREIGN KEY constraint failed',
    }
    for (const [sql, rule] of Object.entries(cases)) {
      expect(classifyD1Error(await errorOf(sql, second.id)), sql).toEqual({ kind: 'refused', rule })
    }
  })

  it('separates a wrong or oversized statement from one that broke off', async () => {
    expect(classifyD1Error(await errorOf('SELECT nothing FROM nowhere'))).toEqual({ kind: 'broken' })
    const faulty = [
      `SELECT 1${' '.repeat(110_000)}`,
      `SELECT 1 WHERE 1 IN (${Array.from({ length: 101 }, () => '?').join(', ')})`,
      `SELECT 'a' LIKE '${'a'.repeat(51)}'`,
      `SELECT ${'NOT ('.repeat(101)}1${')'.repeat(101)}`,
      `SELECT json('{')`,
      `SELECT max(${Array.from({ length: 200 }, () => '1').join(', ')})`,
      'SELEC 1',
      '',
    ]
    for (const sql of faulty) expect(classifyD1Error(await errorOf(sql)), sql.slice(0, 40)).toEqual({ kind: 'broken' })
    // The check of all statements has seen the one that is too long for it, and is to fail for others only.
    expect(takeRefused()).toHaveLength(1)
    for (const message of [
      'D1_ERROR: too many SQL variables at offset 7: SQLITE_ERROR',
      'D1_ERROR: string or blob too big: SQLITE_TOOBIG',
      'D1_ERROR: too many terms in compound SELECT: SQLITE_ERROR',
      'D1_ERROR: LIKE or GLOB pattern too complex: SQLITE_ERROR',
      "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
      'D1_COLUMN_NOTFOUND: Column not found (b)',
      'D1_EXEC_ERROR: Error in line 1: SELEC 1',
      'D1_ERROR: No SQL statements detected.',
      'D1_ERROR: Wrong number of parameter bindings for SQL query.',
    ]) {
      expect(classifyD1Error(new Error(message)), message).toEqual({ kind: 'broken' })
    }
    for (const message of [
      'D1_ERROR: Network connection lost.',
      'D1 DB reset because its code was updated.',
      'Internal error in D1 DB storage caused object to be reset.',
      'D1 DB storage operation exceeded timeout which caused object to be reset.',
      'Replica disconnected from primary',
      "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
      'D1_ERROR: D1 DB exceeded its CPU time limit and was reset.',
      'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
      'something nobody has seen before',
    ]) {
      expect(classifyD1Error(new Error(message)), message).toEqual({ kind: 'uncertain' })
    }
    expect(classifyD1Error('not even an error')).toEqual({ kind: 'uncertain' })
  })

  it('means that nothing was committed where D1 has no room, and that a repeat does not help', () => {
    for (const message of [
      'D1_ERROR: Exceeded maximum DB size',
      'D1_ERROR: Exceeded maximum DB size.',
      'D1_ERROR: Exceeded maximum account storage limit.',
      "D1_ERROR: Your account has exceeded D1's maximum account storage limit.",
      'D1_ERROR: database or disk is full: SQLITE_FULL',
    ]) {
      expect(classifyD1Error(new Error(message)), message).toEqual({ kind: 'full' })
    }
  })

  it('means that an overloaded D1 did not begin the request', () => {
    for (const message of [
      'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
      'D1 DB is overloaded. Too many requests queued.',
      'D1_ERROR: Currently processing a long-running import.',
      'D1_ERROR: Currently processing a long-running export.',
    ]) {
      expect(classifyD1Error(new Error(message))).toEqual({ kind: 'overloaded' })
    }
  })

  it("is read below Drizzle's wrapper, whatever the bound values contain", () => {
    const cause = new Error('D1_ERROR: has_children: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)')
    const wrapped = new DrizzleQueryError('update', ['parent_cycle: SQLITE_CONSTRAINT', 'D1 DB is overloaded'], cause)
    expect(classifyD1Error(wrapped)).toEqual({ kind: 'refused', rule: 'has_children' })
  })
})
