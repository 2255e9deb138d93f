/**
 * A spreadsheet takes a cell that begins with one of these for a formula and runs it (CSV injection). An apostrophe before it
 * makes it text, and for whoever reads the file by program it can be taken away again: what began with an apostrophe and
 * one of these has one more.
 */
const FORMULA = /^'*[=+\-@\t\r]/
const ESCAPED = /^'+[=+\-@\t\r]/

export function escapeFormula(cell: string): string {
  return FORMULA.test(cell) ? `'${cell}` : cell
}

/** The cell as it was before `escapeFormula`. */
export function unescapeFormula(cell: string): string {
  return ESCAPED.test(cell) ? cell.slice(1) : cell
}
