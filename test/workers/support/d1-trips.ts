/** Lets a test stand between the code and D1, where each trip begins and ends. */

/** A statement as it is sent. */
export interface Sent {
  sql: string
  values: unknown[]
}

export type Trip = <T>(run: () => Promise<T>, sent: Sent[]) => Promise<T>

/** Returns the session, each of whose trips to D1 goes through `trip`: that of a statement, or of a whole batch. */
export function withTrips(session: D1DatabaseSession, trip: Trip): D1DatabaseSession {
  const behind = new WeakMap<object, { statement: D1PreparedStatement; sent: Sent }>()
  const wrap = (statement: D1PreparedStatement, sent: Sent): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values), { ...sent, values }),
      run: () => trip(() => statement.run(), [sent]),
      all: () => trip(() => statement.all(), [sent]),
      raw: (options: { columnNames?: false }) => trip(() => statement.raw(options), [sent]),
      first: (column: string) => trip(() => statement.first(column), [sent]),
    } as unknown as D1PreparedStatement
    behind.set(wrapped, { statement, sent })
    return wrapped
  }
  return {
    prepare: (sql: string) => wrap(session.prepare(sql), { sql, values: [] }),
    batch: (statements: D1PreparedStatement[]) => {
      const known = statements.map(
        (statement) => behind.get(statement) as { statement: D1PreparedStatement; sent: Sent },
      )
      const run = () => session.batch(known.map(({ statement }) => statement))
      return trip(
        run,
        known.map(({ sent }) => sent),
      )
    },
    getBookmark: () => session.getBookmark(),
  } as D1DatabaseSession
}
