/** How answers read in a terminal: aligned, no colours, nothing cut, so that they can be searched and copied. Pure. */

/** A name and what it is, a line each. */
export function facts(fields) {
  const width = Math.max(...Object.keys(fields).map((name) => name.length))
  return Object.entries(fields)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}`)
    .join('\n')
}

/** One row a line, each column as wide as its widest cell. */
export function table(rows, columns) {
  if (rows.length === 0) return 'None.'
  const cells = [Object.keys(columns), ...rows.map((row) => Object.values(columns).map((show) => String(show(row))))]
  const widths = cells[0].map((_, at) => Math.max(...cells.map((line) => line[at].length)))
  return cells
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The day of an ISO 8601 time. */
export function day(time) {
  return time.slice(0, 10)
}

export function count(number) {
  return number.toLocaleString('en')
}
