import { env } from 'cloudflare:workers'
import { DrizzleQueryError } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { classifyD1Error } from '../../src/storage/d1-errors.ts'
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

describe('an error of D1 says what became of the statement', () => {
  it('names the columns of a unique key, the check, or the words of the trigger that refused', async () => {
    const scope = await insertTenant()
    const first = await create(scope, { externalId: 'first' })
    const second = await create(scope, { externalId: 'second' })
    const where = `WHERE tenant_id = '${scope.tenantId}' AND id = ?`
    const cases = {
      [`UPDATE customers SET external_id = 'first' ${where}`]:
        'customers.tenant_id, customers.mode, customers.external_id',
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

  it('tells a wrong or oversized statement from one that broke off', async () => {
    expect(classifyD1Error(await errorOf('SELECT nothing FROM nowhere'))).toEqual({ kind: 'broken' })
    expect(classifyD1Error(await errorOf(`SELECT 1${' '.repeat(110_000)}`))).toEqual({ kind: 'broken' })
    for (const message of [
      'D1_ERROR: Network connection lost.',
      'D1 DB reset because its code was updated.',
      'Internal error in D1 DB storage caused object to be reset.',
      'D1 DB storage operation exceeded timeout which caused object to be reset.',
      'Replica disconnected from primary',
      'something nobody has seen before',
    ]) {
      expect(classifyD1Error(new Error(message)), message).toEqual({ kind: 'uncertain' })
    }
    expect(classifyD1Error('not even an error')).toEqual({ kind: 'uncertain' })
  })

  it('knows that a request turned away at the door was not begun', () => {
    for (const message of [
      'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
      'D1 DB is overloaded. Too many requests queued.',
    ]) {
      expect(classifyD1Error(new Error(message))).toEqual({ kind: 'overloaded' })
    }
  })

  it('reads the cause under what Drizzle wraps around it, whatever the bound values say', () => {
    const cause = new Error('D1_ERROR: has_children: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)')
    const wrapped = new DrizzleQueryError('update', ['parent_cycle: SQLITE_CONSTRAINT', 'D1 DB is overloaded'], cause)
    expect(classifyD1Error(wrapped)).toEqual({ kind: 'refused', rule: 'has_children' })
  })
})
