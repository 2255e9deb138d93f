import { expect, it } from 'vitest'
import { countingRows } from '../../../src/storage/database.ts'

/** Returns the rows that a batch of these statements counts, which D1 says took so long and read so many rows each. */
async function counted(statements: string[], durationMs: number, rowsRead: number): Promise<number> {
  const prepared = {} as D1PreparedStatement
  const session = {
    prepare: () => prepared,
    getBookmark: () => null,
    batch: async (all: D1PreparedStatement[]) =>
      all.map(() => ({ meta: { duration: durationMs, rows_read: rowsRead } })),
  } as unknown as D1DatabaseSession
  let rows = 0
  const counting = countingRows(session, (more) => {
    rows += more
  })
  await counting.batch(statements.map((sql) => counting.prepare(sql)))
  return rows
}

it('counts the rows that D1 bills, and for a search the time beyond 10 ms, of which 2 ms are a permit', async () => {
  const search = 'SELECT * FROM customer_search WHERE customer_search MATCH ?'
  expect(await counted(['SELECT 1', 'SELECT 2'], 500, 21)).toBe(42)
  expect(await counted([search, search], 5, 21)).toBe(42)
  expect(await counted([search, search], 30, 1)).toBe(2 + 50 * 2_500)
})
