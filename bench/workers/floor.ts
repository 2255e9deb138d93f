/**
 * The least that any Worker would do that makes the calls of Roster's reads and writes: the same bindings, tables and rows,
 * and nothing else. What Roster takes beyond it is Roster's own. It is no part of Roster.
 */
import { DurableObject } from 'cloudflare:workers'
import type { ListQuery } from '../../src/registry/query.ts'
import { listCustomers } from '../../src/storage/customers/list-pages.ts'
import { findCustomer } from '../../src/storage/customers/reads.ts'
import { type Recorded, statementsOf } from './recorded.ts'

interface Env {
  DB: D1Database
  CACHE: KVNamespace
  HOME: DurableObjectNamespace<FloorGate>
}

/** The floor puts its tenant and the id in place of these. */
const ANY = { tenantId: 'tenant', mode: 'live' } as const
const FIFTY: ListQuery = {
  filters: [],
  includeArchived: false,
  sort: [],
  limit: 50,
  start: { kind: 'offset', offset: 0 },
}
/** The statements of Roster's own reads. */
const ROW = await statementsOf((db) => findCustomer(db, ANY, 'id'))
const LIST = await statementsOf((db) => listCustomers(db, ANY, FIFTY, { total: true }))
const RENAME = `UPDATE customers SET name = ?, version = version + 1, updated_at = ?, updated_by = 'floor', change_id = ?
  WHERE tenant_id = ? AND mode = 'live' AND id = ? RETURNING *`

interface Rename {
  tenantId: string
  id: string
  name: string
  resolve: (row: unknown) => void
  reject: (error: unknown) => void
}

/** Notes each batch, and commits what came meanwhile together. */
export class FloorGate extends DurableObject<Env> {
  #waiting: Rename[] = []
  #isBusy = false
  #seq = 0

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, at INTEGER)')
    this.#seq = Number(ctx.storage.sql.exec('SELECT coalesce(max(seq), 0) AS n FROM log').one().n)
  }

  rename(tenantId: string, id: string, name: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenantId, id, name, resolve, reject })
      if (!this.#isBusy) void this.#commit()
    })
  }

  async #commit(): Promise<void> {
    this.#isBusy = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, 32)
      const seq = ++this.#seq
      this.ctx.storage.sql.exec('INSERT INTO log (seq, at) VALUES (?, ?)', seq, Date.now())
      const session = this.env.DB.withSession('first-primary')
      try {
        const rename = session.prepare(RENAME)
        const done = await session.batch(
          batch.map(({ tenantId, id, name }) => {
            return rename.bind(name, Date.now(), crypto.randomUUID(), tenantId, id)
          }),
        )
        for (const [at, { resolve }] of batch.entries()) resolve(done[at]?.results[0])
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isBusy = false
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, tenantId = '', , , id] = new URL(request.url).pathname.split('/')
    if (id === undefined) return Response.json(await list(env, tenantId))
    if (request.method === 'PUT') {
      const { name } = (await request.json()) as { name: string }
      return Response.json(await env.HOME.getByName(tenantId).rename(tenantId, id, name))
    }
    await env.CACHE.get(`floor:${id}`, 'json')
    const [found] = await read(env, ROW, { tenant: tenantId, id })
    return Response.json(found?.results[0])
  },
}

async function list(env: Env, tenantId: string): Promise<unknown> {
  const [page, count] = await read(env, LIST, { tenant: tenantId })
  return { items: page?.results, total: count?.results[0] }
}

/** Runs the statements with these values in place of their names. */
async function read(env: Env, statements: Recorded[], values: Record<string, string>): Promise<D1Result[]> {
  const session = env.DB.withSession('first-unconstrained')
  return session.batch(
    statements.map(({ sql, params }) => {
      return session.prepare(sql).bind(...params.map((param) => values[String(param)] ?? param))
    }),
  )
}
