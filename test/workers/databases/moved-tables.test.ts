/** Every table of tenants moves with them. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { ALONG_TABLES, COPIED_TABLES, PLACES, WHOLE_TABLES } from '../../../src/storage/moves/tables.ts'

/** Those of the directory, those of moves, and the numbers of tenants, which are of each database. */
const STAY = ['api_keys', 'arriving_tenants', 'leaving_tenants', 'moves', 'moving_changes', 'search_scopes']

async function named(sql: string): Promise<string[]> {
  return (await env.DB.prepare(sql).all<{ name: string }>()).results.map(({ name }) => name)
}

it('knows each table with a column for tenants', async () => {
  const all = await named(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND (sql LIKE '%tenant_id text%' OR sql LIKE '%scope integer%')
    ORDER BY 1`,
  )
  const moved = [...COPIED_TABLES, ...ALONG_TABLES, ...WHOLE_TABLES].map(({ name }) => name)
  expect([...moved, PLACES, ...STAY].sort()).toEqual(all)
})

it('notes every change of a row that is copied by itself, and refuses every change that is not the consequence of another', async () => {
  const triggers = await named(
    `SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'leaving\\_%' ESCAPE '\\'`,
  )
  const operations = (table: string) =>
    triggers.flatMap((name) => (name.startsWith(`leaving_${table}_`) ? name.slice(`leaving_${table}_`.length) : []))
  for (const { name } of COPIED_TABLES) {
    // A run is inserted with its customer, whose trigger notes both.
    const expected = name === 'onboarding_runs' ? ['delete', 'update'] : ['delete', 'insert', 'update']
    expect(operations(name).sort(), name).toEqual(expected)
  }
  for (const name of ['webhook_endpoints', 'settings'])
    expect(operations(name).sort()).toEqual(['delete', 'insert', 'update'])
  // Insertions are the consequence of an erasure.
  expect(operations('erasures').sort()).toEqual(['delete', 'update'])
  expect(operations('webhook_attempts').sort()).toEqual(['insert', 'update'])
})
