/**
 * The column `folded` of customers and tenants: JSON with the fold of each text whose fold is not what `lower()` of the
 * database makes of it. So a text of ASCII takes no room, and the database, which cannot fold, finds all texts. The
 * statement that sets a text sets its fold too. An erasure empties the column.
 *
 * The column of customers also has words of theirs, in the same way (search-words.ts).
 */
import { type Column, type SQL, sql } from 'drizzle-orm'
import { asciiLower, fold } from '../shared/fold.ts'

/**
 * Returns what to merge into `folded` as texts are set, by the names of their columns (RFC 7396: null removes a fold that
 * is not needed any more). Adds `words`, which are merged as they are. Returns null if no text is set.
 */
export function foldedPatch(
  texts: Record<string, string | null | undefined>,
  words: Record<string, string | null> = {},
): string | null {
  const given = Object.entries(texts).filter((entry): entry is [string, string | null] => entry[1] !== undefined)
  if (given.length === 0) return null
  return JSON.stringify({ ...Object.fromEntries(given.map(([column, text]) => [column, ownFold(text)])), ...words })
}

function ownFold(text: string | null): string | null {
  const folded = fold(text ?? '')
  return folded === asciiLower(text ?? '') ? null : folded
}

/** Returns the condition that the text of a column contains another, whatever the case and the accents of both. */
export function containsFolded(folded: Column, column: Column, wanted: string): SQL {
  const wantedFold = fold(wanted)
  // Accents alone fold to nothing, which every text contains.
  if (wantedFold === '' && wanted !== '') return sql`instr(coalesce(${column}, ''), ${wanted}) > 0`
  const path = sql.raw(`'$.${column.name}'`)
  return sql`instr(coalesce(${folded} ->> ${path}, lower(${column}), ''), ${wantedFold}) > 0`
}
