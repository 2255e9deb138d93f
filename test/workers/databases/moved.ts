/** Reads all that there is of a tenant in a database, without the numbers that rows have of their database. */
import { getTableName } from 'drizzle-orm'
import { expect, vi } from 'vitest'
import { COPIED_TABLES, ofTenant, WHOLE_TABLES } from '../../../src/storage/moves/tables.ts'

type Row = Record<string, unknown>

/** Returns the rows of each table of a tenant, in the order of their keys, and what is found by words. */
export async function rowsOfTenant(db: D1Database, tenantId: string): Promise<Record<string, Row[]>> {
  const all = [...COPIED_TABLES, ...WHOLE_TABLES].map(({ schema, ...table }) => ({
    ...table,
    name: getTableName(schema),
  }))
  const read = async (sql: string) => (await db.prepare(sql).bind(tenantId).all<Row>()).results
  const rows = await Promise.all(
    all.map(async (table): Promise<[string, Row[]]> => {
      const order = table.name === 'webhook_deliveries' || table.name === 'admin_audit' ? 'id' : 'tenant_id, mode, 3'
      return [table.name, await read(`SELECT * FROM ${table.name} WHERE ${ofTenant(table)} ORDER BY ${order}`)]
    }),
  )
  const found = Object.fromEntries(rows)
  // Deliveries in their order, and attempts with the place of their delivery in it.
  const ids = (found.webhook_deliveries ?? []).map(({ id }) => id)
  const attempts = await read(
    'SELECT a.* FROM webhook_deliveries d CROSS JOIN webhook_attempts a ON a.delivery_id = d.id WHERE d.tenant_id = ?1 ORDER BY d.id, a.number',
  )
  return {
    ...found,
    customer_aliases: await read('SELECT * FROM customer_aliases WHERE tenant_id = ?1 ORDER BY 2, 3'),
    integration_mappings: await read('SELECT * FROM integration_mappings WHERE tenant_id = ?1 ORDER BY 2, 3, 4'),
    webhook_deliveries: (found.webhook_deliveries ?? []).map(({ id: _id, ...row }) => row),
    webhook_attempts: attempts.map(({ delivery_id, ...row }) => ({ ...row, of: ids.indexOf(delivery_id) })),
    operator_changes: await read('SELECT * FROM operator_changes WHERE tenant_id = ?1 ORDER BY 1, 2, 3'),
    events_in_order: await read('SELECT id FROM events WHERE tenant_id = ?1 ORDER BY id'),
    // Both ways from a customer to its words, in the order of their places.
    search: await read(
      `SELECT c.mode, c.id, replace(s.tokens, printf('%05x', o.number), '') AS tokens
      FROM customers c CROSS JOIN search_scopes o ON o.tenant_id = c.tenant_id
        CROSS JOIN customer_numbers n ON n.id = c.id AND n.tenant_id = c.tenant_id AND n.mode = c.mode
        LEFT JOIN customer_search s ON s.rowid = n.number AND substr(s.tokens, -31) = lower(c.id)
      WHERE c.tenant_id = ?1 ORDER BY n.number, c.id`,
    ),
    found_by_word: await read(
      `SELECT substr(tokens, -31) AS id FROM customer_search WHERE customer_search MATCH (
        SELECT replace('"?acust_"* OR "?bcust_"* OR "?ccust_"* OR "?dcust_"*', '?', printf('%05x', number))
        FROM search_scopes WHERE tenant_id = ?1
      ) ORDER BY rowid`,
    ),
  }
}

/** Rows of the directory that are of a tenant and stay there. */
const OF_DIRECTORY = ['api_keys', 'search_scopes', 'moves']

/** Returns how many rows a tenant has in each table of its data; those without any are left out. */
export async function countsOfTenant(db: D1Database, tenantId: string): Promise<Record<string, number>> {
  const { results } = await db
    .prepare(
      `SELECT name FROM sqlite_master WHERE (type = 'table' OR name = 'customer_numbers') AND sql LIKE '%tenant_id%'`,
    )
    .all<{ name: string }>()
  const names = results.map(({ name }) => name).filter((name) => !OF_DIRECTORY.includes(name))
  const counts = await db.batch<{ n: number }>(
    names.map((name) => {
      const only = COPIED_TABLES.find((table) => table.name === name)?.only
      return db
        .prepare(`SELECT count(*) AS n FROM "${name}" WHERE ${ofTenant({ name, ...(only && { only }) })}`)
        .bind(tenantId)
    }),
  )
  const all = names.map((name, at): [string, number] => [name, counts[at]?.results[0]?.n ?? 0])
  return Object.fromEntries(all.filter(([, count]) => count > 0))
}

/** Copies the row of a tenant to another database, as its creation there would. */
export async function copyTenantRow(from: D1Database, to: D1Database, tenantId: string): Promise<void> {
  const row = await from.prepare('SELECT * FROM tenants WHERE id = ?').bind(tenantId).first<Row>()
  const columns = Object.keys(row ?? {})
  await to
    .prepare(`INSERT OR IGNORE INTO tenants (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`)
    .bind(...columns.map((column) => row?.[column]))
    .run()
}

/** Waits until everything that follows from the changes of a tenant was sent and begun. */
export function untilQuiet(db: D1Database, tenantId: string): Promise<unknown> {
  return vi.waitUntil(
    async () => {
      const left = await db
        .prepare(
          `SELECT (SELECT count(*) FROM webhook_deliveries WHERE tenant_id = ?1 AND status = 'pending')
            + (SELECT count(*) FROM onboarding_runs WHERE tenant_id = ?1 AND (status = 'pending' OR progress = '[]')) AS n`,
        )
        .bind(tenantId)
        .first<number>('n')
      return left === 0
    },
    { timeout: 60_000, interval: 50 },
  )
}

/** Nothing of a move is left in any database, and no row that held a place. */
export async function expectNoMarks(databases: readonly D1Database[]) {
  const tables = [
    'arriving_tenants',
    'leaving_tenants',
    'moving_changes',
    "webhook_deliveries WHERE tenant_id = ''",
    "customer_search WHERE tokens = ''",
  ]
  for (const db of databases) {
    for (const table of tables) expect(await db.prepare(`SELECT count(*) AS n FROM ${table}`).first('n'), table).toBe(0)
  }
}
