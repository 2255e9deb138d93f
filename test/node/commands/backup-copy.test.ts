/**
 * Tests the copy of a backup: it is of one moment, although customers change all the while, exact to the byte, and restored
 * whole. The database is that of a served Roster.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { copyDatabase } from '../../../scripts/backup/copy.mjs'
import { writeImportFile } from '../../../scripts/backup/import-file.mjs'
import { SCHEMA } from '../../../scripts/backup/schema.mjs'
import { bearer, Client } from '../isolates/client.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { splitSql } from '../support/split-sql.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-backup-'))
let cluster: Cluster
let client: Client
let database: Awaited<ReturnType<Cluster['miniflare']['getD1Database']>>
type Row = Record<string, unknown>

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
  database = await cluster.miniflare.getD1Database('DB', 'home')
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

/** Stands in for `scripts/backup/database.mjs` with a database of an account. Calls `onPage` at each page. */
function sourceOf(onPage: () => Promise<void> = async () => undefined) {
  const batch = async (statements: string[]) => {
    if (statements.length === 0) return []
    const answers = await database.batch(statements.map((sql) => database.prepare(sql)))
    return answers.map(({ results }: { results: Row[] }) => results)
  }
  return {
    async query(sql: string, params: unknown[] = []) {
      await onPage()
      const { results } = await database
        .prepare(sql)
        .bind(...params)
        .all()
      return results as Row[]
    },
    batch,
    apply: (file: string) => batch(splitSql(readFileSync(file, 'utf8'))),
    close: async () => undefined,
  }
}

const tablesOf = (sqlite: DatabaseSync) =>
  sqlite
    // The index is compared by its rows, and not by how it keeps them.
    .prepare(
      `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    )
    .all()
    .map(({ name }) => String(name))

it('copies one moment, although customers are made, changed, archived and erased all the while', async () => {
  const tenant = await client.newTenant({ tier: 'enterprise' })
  const ids: string[] = []
  const send = (method: string, where: string, body?: object) =>
    client.send(0, method, `/v1/customers${where}`, bearer(tenant.key), body)
  for (let at = 0; at < 150; at++) ids.push(await client.newCustomer(tenant, `before ${at}`))
  let made = 0
  const change = async () => {
    const id = ids[(made * 37) % ids.length] ?? ''
    const which = made++ % 5
    if (which === 0) ids.push(await client.newCustomer(tenant, `during ${made}`))
    else if (which === 1) await send('PUT', `/${id}`, { external_id: `renamed ${made}`, name: `n${made}` })
    else if (which === 2) await send('PUT', `/${id}`, { status: 'draft', email: `e${made}@example.com` })
    else if (which === 3) await send('DELETE', `/${id}`)
    else await send('POST', `/${id}/erase`)
  }
  const file = path.join(folder, 'busy.sqlite')
  await copyDatabase(
    sourceOf(async () => void (await Promise.all([change(), change()]))),
    file,
    { folder },
  )
  expect(made).toBeGreaterThan(30)

  const copy = new DatabaseSync(file, { readOnly: true })
  expect(copy.prepare('PRAGMA foreign_key_check').all()).toEqual([])
  const orphans = `SELECT id FROM customers WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = change_id AND e.version = customers.version)`
  expect(copy.prepare(orphans).all()).toEqual([])
  const ahead = `SELECT e.id FROM events e JOIN customers c ON c.id = e.customer_id WHERE e.version > c.version`
  expect(copy.prepare(ahead).all()).toEqual([])
  const counted = copy
    .prepare('SELECT status, sum(count) AS n FROM customer_counts WHERE count > 0 GROUP BY status')
    .all()
  const counts = `SELECT iif(archived_at IS NULL, status, 'archived') AS status, count(*) AS n FROM customers
    WHERE erased_at IS NULL GROUP BY 1 ORDER BY 1`
  expect(counted).toEqual(copy.prepare(counts).all())
  copy.close()
  // Nothing of it is left in the database.
  const schema = await sourceOf().query(SCHEMA)
  expect(schema.filter(({ name }: Row) => String(name).startsWith('backup'))).toEqual([])
})

it('has every row to the byte, and its import file makes the same database again', async () => {
  const tenant = await client.newTenant({ tier: 'enterprise' })
  const send = (method: string, where: string, body?: object) => client.send(0, method, where, bearer(tenant.key), body)
  const texts = ["O'Brien; DROP", 'a line\nand \\n a backslash\r\n', '{"a":"\\n"}', '𝕏 é "quoted" -- /* */', '\u0001']
  for (const [at, name] of texts.entries()) {
    const { status } = await send('POST', '/v1/customers', { external_id: `text ${at}`, name })
    expect(status).toBe(201)
  }
  // Its events are before some of the tenant that sorts before it: the rowids of events have to keep that order.
  const other = await client.newTenant({ tier: 'enterprise' })
  await client.send(0, 'POST', '/v1/customers', bearer(other.key), { external_id: 'between' })
  // A child that is older than its parent.
  const child = await send('POST', '/v1/customers', { external_id: 'child' })
  const parent = await send('POST', '/v1/customers', { external_id: 'parent' })
  await send('PUT', `/v1/customers/${child.body.id}`, { parent_customer_id: parent.body.id })
  // Its second event, with the devices before and after, is longer than a statement of D1 may be.
  for (const kind of ['a', 'b']) {
    const devices = Array.from({ length: 250 }, (_, at) => `${kind}${at}${'𝕏'.repeat(60)}`)
    const large = await send('PATCH', `/customers/${parent.body.id}`, { devices })
    expect(large.status).toBe(202)
  }

  const file = path.join(folder, 'exact.sqlite')
  const { rows } = await copyDatabase(sourceOf(), file, { folder })
  const sql = path.join(folder, 'exact.sql')
  expect(writeImportFile(file, sql).rows).toBe(rows)
  const statements = splitSql(readFileSync(sql, 'utf8'))
  expect(Math.max(...statements.map((statement) => Buffer.byteLength(statement)))).toBeLessThan(100_000)
  expect(statements.filter((statement) => statement.startsWith('UPDATE "events"')).length).toBeGreaterThan(1)

  const restored = new DatabaseSync(':memory:')
  restored.exec(`BEGIN;\n${readFileSync(sql, 'utf8')};\nCOMMIT`)
  expect(restored.prepare('PRAGMA foreign_key_check').all()).toEqual([])
  let compared = 0
  for (const table of tablesOf(restored)) {
    if (table === 'deployment' || table === 'tenants') continue
    const { results } = await database.prepare(`SELECT * FROM ${table}`).all()
    expect(restored.prepare(`SELECT * FROM ${table}`).all(), table).toEqual(results)
    compared += results.length
  }
  expect(compared).toBeGreaterThan(15)
  const index = 'SELECT rowid, tokens FROM customer_search ORDER BY rowid'
  expect(restored.prepare(index).all()).toEqual((await database.prepare(index).all()).results)
  restored.exec(`INSERT INTO customer_search (customer_search) VALUES ('integrity-check')`)
  expect(restored.prepare('SELECT count(DISTINCT doc) AS n FROM customer_search_words').get()?.n).toBeGreaterThan(1)
  const option = `SELECT v FROM customer_search_config WHERE k = 'usermerge'`
  expect(restored.prepare(option).all()).toEqual([{ v: 2 }])
  // Every gate that goes by what was before has to follow.
  const epoch = restored.prepare('SELECT data_epoch AS n FROM deployment').get()?.n
  const { data_epoch: before } = (await database.prepare('SELECT data_epoch FROM deployment').first()) ?? {}
  expect(Number(epoch)).toBeGreaterThan(Number(before))
  expect(restored.prepare('SELECT DISTINCT policy_version AS n FROM tenants').all()).toEqual([{ n: epoch }])
  const schemaOf = (all: Row[]) => all.map(({ type, name, sql }) => `${type} ${name} ${sql}`).sort()
  expect(schemaOf(restored.prepare(SCHEMA).all())).toEqual(schemaOf(await sourceOf().query(SCHEMA)))
})

it('leaves nothing behind when it breaks off, and cleans up after one that was killed', async () => {
  const file = path.join(folder, 'broken.sqlite')
  let calls = 0
  const breaking = sourceOf(async () => {
    if (++calls === 5) throw new Error('the line broke')
  })
  await expect(copyDatabase(breaking, file, { folder })).rejects.toThrow('the line broke')
  const leftOf = async () =>
    (await sourceOf().query(SCHEMA)).filter(({ name }: Row) => String(name).startsWith('backup'))
  expect(await leftOf()).toEqual([])

  const killed = sourceOf()
  killed.batch = async () => Promise.reject(new Error('killed'))
  await expect(copyDatabase(killed, path.join(folder, 'killed.sqlite'), { folder })).rejects.toThrow('killed')
  expect((await leftOf()).length).toBeGreaterThan(10)
  await copyDatabase(sourceOf(), path.join(folder, 'after.sqlite'), { folder })
  expect(await leftOf()).toEqual([])
})

it('fails rather than misses a change when another backup begins', async () => {
  let calls = 0
  const disturbed = sourceOf(async () => {
    if (++calls === 6) await copyDatabase(sourceOf(), path.join(folder, 'other.sqlite'), { folder })
  })
  const copied = copyDatabase(disturbed, path.join(folder, 'disturbed.sqlite'), { folder })
  await expect(copied).rejects.toThrow('no such table')
})
