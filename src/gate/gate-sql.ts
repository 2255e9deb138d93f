/**
 * The gate's own storage, in the SQLite of its Durable Object: `GateStorage` (gate-storage.ts says what each call promises)
 * over two tables, rows in JSON. A row changes its shape by an entry of MIGRATIONS and in no other way: a state row that
 * was not understood would be a gate that believes it never ran, and starts with a full bucket.
 */
import type { GateStorage, StateRow, StoredGate, WriteRow } from './gate-storage.ts'

/**
 * Append-only: an object that ran an earlier list runs the rest of this one. The code before an entry must be able to go on
 * with what the entry leaves, because a deployment may be taken back.
 */
const MIGRATIONS = [
  'CREATE TABLE singletons (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID',
  'CREATE TABLE writes (seq INTEGER PRIMARY KEY, state TEXT NOT NULL, bookmark TEXT, body TEXT NOT NULL)',
]

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
        policy: stored?.policy ?? null,
        keys: stored?.keys ?? [],
        state: readSingleton<StateRow>('state'),
        writes: sql
          .exec<{ state: WriteRow['state']; bookmark: string | null; body: string }>(
            'SELECT state, bookmark, body FROM writes ORDER BY seq',
          )
          .toArray()
          .map(({ state, bookmark, body }) => ({ ...(JSON.parse(body) as WriteRow), state, bookmark })),
      }
    },
    savePolicy: (policy, keys) => writeSingleton('policy', { policy, keys }),
    saveState: (row) => writeSingleton('state', row),
    insertWrite({ state, bookmark, ...row }) {
      sql.exec(
        'INSERT INTO writes (seq, state, bookmark, body) VALUES (?, ?, ?, ?)',
        row.seq,
        state,
        bookmark,
        JSON.stringify(row),
      )
    },
    settleWrite(seq, bookmark) {
      sql.exec(`UPDATE writes SET state = 'settled', bookmark = ? WHERE seq = ?`, bookmark, seq)
    },
    pruneWrites(belowSeq) {
      sql.exec('DELETE FROM writes WHERE seq < ?', belowSeq)
    },
  }
}

/** `user_version` is not to be had in a Durable Object, so the number of applied entries is a row of its own. */
function migrate(storage: DurableObjectStorage): void {
  storage.sql.exec('CREATE TABLE IF NOT EXISTS migrations (count INTEGER NOT NULL)')
  const applied = storage.sql.exec<{ count: number }>('SELECT count FROM migrations').toArray()[0]?.count ?? 0
  // More: newer code ran here and was taken back. What it added stays, and so does its count of it.
  if (applied >= MIGRATIONS.length) return
  storage.transactionSync(() => {
    for (const statement of MIGRATIONS.slice(applied)) storage.sql.exec(statement)
    storage.sql.exec('DELETE FROM migrations')
    storage.sql.exec('INSERT INTO migrations (count) VALUES (?)', MIGRATIONS.length)
  })
}
