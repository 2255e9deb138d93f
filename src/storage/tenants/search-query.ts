/**
 * The look-ups of operators in the full-text index, in all tenants: customers by their words and by their e-mail addresses. Pure:
 * builds SQL and runs none.
 */
import { type SQL, sql } from 'drizzle-orm'
import { codePointLength } from '../../registry/customer.ts'
import { emailFault } from '../../validation/email.ts'
import {
  beginningOf,
  distinctWords,
  finding,
  hasWord,
  ID_IN_TOKENS,
  INDEXED_LETTERS,
  LETTER_AT,
  LETTERS,
  matchOf,
  NEWEST,
  NOBODY,
  SCOPE_AT,
  TENANT,
} from '../customers/search-index.ts'
import { SEARCH_BOUNDS } from '../customers/search-query.ts'

/** The bounds of a search over all tenants. */
export const NAME_BOUNDS = {
  /** Tenants that are searched: those of the lowest numbers, which are the oldest ones. Each is two lists for each word. */
  tenantsMax: 100,
  /** Tenants that are looked at for these, where the tenants of the directory are spread over several databases. */
  tenantsLookedMax: 1_000,
  /** Customers that are found. */
  shownMax: 25,
  /** Customers with the first letters of long words that are looked at: the newest ones. */
  lookedMax: 400,
} as const

export interface NameSearch {
  /** Selects `tenant_id`, `mode` and `id` of the newest customers that match, one more than are shown at most. */
  found: SQL
  /** Selects `looked`: how many customers had the first letters of long words. It is 0 without such words. */
  looked: SQL
}

/**
 * Selects the `number` of the tenants that are searched, by rising number. `database`: the number of the database, where not all
 * tenants that it knows have their customers in it; else null.
 */
export function searchedTenants(database: number | null): SQL {
  if (database === null) return sql`SELECT number FROM search_scopes ORDER BY number`
  return sql`SELECT s.number AS number
    FROM (SELECT * FROM search_scopes ORDER BY number LIMIT ${sql.raw(String(NAME_BOUNDS.tenantsLookedMax))}) s
    CROSS JOIN tenants t ON t.id = s.tenant_id AND t.database_number = ${sql.raw(String(database))} ORDER BY s.number`
}

/**
 * Returns the parts of the statements that find customers who are not archived, in both modes of the first of these tenants. Returns
 * null for a text that has no words to look for, or too many.
 */
export function planNames(text: string, tenants: SQL): NameSearch | null {
  const words = distinctWords(text)
  if (words.length === 0 || words.length > SEARCH_BOUNDS.wordsMax) return null
  const long = words.filter((word) => codePointLength(word) > INDEXED_LETTERS)
  const letters = [LETTERS.live.current, LETTERS.test.current]
  const match = matchOf(words.map(beginningOf), letters)
  // The index takes no empty expression, which no tenant at all would make.
  const inEach = sql`(SELECT coalesce(
        group_concat('(' || replace(${match}, ${TENANT}, printf('%05x', number)) || ')', ' OR '), ${NOBODY}
      ) FROM (${tenants} LIMIT ${sql.raw(String(NAME_BOUNDS.tenantsMax))}))`
  const candidates = (max: number) =>
    sql`(SELECT tokens FROM ${finding(inEach, NEWEST)} ORDER BY number DESC LIMIT ${sql.raw(String(max))})`
  const rows = NAME_BOUNDS.shownMax + 1
  const looked = candidates(NAME_BOUNDS.lookedMax)
  const newest =
    long.length === 0
      ? candidates(rows)
      : sql`(SELECT tokens FROM ${looked} WHERE ${sql.join(long.map(hasWord), sql` AND `)} LIMIT ${sql.raw(String(rows))})`
  return {
    found: withTenants(newest),
    looked: long.length === 0 ? sql`SELECT 0 AS looked` : sql`SELECT count(*) AS looked FROM ${looked}`,
  }
}

/** Begins the token that is an e-mail address, of all tenants. */
const OF_ALL_TENANTS = '00000e'

/**
 * Selects `tenant_id`, `mode` and `id` of the newest customers with an e-mail address, of all tenants. `address` has its domain in
 * ASCII, if it has two spellings. Returns null for a text that is no address.
 */
export function planAddress(address: string, rows: number): SQL | null {
  if (emailFault(address) !== null) return null
  // As in the view: these would part a token, and no address has a parenthesis.
  const token = OF_ALL_TENANTS + address.replaceAll('`', '(').replaceAll("'", ')')
  const found = finding(sql`${`"${token}"`}`, NEWEST)
  return withTenants(sql`(SELECT tokens FROM ${found} ORDER BY number DESC LIMIT ${sql.raw(String(rows))})`)
}

/** Adds the tenant, the mode and the id to the rows that were found, from what is in front of the id in their tokens. */
function withTenants(found: SQL): SQL {
  return sql`(SELECT s.tenant_id, iif(substr(f.tokens, ${LETTER_AT}, 1) IN ('a', 'b'), 'live', 'test') AS mode, ${ID_IN_TOKENS} AS id
      FROM ${found} f CROSS JOIN search_scopes s ON printf('%05x', s.number) = substr(f.tokens, ${SCOPE_AT}, 5))`
}
