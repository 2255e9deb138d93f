/**
 * Escapes cells against CSV injection: a spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula. An
 * apostrophe before that character makes the cell text. Where a spreadsheet separates cells by another character than the
 * file does, a part of a cell becomes a cell of its own, so the beginning of each such part is escaped too. A program that
 * reads the file can remove the apostrophes again, because a place that already had some gets one more.
 */

/** Begins a cell, at the latest behind characters that a spreadsheet passes over or that nobody sees. */
const BEGINNING = '(^|[;|\\t\\r\\n])([\\s"\\u00ad\\u180e\\u200b-\\u200f\\u2060-\\u2064\\ufeff]*)'
/** The full-width forms count too: some spreadsheets take them for the others. */
const OPERATOR = '(?=[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20])'

const FORMULA = new RegExp(`${BEGINNING}('*)${OPERATOR}`, 'g')
const ESCAPED = new RegExp(`${BEGINNING}'('*)${OPERATOR}`, 'g')
/** A spreadsheet may drop these from the beginning of a cell. */
const DROPPED = /^'*[\t\r\n]/
const ESCAPED_DROPPED = /^'+[\t\r\n]/

/** Returns the cell with an apostrophe before each part that a spreadsheet would run. */
export function escapeFormula(cell: string): string {
  const escaped = cell.replace(FORMULA, "$1$2'$3")
  return DROPPED.test(escaped) ? `'${escaped}` : escaped
}

/** Returns the cell as it was before `escapeFormula`. */
export function unescapeFormula(cell: string): string {
  const escaped = ESCAPED_DROPPED.test(cell) ? cell.slice(1) : cell
  return escaped.replace(ESCAPED, '$1$2$3')
}
