/** A database in memory with the tables and triggers of all migrations. */
import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

export type Row = Record<string, string | number | null>

export function migrated(): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  const files = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  for (const name of files.sort()) database.exec(readFileSync(`migrations/${name}`, 'utf8'))
  return database
}

/** A customer of which nothing is set, at its creation. */
export const UNSET: Row = {
  external_id: 'a',
  timezone: 'UTC',
  metadata: '{}',
  integrations: '[]',
  profile: '{}',
  status: 'published',
  version: 1,
  created_at: 1,
  updated_at: 1,
  created_by: 'key_1',
  updated_by: 'key_1',
}

export function insertTenant(database: DatabaseSync, tenantId: string): void {
  insert(database, 'tenants', {
    ...{ id: tenantId, company_name: 'Acme', contact_email: 'ops@example.com', tier: 'scale', status: 'active' },
    ...{
      requests_per_second: 200,
      burst: 400,
      annual_commitment: 0,
      annual_validation_limit: 1,
      storage_bytes: 2_000_000_000,
      metadata: '{}',
    },
    ...{ created_at: 1, updated_at: 1, version: 1, policy_version: 1 },
  })
}

export function insert(database: DatabaseSync, table: string, row: Row): void {
  const names = Object.keys(row)
  const values = names.map(() => '?').join(', ')
  database.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${values})`).run(...Object.values(row))
}

/** Changes a customer, or all of a tenant. */
export function change(database: DatabaseSync, where: Row, set: Row): void {
  const named = (row: Row, by: string) =>
    Object.keys(row)
      .map((name) => `${name} = ?`)
      .join(by)
  database
    .prepare(`UPDATE customers SET ${named(set, ', ')} WHERE ${named(where, ' AND ')}`)
    .run(...Object.values(set), ...Object.values(where))
}
