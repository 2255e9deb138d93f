/**
 * The gate's own storage, in the SQLite of its Durable Object: `GateStorage` (gate-storage.ts documents each
 * call) over two tables, rows in JSON. A row changes its shape only by an entry of MIGRATIONS. A gate that did not
 * understand its state row would believe that it never ran, and would start with a full bucket.
 */
import type { GateStorage, LoadedRow, StableRow, StateRow, StoredGate, WriteRow } from '../core/gate-storage.ts'

/**
 * Append-only: an object that ran an earlier list runs the rest of this one. The code before an entry must work with
 * the result of the entry, because a deployment may be rolled back.
 */
const MIGRATIONS = [
  'CREATE TABLE singletons (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID',
  'CREATE TABLE writes (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)',
  'CREATE TABLE key_uses (key_id TEXT PRIMARY KEY, used_at INTEGER NOT NULL) WITHOUT ROWID',
]

/** Writes a row. A replaced object cannot, and so its response never leaves it. A read is local and proves nothing. */
export function proveCurrent({ sql }: DurableObjectStorage): void {
  sql.exec(`INSERT INTO singletons (name, body) VALUES ('pings', '1') ON CONFLICT (name) DO UPDATE SET body = body + 1`)
}

export function gateSql(storage: DurableObjectStorage): GateStorage {
  const { sql } = storage
  migrate(storage)

  function readSingleton<T>(name: string): T | null {
    const row = sql.exec<{ body: string }>('SELECT body FROM singletons WHERE name = ?', name).toArray()[0]
    return row ? (JSON.parse(row.body) as T) : null
  }

  function writeSingleton(name: string, value: object): void {
    sql.exec(
      'INSERT INTO singletons (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body',
      name,
      JSON.stringify(value),
    )
  }

  return {
    load() {
      const stored = readSingleton<Pick<StoredGate, 'policy' | 'keys'>>('policy')
      return {
        loaded: readSingleton<LoadedRow>('loaded'),
        policy: stored?.policy ?? null,
        keys: stored?.keys ?? [],
        state: readSingleton<StateRow>('state'),
        writes: sql
          .exec<{ body: string }>('SELECT body FROM writes ORDER BY seq')
          .toArray()
          .map(({ body }) => JSON.parse(body) as WriteRow),
        stable: readSingleton<StableRow>('stable'),
        keyUses: sql
          .exec<{ keyId: string; usedAtMs: number }>('SELECT key_id AS keyId, used_at AS usedAtMs FROM key_uses')
          .toArray(),
      }
    },
    savePolicy: (policy, keys) => writeSingleton('policy', { policy, keys }),
    saveLoaded: (row) => writeSingleton('loaded', row),
    saveState: (row) => writeSingleton('state', row),
    insertWrite(row) {
      sql.exec('INSERT INTO writes (seq, body) VALUES (?, ?)', row.seq, JSON.stringify(row))
    },
    saveStable: (row) => writeSingleton('stable', row),
    pruneWrites(belowSeq) {
      sql.exec('DELETE FROM writes WHERE seq < ?', belowSeq)
    },
    saveKeyUse({ keyId, usedAtMs }) {
      sql.exec(
        'INSERT INTO key_uses (key_id, used_at) VALUES (?, ?) ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at',
        keyId,
        usedAtMs,
      )
    },
    forgetKeyUse(keyId) {
      sql.exec('DELETE FROM key_uses WHERE key_id = ?', keyId)
    },
  }
}

/** `user_version` is not available in a Durable Object, so the number of applied entries is in a row. */
function migrate(storage: DurableObjectStorage): void {
  storage.sql.exec('CREATE TABLE IF NOT EXISTS migrations (count INTEGER NOT NULL)')
  const applied = storage.sql.exec<{ count: number }>('SELECT count FROM migrations').toArray()[0]?.count ?? 0
  // A higher number: newer code ran here and was rolled back. Its additions stay, and so does its number.
  if (applied >= MIGRATIONS.length) return
  storage.transactionSync(() => {
    for (const statement of MIGRATIONS.slice(applied)) storage.sql.exec(statement)
    storage.sql.exec('DELETE FROM migrations')
    storage.sql.exec('INSERT INTO migrations (count) VALUES (?)', MIGRATIONS.length)
  })
}
