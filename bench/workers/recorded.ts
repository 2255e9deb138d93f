/** Records the SQL of Roster's own reads, so that the floor can run the same. */
import { type Database, openDatabase } from '../../src/storage/database.ts'

export interface Recorded {
  sql: string
  params: unknown[]
}

/** Returns the statements that a read sends. It gets no rows, and may fail for that. */
export async function statementsOf(read: (db: Database) => Promise<unknown>): Promise<Recorded[]> {
  const recorded: Recorded[] = []
  const prepare = (sql: string) => {
    const statement = (params: unknown[]): object => ({
      bind: (...values: unknown[]) => statement(values),
      all: async () => {
        recorded.push({ sql, params })
        return { results: [] }
      },
      recorded: { sql, params },
    })
    return statement([])
  }
  const batch = async (statements: { recorded: Recorded }[]) => {
    recorded.push(...statements.map((statement) => statement.recorded))
    return statements.map(() => ({ results: [] }))
  }
  await read(openDatabase({ prepare, batch } as unknown as D1DatabaseSession)).catch(() => undefined)
  return recorded
}
