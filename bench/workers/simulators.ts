/**
 * Calls of the local simulators and nothing else: what Roster calls costs at least this much on a developer's machine, and tells
 * nothing about Cloudflare. `npm run bench:peer` measures each path.
 */
import { DurableObject } from 'cloudflare:workers'

interface Env {
  CACHE: KVNamespace
  DB: D1Database
  OBJECT: DurableObjectNamespace<Empty>
}

/** An object that does nothing. */
export class Empty extends DurableObject<Env> {
  nothing(): number {
    return 0
  }
}

const VALUE = JSON.stringify({ asof: 1, value: Object.fromEntries(columns().map((name) => [name, 'some text of it'])) })
const ROWS = 1_000
const SELECT = 'SELECT * FROM floor WHERE tenant = ?1 AND id'

/** Columns beside tenant and id, as many as a customer has. */
function columns(): string[] {
  return Array.from({ length: 20 }, (_, at) => `column_${at}`)
}

const CALLS: Record<string, (env: Env) => Promise<unknown>> = {
  '/nothing': async () => null,
  '/kv-hit': ({ CACHE }) => CACHE.get('there', 'json'),
  '/kv-miss': ({ CACHE }) => CACHE.get(`missing ${Math.random()}`, 'json'),
  '/kv-put': ({ CACHE }) => CACHE.put(`put ${Math.random()}`, VALUE, { expirationTtl: 86_400 }),
  '/d1-row': ({ DB }) => DB.withSession('first-primary').prepare(`${SELECT} = ?2`).bind('t', someId()).first(),
  '/d1-50-rows': ({ DB }) =>
    DB.withSession('first-primary').prepare(`${SELECT} > ?2 ORDER BY id LIMIT 50`).bind('t', someId()).all(),
  '/d1-write': ({ DB }) =>
    DB.withSession('first-primary')
      .prepare('UPDATE floor SET column_0 = ?3 WHERE tenant = ?1 AND id = ?2')
      .bind('t', someId(), crypto.randomUUID())
      .run(),
  '/object': ({ OBJECT }) => OBJECT.getByName('one').nothing(),
}

function someId(): string {
  return String(1_000 + Math.floor(Math.random() * (ROWS - 60)))
}

async function prepare({ CACHE, DB }: Env): Promise<void> {
  await CACHE.put('there', VALUE)
  const texts = columns()
  const table = `CREATE TABLE floor (tenant text, id text, ${texts.map((name) => `${name} text`).join()}, PRIMARY KEY (tenant, id))`
  await DB.prepare(`${table} WITHOUT ROWID`).run()
  const insert = DB.prepare(`INSERT INTO floor VALUES ('t', ?, ${texts.map(() => "'some text of it'").join()})`)
  await DB.batch(Array.from({ length: ROWS }, (_, at) => insert.bind(String(1_000 + at))))
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const path = new URL(request.url).pathname
    if (path === '/prepare') await prepare(env)
    await CALLS[path]?.(env)
    return new Response('{}')
  },
} satisfies ExportedHandler<Env>
