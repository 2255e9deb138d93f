/**
 * What an error of D1 means for the caller: which rule of the database refused, whether the statement may have been
 * committed after all, whether to come back later. Pure; D1 has no error codes, so its messages are read, here only.
 * Messages are from Cloudflare's list (d1/observability/debug-d1) and from workerd itself; test/storage/d1-errors.test.ts
 * provokes those that a local database can give.
 */

type D1Problem =
  /** A constraint or a trigger refused. Nothing of the batch was committed. `rule` is the name or the columns it gave. */
  | { kind: 'refused'; rule: string }
  /** The statement itself is wrong or too big. Nothing of the batch was committed, and a repeat will not help. */
  | { kind: 'broken' }
  /** The request was turned away unread. Nothing was committed; a repeat at once would make it worse. */
  | { kind: 'overloaded' }
  /** The connection or the database broke off: a write may or may not have been committed. */
  | { kind: 'uncertain' }

/** Both are said of requests that waited in D1's queue and never began. */
const TURNED_AWAY = /D1 DB is overloaded|Too many requests queued|Requests queued for too long/

/** `D1_ERROR: UNIQUE constraint failed: customers.tenant_id, …: SQLITE_CONSTRAINT (extended: …)`; a trigger gives its own words. */
const CONSTRAINT = /^(?:D1_ERROR: )?(.*?): SQLITE_CONSTRAINT/s
const CONSTRAINT_KIND = /^(?:UNIQUE|CHECK|NOT NULL) constraint failed: /

/** SQLite's verdict on a statement, given before anything was committed. */
const STATEMENT_REJECTED = /: SQLITE_(ERROR|TOOBIG|MISMATCH|RANGE|AUTH|FULL)|D1_TYPE_ERROR|D1_COLUMN_NOTFOUND/

export function classifyD1Error(error: unknown): D1Problem {
  for (const message of messagesOf(error)) {
    if (TURNED_AWAY.test(message)) return { kind: 'overloaded' }
    const constraint = CONSTRAINT.exec(message)
    if (constraint) return { kind: 'refused', rule: (constraint[1] ?? '').replace(CONSTRAINT_KIND, '') }
    if (STATEMENT_REJECTED.test(message)) return { kind: 'broken' }
  }
  // Whatever is not known to be harmless is not: the caller looks on the primary what became of its write.
  return { kind: 'uncertain' }
}

/** True when the batch certainly changed nothing because of what was in it: the same statements would fail again. */
export function isStatementFault(problem: D1Problem): problem is Extract<D1Problem, { kind: 'refused' | 'broken' }> {
  return problem.kind === 'refused' || problem.kind === 'broken'
}

/** The error and what caused it, innermost first: Drizzle puts bound values into its own message, D1 is underneath. */
function messagesOf(error: unknown): string[] {
  const messages: string[] = []
  for (let at = error, depth = 0; at instanceof Error && depth < CAUSES_MAX; at = at.cause, depth++) {
    messages.unshift(at.message)
  }
  return messages
}

/** Drizzle, D1, and what D1 wraps make three; a cycle of causes must end. */
const CAUSES_MAX = 8
