/**
 * Counts the calls and statements of the whole Worker to D1, in isolates and gates alike. D1 allows 1,000 queries an
 * invocation, and its documentation does not say whether a batch is one or as many as its statements: the statements are
 * bounded.
 */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'

export interface D1Calls {
  trips: number
  statements: number
}

export interface CountedD1 {
  /** Returns the counts since the last call. */
  take(): D1Calls
  /**
   * Makes every later deletion report that it found as many rows as it may delete, so that there is always more to do.
   */
  neverEmpties(): void
  restore(): void
}

/** The number of rows that a sweep deletes with one statement. */
const CHUNK_ROWS = 500

export function countedD1(): CountedD1 {
  const calls = { trips: 0, statements: 0 }
  const session = Object.getPrototypeOf(env.DB.withSession()) as D1DatabaseSession
  const statement = Object.getPrototypeOf(env.DB.prepare('SELECT 1')) as D1PreparedStatement
  let isBottomless = false
  const count = (statements: number) => {
    calls.trips++
    calls.statements += statements
  }
  const { batch } = session
  const spies = [
    vi.spyOn(session, 'batch').mockImplementation(function (this: D1DatabaseSession, statements) {
      count(statements.length)
      return batch.call(this, statements) as never
    }),
    ...(['run', 'all', 'raw', 'first'] as const).map((name) => {
      const original = statement[name] as (...args: unknown[]) => Promise<unknown>
      return vi.spyOn(statement, name).mockImplementation(async function (
        this: D1PreparedStatement & { statement: string },
        ...args: unknown[]
      ) {
        count(1)
        const answer = await original.apply(this, args)
        const isDeletion = /^\s*delete/i.test(this.statement)
        return (isBottomless && isDeletion ? { ...(answer as object), meta: { changes: CHUNK_ROWS } } : answer) as never
      } as never)
    }),
  ]
  return {
    take() {
      const taken = { ...calls }
      calls.trips = 0
      calls.statements = 0
      return taken
    },
    neverEmpties() {
      isBottomless = true
    },
    restore() {
      for (const spy of spies) spy.mockRestore()
    },
  }
}
