/** The statements that are cached by shape (storage/statement-texts.ts): the next run of a shape reuses the text. */
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { shapedStatement, slot } from '../../../src/storage/statement-texts.ts'
import { create, customerOf, db, insertTenant, only, prepared, store } from './support.ts'

function run(shape: string, expression: ReturnType<typeof slot>, values: Record<string, unknown>) {
  const build = () => db.select({ answer: expression.as('answer') })
  return db.batch([
    shapedStatement(
      db,
      shape,
      () => build().from(sql`(SELECT 1)`),
      values,
      (row) => row.answer,
    ),
  ])
}

describe('a cached text', () => {
  it('is built once and runs with the values of each run', async () => {
    const doubled = sql`${slot('given')} || ${slot('given')}`
    expect(await run('doubled', doubled, { given: 'a' })).toEqual([['aa']])
    const notLookedAt = sql`no SQL at all`
    expect(await run('doubled', notLookedAt, { given: 'b' })).toEqual([['bb']])
  })

  it('is refused when it would freeze the value of one run for all', () => {
    expect(() => run('leaking', sql`${slot('given')} || ${'mine'}`, { given: 'a' })).toThrow('the shape leaking')
  })

  it('does not run without one of its values', async () => {
    expect(() => run('missing', slot('given'), {})).toThrow('given')
  })
})

describe('the text of a change', () => {
  it('reads the external id only when the caller named one', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'x', name: 'A' })
    await create(scope, { externalId: 'y' })
    const rename = async (name: string, externalId?: string) => {
      const target = externalId === undefined ? { id } : { id, externalId }
      const write = prepared({ kind: 'update', target, changes: { name }, ifVersion: null })
      return only((await store.commitWrites(scope, [write])).results)
    }
    expect(customerOf(await rename('B')).name).toBe('B')
    expect(await rename('C', 'y')).toMatchObject({ ok: false, targetMoved: true })
    expect(customerOf(await rename('D', 'x')).name).toBe('D')
    expect(customerOf(await rename('E')).name).toBe('E')
  })
})
