/**
 * Expressions over the full-text index of customers, which `migrations/0007_search.sql` describes: what matches, and what a row of it
 * says about its customer. Pure: builds SQL and runs none.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { wordsOf } from './search-words.ts'

/** Letters of a word for which the index has a list of its own. */
export const INDEXED_LETTERS = 8
/** Stands for the number of the tenant, which the statement looks up. No word has the character. */
export const TENANT = '\\'
/** A word that no customer has, as an expression of the index: each token begins with its tenant. */
export const NOBODY = '"-"'
/** The letter between the number of the tenant and a word, by mode and state of the customer. */
export const LETTERS = { live: { current: 'a', archived: 'b' }, test: { current: 'c', archived: 'd' } } as const

/** A rowid behind all that there are. */
export const NEWEST = sql`9223372036854775807`

const ID_PREFIX = 'cust_'
const ID_LENGTH = 31
/** The id is the last of the tokens. But for its beginning it is in upper case, as every ULID is. */
export const ID_IN_TOKENS = sql.raw(`'${ID_PREFIX}' || upper(substr(tokens, ${ID_PREFIX.length - ID_LENGTH}))`)
/** Where the number of the tenant and the letter begin that are in front of the id, counted from the end. */
export const SCOPE_AT = sql.raw(String(-ID_LENGTH - 6))
export const LETTER_AT = sql.raw(String(-ID_LENGTH - 1))

/** Returns the distinct words, without those that begin another one. */
export function distinctWords(text: string): string[] {
  const all = [...new Set(wordsOf(text))]
  return all.filter((word) => !all.some((other) => other !== word && other.startsWith(word)))
}

/**
 * Returns the rows of the index that match, before a rowid. The rowid must be an integer: D1 binds a number as a REAL, and
 * the index would ignore it and begin at the newest row.
 */
export function finding(match: SQL, before: SQL): SQL {
  return sql`(SELECT rowid AS number, ${ID_IN_TOKENS} AS found_id, tokens FROM customer_search
      WHERE customer_search MATCH ${match} AND rowid < ${before})`
}

/** Returns the expression of the index. The words have no quotation mark that could end the string. */
export function matchOf(words: string[], letters: string[]): string {
  if (letters.length === 0) return NOBODY
  return words.map((word) => `(${letters.map((letter) => `"${TENANT}${letter}${word}"*`).join(' OR ')})`).join(' AND ')
}

/** Each word of a customer has the same 6 characters in front, its id too. */
export function hasWord(beginning: string): SQL {
  return sql`instr(' ' || tokens, ' ' || substr(tokens, ${SCOPE_AT}, 6) || ${beginning}) > 0`
}

/** Returns the first letters of a word: as many as the index has a list for. */
export function beginningOf(word: string): string {
  return Array.from(word).slice(0, INDEXED_LETTERS).join('')
}

/** Selects the characters that begin each token of the tenant, as `code`. */
export function tenantOf({ tenantId }: Scope): SQL {
  return sql`(SELECT printf('%05x', number) AS code FROM search_scopes WHERE tenant_id = ${tenantId})`
}
