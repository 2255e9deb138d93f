/**
 * Formats results for a terminal: aligned, without colours, nothing cut, so that they can be searched and copied. A tenant may
 * have written any of it, so no character that a terminal acts on remains. Pure.
 */
import { plainText } from '../src/shared/shown-text.ts'

/** Returns a line for each field: its name and its value. */
export function facts(fields) {
  const width = Math.max(...Object.keys(fields).map((name) => name.length))
  return Object.entries(fields)
    .map(([name, value]) => `${name.padEnd(width)}  ${plainText(value)}`)
    .join('\n')
}

/**
 * Returns a line for each row, each column as wide as its widest cell. `columns` maps a heading to a function of a row, and
 * `detailsOf` returns what stands below a row, a line each.
 */
export function table(rows, columns, detailsOf = () => []) {
  if (rows.length === 0) return 'None.'
  const cellsOf = (row) => Object.values(columns).map((show) => plainText(show(row)))
  const lines = [Object.keys(columns), ...rows.map(cellsOf)]
  const widths = lines[0].map((_, at) => Math.max(...lines.map((cells) => cells[at].length)))
  const [heading, ...aligned] = lines.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  )
  const below = (row) => detailsOf(row).map((detail) => `  ${plainText(detail)}`)
  return [heading, ...aligned.flatMap((line, at) => [line, ...below(rows[at])])].join('\n')
}

/** Returns the day of an ISO 8601 time. */
export function day(time) {
  return time.slice(0, 10)
}

export function count(number) {
  return number.toLocaleString('en')
}
