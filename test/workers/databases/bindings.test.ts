/** The databases of this folder's tests: `DB`, `DB_1` and `DB_2`, each with the whole schema. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { readEnv } from '../../../src/env.ts'

it('has three databases, each with every migration and rows of its own', async () => {
  const { databases, directory } = readEnv(env)
  expect(databases).toEqual([env.DB, env.DB_1, env.DB_2])
  expect(directory).toBe(databases[0])
  const numbers = databases.map(async (database, number) => {
    const { results } = await database.prepare('SELECT name FROM d1_migrations ORDER BY id').all()
    expect(results.map(({ name }) => name)).toEqual(env.TEST_MIGRATIONS.map(({ name }) => name))
    await database.prepare('CREATE TABLE numbered AS SELECT ? AS number').bind(number).run()
    return database.prepare('SELECT number FROM numbered').first('number')
  })
  expect(await Promise.all(numbers)).toEqual([0, 1, 2])
  for (const database of databases) await database.prepare('DROP TABLE numbered').run()
})
