/**
 * Writes the cells of a CSV row as the JSON of a customer, and finds the value of a field in such JSON. Pure.
 */
import type { InputProblem } from '../../registry/errors.ts'
import { unescapeFormula } from '../../shared/spreadsheet.ts'
import { type Column, GUARD_COLUMN, isJsonField } from './columns.ts'

/** Returns a row as JSON. An empty cell sets no field, so the customer keeps its value. */
export function jsonOf(
  cells: readonly string[],
  columns: readonly Column[],
): { text: string; problems: InputProblem[] } {
  const problems: InputProblem[] = []
  const isGuarded = columns.some(({ field }, at) => field === GUARD_COLUMN && (cells[at] ?? '') !== '')
  const pairs: string[] = []
  const metadata: string[] = []
  let whole: string | null = null
  for (const [at, { name, field }] of columns.entries()) {
    const cell = isGuarded ? unescapeFormula(cells[at] ?? '') : (cells[at] ?? '')
    if (field === null || field === GUARD_COLUMN || cell === '') continue
    if (field.startsWith('metadata.')) metadata.push(pair(field.slice('metadata.'.length), JSON.stringify(cell)))
    else if (!isJsonField(field)) pairs.push(pair(field, JSON.stringify(cell)))
    else if (!isJson(cell)) problems.push({ field: name, message: 'is not JSON', fix: 'write it as in an export' })
    // The cell stays as it is, so its numbers keep their digits.
    else if (field === 'metadata') whole = cell.trim()
    else pairs.push(pair(field, cell.trim()))
  }
  if (whole !== null && metadata.length > 0 && whole.startsWith('{')) {
    // The last one of two values of a key counts: the one in its own column.
    const inner = whole.slice(1, -1).trim()
    pairs.push(pair('metadata', `{${[...(inner === '' ? [] : [inner]), ...metadata].join(',')}}`))
  } else if (whole !== null) pairs.push(pair('metadata', whole))
  else if (metadata.length > 0) pairs.push(pair('metadata', `{${metadata.join(',')}}`))
  return { text: `{${pairs.join(',')}}`, problems }
}

function pair(key: string, json: string): string {
  return `${JSON.stringify(key)}:${json}`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Returns the value that a line has for a field, such as `metadata.plan`, as text; null if it has none. */
export function valueAt(text: string, field: string): string | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  const parts = field.split('.')
  for (let at = 0; at < parts.length; at++) {
    if (typeof value !== 'object' || value === null) return null
    // A key of metadata may have dots.
    const rest = parts.slice(at).join('.')
    if (Object.hasOwn(value, rest)) return textOf((value as Record<string, unknown>)[rest])
    value = (value as Record<string, unknown>)[parts[at] as string]
  }
  return textOf(value)
}

function textOf(value: unknown): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}
