/**
 * Copies to each database other than the directory what its triggers read: which operators have which role, and which sessions there
 * are. A change by an operator is refused there, in its own transaction, as it is in the directory.
 *
 * Triggers raise a version in the directory with each change of an operator or a session. A copy is of all of them as of one version,
 * and is taken only by a database that has an older one, so no copy ever undoes a newer one.
 */
import { type SQL, sql } from 'drizzle-orm'
import { type Database, openDatabase } from '../database.ts'
import { rowsStatement } from '../statement-texts.ts'
import { orUnavailable } from '../unavailable.ts'

interface Snapshot {
  version: number
  /** JSON lists of ids with a role, and of sessions with the id of their operator, which is null for an admin key. */
  operators: string
  sessions: string
}

/**
 * Resolves when every database has the operators and sessions of the directory as they are now, or newer ones. With one database,
 * nothing is read. Throws `RegistryError` with `unavailable` if a database does not respond.
 */
export function copyOperators(databases: readonly D1Database[]): Promise<void> {
  const [directory, ...others] = databases as [D1Database, ...D1Database[]]
  if (others.length === 0) return Promise.resolve()
  return orUnavailable(async () => {
    const snapshot = await readSnapshot(openDatabase(directory.withSession('first-primary')))
    await Promise.all(others.map((d1) => apply(openDatabase(d1), snapshot)))
  }, {})
}

async function readSnapshot(db: Database): Promise<Snapshot> {
  const [snapshot] = await db.all<Snapshot>(sql`SELECT operators_version AS version,
    (SELECT json_group_array(json_array(id, role)) FROM operators) AS operators,
    (SELECT json_group_array(json_array(id, operator_id)) FROM operator_sessions) AS sessions
    FROM deployment`)
  if (!snapshot) throw new Error('D1 has no row in the table deployment')
  return snapshot
}

/** The order keeps the rules of the schema: owners come before others lose that role, and sessions go before their operators. */
async function apply(db: Database, { version, operators, sessions }: Snapshot): Promise<void> {
  const isOlder = sql`EXISTS (SELECT 1 FROM deployment WHERE operators_copied_version < ${version})`
  const list = (rows: string, name: string): SQL => sql`json_each(${rows}) ${sql.raw(name)}`
  const run = (statement: SQL) => rowsStatement(db, statement)
  await db.batch([
    // No name and no address: only the directory needs them.
    run(sql`INSERT INTO operators (id, name, email, role, created_at, updated_at, version)
      SELECT o.value ->> 0, '', o.value ->> 0, o.value ->> 1, 0, 0, 1 FROM ${list(operators, 'o')}
      WHERE ${isOlder} ORDER BY o.value ->> 1 = 'owner' DESC
      ON CONFLICT (id) DO UPDATE SET role = excluded.role WHERE role <> excluded.role`),
    run(sql`DELETE FROM operator_sessions
      WHERE id NOT IN (SELECT s.value ->> 0 FROM ${list(sessions, 's')}) AND ${isOlder}`),
    run(sql`DELETE FROM operators WHERE id NOT IN (SELECT o.value ->> 0 FROM ${list(operators, 'o')}) AND ${isOlder}`),
    run(sql`INSERT INTO operator_sessions (id, operator_id, admin_actor, secret_hash, created_at, expires_at)
      SELECT s.value ->> 0, s.value ->> 1, iif(s.value ->> 1 IS NULL, 'admin', NULL), '', 0, 0 FROM ${list(sessions, 's')}
      WHERE ${isOlder} ON CONFLICT (id) DO NOTHING`),
    run(sql`UPDATE deployment SET operators_copied_version = ${version} WHERE operators_copied_version < ${version}`),
  ])
}
