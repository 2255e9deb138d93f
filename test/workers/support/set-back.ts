/**
 * D1 as Time Travel leaves it: every row as it was at an earlier moment, while KV, gates and isolates keep their data.
 * `lostBookmarks` models a case that Cloudflare does not document: bookmarks begin again below those of the discarded
 * history, and a session that starts at one of those is never answered.
 */
import { vi } from 'vitest'

interface Table {
  name: string
  rows: Record<string, unknown>[]
}

/** All rows of a moment. */
export type Moment = Table[]

/** Returns the rows of now. */
export async function momentOf(db: D1Database): Promise<Moment> {
  const names = (await db.prepare(TABLES).all<{ name: string }>()).results.map(({ name }) => name)
  const read = await db.batch<Record<string, unknown>>(names.map((name) => db.prepare(`SELECT * FROM ${name}`)))
  return names.map((name, at) => ({ name, rows: read[at]?.results ?? [] }))
}

/** Sets every table back, in one transaction and without any trigger. */
export async function setBack(db: D1Database, moment: Moment): Promise<void> {
  const triggers = (await db.prepare(TRIGGERS).all<{ name: string; sql: string }>()).results
  await db.batch([
    db.prepare('PRAGMA defer_foreign_keys = on'),
    ...triggers.map(({ name }) => db.prepare(`DROP TRIGGER ${name}`)),
    ...moment.flatMap(({ name, rows }) => [
      db.prepare(`DELETE FROM ${name}`),
      ...rows.map((row) => {
        const columns = Object.keys(row)
        const places = columns.map(() => '?').join(', ')
        return db.prepare(`INSERT INTO ${name} (${columns.join(', ')}) VALUES (${places})`).bind(...Object.values(row))
      }),
    ]),
    ...REFILL_INDEX.map((sql) => db.prepare(sql)),
    ...triggers.map(({ sql }) => db.prepare(sql)),
  ])
}

const TABLES = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
  AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name <> 'd1_migrations' AND name NOT LIKE 'customer\\_search%' ESCAPE '\\'`
/** The full-text index follows from the customers. SQLite writes the tables that it consists of. */
const REFILL_INDEX = [
  'DELETE FROM customer_search',
  `INSERT INTO customer_search (rowid, tokens) SELECT n.number, t.tokens FROM customer_numbers n
   CROSS JOIN customer_tokens t ON t.tenant_id = n.tenant_id AND t.mode = n.mode AND t.id = n.id`,
]
const TRIGGERS = `SELECT name, sql FROM sqlite_master WHERE type = 'trigger'`

/** Replaces the bookmarks of every session. `lose` ends the history: call it when D1 is set back. */
export function lostBookmarks(db: D1Database): { lose(): void; countLostStarts(): number; restore(): void } {
  const prototype = Object.getPrototypeOf(db) as D1Database
  const open = prototype.withSession
  // Bookmarks sort as texts, and a token takes hexadecimal digits.
  const histories = ['f', 'e', 'd', 'c']
  let history = 0
  let lostStarts = 0
  const spy = vi.spyOn(prototype, 'withSession').mockImplementation(function (this: D1Database, start) {
    const known = start?.startsWith('first-') ? null : start?.[0]
    if (known && known !== histories[history]) {
      lostStarts++
      return unanswered()
    }
    const session = open.call(this, known ? start?.slice(1) : start)
    const bookmark = () => {
      const real = session.getBookmark()
      return real === null ? null : `${histories[history]}${real}`
    }
    return new Proxy(session, {
      get: (target, name) => {
        if (name === 'getBookmark') return bookmark
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  })
  return {
    lose: () => void history++,
    countLostStarts: () => lostStarts,
    restore: () => spy.mockRestore(),
  }
}

function unanswered(): D1DatabaseSession {
  const never = () => new Promise<never>(() => undefined)
  const statement = { bind: () => statement, run: never, all: never, raw: never, first: never }
  return { prepare: () => statement, batch: never, getBookmark: () => null } as unknown as D1DatabaseSession
}
