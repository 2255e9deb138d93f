/** Returns everything that Roster stores, as one text: erased data must not occur in it. */

import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'

/** Returns every table of D1, every key and value of KV, every object of R2, and the SQLite of these gates and of the admin guard. */
export async function everythingStored(gateNames: string[]): Promise<string> {
  const { results: tables } = await env.DB.prepare(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'`,
  ).all<{ name: string }>()
  const rows = await env.DB.batch(tables.map(({ name }) => env.DB.prepare(`SELECT * FROM "${name}"`)))
  const values: [string, string | null][] = []
  for (let cursor: string | undefined, done = false; !done; ) {
    const page = await env.CACHE.list({ ...(cursor && { cursor }) })
    for (const { name } of page.keys) values.push([name, await env.CACHE.get(name)])
    done = page.list_complete
    cursor = page.list_complete ? undefined : page.cursor
  }
  const objects: [string, string][] = []
  for (const { key } of (await env.ARCHIVE.list()).objects) {
    const object = await env.ARCHIVE.get(key)
    const text = object?.body.pipeThrough(new DecompressionStream('gzip'))
    objects.push([key, text ? await new Response(text, { headers: { 'content-type': 'text/plain' } }).text() : ''])
  }
  const gates = await Promise.all(gateNames.map((name) => runInDurableObject(env.GATE.getByName(name), sqlOf)))
  const guardIds = await listDurableObjectIds(env.ADMIN_GUARD)
  const guard = await Promise.all(guardIds.map((id) => runInDurableObject(env.ADMIN_GUARD.get(id), sqlOf)))
  return JSON.stringify(
    { d1: tables.map(({ name }, at) => [name, rows[at]?.results]), kv: values, r2: objects, gates, guard },
    blobAsText,
    1,
  )
}

/** The full-text index keeps words in blobs, which D1 returns as arrays of bytes. */
function blobAsText(_name: string, value: unknown): unknown {
  const isBlob = Array.isArray(value) && value.length > 0 && value.every((byte) => typeof byte === 'number')
  return isBlob ? new TextDecoder().decode(new Uint8Array(value)) : value
}

function sqlOf(_object: unknown, { storage }: DurableObjectState): unknown {
  const tables = storage.sql.exec<{ name: string }>(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'`,
  )
  return tables.toArray().map(({ name }) => [name, storage.sql.exec(`SELECT * FROM "${name}"`).toArray()])
}
