/** Tenants in a database of one's choice, and a look at what each database has of them. */
import { env } from 'cloudflare:workers'
import { readEnv } from '../../../src/env.ts'
import { databaseInId } from '../../../src/shared/ids.ts'
import type { Ends } from '../../../src/storage/moves/marks.ts'
import { boundAt } from '../../../src/storage/tenants/placement.ts'
import { newKey, newTenantWithoutKeys, type TestTenant } from '../support/roster.ts'

export const { databases, directory } = readEnv(env)

/** Makes a tenant in that database. Its id says another one, maybe, as that of a tenant that has moved. */
export async function newTenantIn(number: number): Promise<TestTenant> {
  const tenantId = await newTenantWithoutKeys()
  await directory
    .prepare('UPDATE tenants SET database_number = ?, policy_version = policy_version + 1 WHERE id = ?')
    .bind(number, tenantId)
    .run()
  const made = databaseInId(tenantId)
  if (made !== 0 && made !== number) {
    await (databases[made] as D1Database).prepare('DELETE FROM tenants WHERE id = ?').bind(tenantId).run()
  }
  return { tenantId, live: await newKey(tenantId, { mode: 'live' }) }
}

/** Returns the tenant's database and the next one, to which a move may bring it. */
export async function endsOf(tenantId: string, moveId = `mov_${tenantId}`): Promise<Ends> {
  const number = await directory
    .prepare('SELECT database_number FROM tenants WHERE id = ?')
    .bind(tenantId)
    .first<number>('database_number')
  const from = Number(number)
  return { from: boundAt(databases, from), to: boundAt(databases, (from + 1) % databases.length), tenantId, moveId }
}

/** Returns the tables of a database that have rows of the tenant. */
export async function tablesWith(d1: D1Database, tenantId: string): Promise<string[]> {
  const { results } = await d1
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%tenant_id text%'`)
    .all<{ name: string }>()
  const tables = [['tenants', 'id'], ...results.map(({ name }) => [name, 'tenant_id'])] as const
  const counts = await d1.batch<{ n: number }>(
    tables.map(([name, column]) => d1.prepare(`SELECT count(*) AS n FROM ${name} WHERE ${column} = ?`).bind(tenantId)),
  )
  return tables.flatMap(([name = ''], at) => (counts[at]?.results[0]?.n ? [name] : [])).toSorted()
}
