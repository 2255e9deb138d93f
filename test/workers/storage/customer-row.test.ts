/** The decoder of rows, which names each column by hand, against Drizzle's, which takes them from the table. */
import { expect, it } from 'vitest'
import { customerColumns, customerIn, customerOf, customerRowOf } from '../../../src/storage/customer-row.ts'

const COLUMNS = Object.entries(customerColumns)

/** Returns a row as D1 sends it, with a value of its own in each column; null where it may be, unless it is full. */
function rawRow({ isFull }: { isFull: boolean }): Record<string, unknown> {
  const values = COLUMNS.map(([, column], at) => {
    if (column.dataType === 'json') return [column.name, JSON.stringify({ at })]
    if (!column.notNull && !isFull) return [column.name, null]
    return [column.name, column.dataType === 'number' ? at : `text ${at}`]
  })
  return Object.fromEntries(values)
}

it.each([
  ['all columns set', rawRow({ isFull: true })],
  ['those null that may be', rawRow({ isFull: false })],
])('reads every column as Drizzle does: %s', (_, raw) => {
  const expected = Object.fromEntries(
    COLUMNS.map(([field, column]) => {
      const value = raw[column.name]
      return [field, value === null ? null : column.mapFromDriverValue(value as never)]
    }),
  )
  const row = customerRowOf(raw)
  expect(row).toEqual(expected)
  expect(customerIn(raw)).toEqual(customerOf(row))
})
