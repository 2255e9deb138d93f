/**
 * Escapes cells against CSV injection: a spreadsheet runs a cell that begins with one of these as a formula. An
 * apostrophe before it makes the cell text. A program that reads the file can remove it again, because a cell that
 * already began with apostrophes and one of these gets one more.
 */
const FORMULA = /^'*[=+\-@\t\r]/
const ESCAPED = /^'+[=+\-@\t\r]/

export function escapeFormula(cell: string): string {
  return FORMULA.test(cell) ? `'${cell}` : cell
}

/** Returns the cell as it was before `escapeFormula`. */
export function unescapeFormula(cell: string): string {
  return ESCAPED.test(cell) ? cell.slice(1) : cell
}
