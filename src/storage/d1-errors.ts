/**
 * Classifies errors of D1: which rule of the database refused, whether the statement may have been committed, whether
 * to retry later. Pure. D1 has no error codes, so this file alone reads its messages. They are from Cloudflare's list
 * (d1/observability/debug-d1) and from workerd itself; test/workers/storage/d1-errors.test.ts provokes those that a
 * local database can produce.
 */

type D1Problem =
  /**
   * A constraint or a trigger refused. Nothing of the batch was committed. `rule` is the name or the columns it gave.
   */
  | { kind: 'refused'; rule: string }
  /** The tenant is being moved to another database. Nothing of the batch was committed, and it can be repeated there. */
  | { kind: 'moving' }
  /** The statement itself is wrong or too big. Nothing of the batch was committed, and a repeat will not help. */
  | { kind: 'broken' }
  /** The database, or the account, has no room. Nothing of the batch was committed, and a repeat fails until there is room. */
  | { kind: 'full' }
  /** D1 refused the request before running it. Nothing was committed; an immediate retry would add to the load. */
  | { kind: 'overloaded' }
  /** The connection or the database failed: a write may or may not have been committed. */
  | { kind: 'uncertain' }

/**
 * `D1_ERROR: UNIQUE constraint failed: customers.tenant_id, …: SQLITE_CONSTRAINT (extended: …)`; a trigger has a text
 * of its own.
 */
const CONSTRAINT = /^(?:D1_ERROR: )?(.*?): SQLITE_CONSTRAINT/s
const CONSTRAINT_KIND = /^(?:UNIQUE|CHECK|NOT NULL) constraint failed: /

/** The rule of the triggers in `migrations/0012_moves.sql`. */
const TENANT_MOVING = 'tenant_moving'

/** The texts that tell the kind, in the order in which they are tried. Any other error is `uncertain`. */
const TEXTS: readonly [kind: 'overloaded' | 'full' | 'broken', text: RegExp][] = [
  // Requests that never began: they waited in the queue of D1, or an import or export blocks the database.
  ['overloaded', /D1 DB is overloaded/],
  ['overloaded', /Too many requests queued/],
  ['overloaded', /Requests queued for too long/],
  ['overloaded', /Currently processing a long-running (?:import|export)/],
  // The database is at its limit of 10 GB, or the account at its own.
  ['full', /Exceeded maximum DB size/i],
  ['full', /Exceeded (?:D1's )?maximum account storage/i],
  ['full', /SQLITE_FULL|database or disk is full/],
  // SQLite, or the code before it, rejected the statement: a syntax error, a missing table or column, a limit.
  ['broken', /: SQLITE_(?:ERROR|TOOBIG|MISMATCH|RANGE|AUTH|MISUSE)/],
  ['broken', /D1_TYPE_ERROR|D1_COLUMN_NOTFOUND|D1_EXEC_ERROR/],
  ['broken', /No SQL statements detected|Wrong number of parameter bindings/],
  ['broken', /too many SQL variables|too many arguments on function|too many terms in compound SELECT/],
  ['broken', /LIKE or GLOB pattern too complex|Expression tree is too large/],
  ['broken', /(?:Statement|string or blob) (?:is )?too (?:long|big)/i],
]

export function classifyD1Error(error: unknown): D1Problem {
  for (const message of messagesOf(error)) {
    const constraint = CONSTRAINT.exec(message)
    if (constraint?.[1] === TENANT_MOVING) return { kind: 'moving' }
    if (constraint) return { kind: 'refused', rule: (constraint[1] ?? '').replace(CONSTRAINT_KIND, '') }
    const [kind] = TEXTS.find(([, text]) => text.test(message)) ?? []
    if (kind !== undefined) return { kind }
  }
  // Any other error may have committed. The caller checks on the primary what became of its write.
  return { kind: 'uncertain' }
}

/** Returns true when the batch changed nothing because of its content: the same statements would fail again. */
export function isStatementFault(problem: D1Problem): problem is Extract<D1Problem, { kind: 'refused' | 'broken' }> {
  return problem.kind === 'refused' || problem.kind === 'broken'
}

/**
 * Returns the messages of an error and its causes, innermost first: Drizzle puts bound values into its own message and
 * has D1's error as the cause.
 */
function messagesOf(error: unknown): string[] {
  const messages: string[] = []
  for (let at = error, depth = 0; at instanceof Error && depth < CAUSES_MAX; at = at.cause, depth++) {
    messages.unshift(at.message)
  }
  return messages
}

/** Drizzle, D1, and the error that D1 wraps make three. The limit ends a cycle of causes. */
const CAUSES_MAX = 8
