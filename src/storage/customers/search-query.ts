/**
 * Translates a search for words to SQL over the full-text index, which `migrations/0007_search.sql` describes. Pure: builds
 * SQL and runs none.
 *
 * The index walks from the newest customer to older ones and stops when the page is full. It can do so for words of up to 8
 * letters. For a longer word it would first collect every customer with a word that begins so, which can be all of a tenant
 * that numbers its customers with a common beginning. So a long word is used whole only if its list says that few customers
 * have it. Otherwise the search looks at the newest customers that have its first 8 letters, and uses the whole word only if
 * too few of these match: then it is no word of many.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { codePointLength } from '../../registry/customer.ts'
import { invalidField } from '../../registry/errors.ts'
import type { ListQuery } from '../../registry/query.ts'
import { emailFault } from '../../validation/email.ts'
import { customers } from '../schema/tables.ts'
import { wordsOf } from './search-words.ts'

export const SEARCH_BOUNDS = {
  wordsMax: 8,
  totalMax: 300,
  /** Customers on a page. Of the largest, they are some 6 MB. */
  shownMax: 100,
  /** Customers that a long word may have and still be used whole at once. To know that, as many entries of its list are read. */
  fewMax: 16,
  /** Customers with the first letters of long words that are looked at before the whole words are used; more for a large page. */
  lookedMax: 400,
} as const

/** Letters of a word for which the index has a list of its own. */
const INDEXED_LETTERS = 8
const LOOKED_PER_ROW = 2
/** Stands for the number of the tenant, which the statement looks up. No word has the character. */
const TENANT = '\\'
/** A word that no customer has, as an expression of the index: each token begins with its tenant. */
const NOBODY = '"-"'
const LETTERS = { live: { current: 'a', archived: 'b' }, test: { current: 'c', archived: 'd' } } as const

export interface SearchPlan {
  /**
   * The customers of the page, as `customers`, with their places in the index as `found.number`. They are in no order:
   * to sort them, the database would read each once more.
   */
  source: SQL
  /** Selects `total`, at most one more than the bound, and `isLeast`: 1 if there may be more than the total. */
  total: SQL
}

/**
 * Returns the parts of the statements. `query.q` has the words. Of the other filters only those on the status are
 * allowed, and of these only such as name both published customers and drafts, or neither. Throws `RegistryError` with
 * `invalid_input` for words that cannot be looked for.
 */
export function planSearch(scope: Scope, query: ListQuery & { q: string }): SearchPlan {
  const words = searchedWords(query.q)
  const letters = lettersOf(scope, query)
  const before = placeOf(scope, query)
  const rows = query.limit + 1
  const long = words.filter((word) => codePointLength(word) > INDEXED_LETTERS)
  if (long.length > 0) return planLong(scope, { words, long, letters, before, limit: query.limit })
  const match = inTenant(scope, matchOf(words, letters))
  return {
    source: sourceOf(
      scope,
      sql`(SELECT number, found_id FROM ${finding(match, before)} ORDER BY number DESC LIMIT ${rows})`,
    ),
    total: sql`SELECT count(*) AS total, 0 AS isLeast FROM (SELECT 1 FROM ${finding(match, NEWEST)} LIMIT ${TOTAL_ROWS})`,
  }
}

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

interface LongSearch {
  words: string[]
  /** Those of more letters than the index has a list for. */
  long: string[]
  letters: string[]
  before: SQL
  limit: number
}

function planLong(scope: Scope, { words, long, letters, before, limit }: LongSearch): SearchPlan {
  const rows = limit + 1
  const lookedMax = Math.max(SEARCH_BOUNDS.lookedMax, LOOKED_PER_ROW * rows)
  const first = words.map((word) =>
    long.includes(word)
      ? sql`iif(${isOfFew(word, letters)}, ${matchOf([word], letters)}, ${matchOf([beginningOf(word)], letters)})`
      : sql`${matchOf([word], letters)}`,
  )
  const looked = (from: SQL) => sql`(
      SELECT number, found_id, tokens FROM ${finding(sql`(SELECT looked FROM chosen)`, from)} ORDER BY number DESC LIMIT ${lookedMax}
    )`
  const matches = sql.join(long.map(hasWord), sql` AND `)
  const whole = sql`(SELECT whole FROM chosen)`
  const past = sql`(SELECT number FROM past)`
  // Even a search before a rowid of 0 would collect the customers of its words.
  const beyond = finding(sql`iif(${past} = 0, ${NOBODY}, ${whole})`, past)
  const chosen = sql`chosen(looked, whole) AS MATERIALIZED (
        SELECT replace(${sql.join(first, sql` || ' AND ' || `)}, ${TENANT}, code), replace(${matchOf(words, letters)}, ${TENANT}, code)
        FROM ${tenantOf(scope)}
      )`
  return {
    // SQLite does the parts of UNION ALL one after the other, and stops when it has the rows of the page.
    source: sourceOf(
      scope,
      sql`(
      WITH ${chosen},
      past(number) AS MATERIALIZED (SELECT iif(count(*) = ${lookedMax}, min(number), 0) FROM ${looked(before)})
      SELECT number, found_id FROM ${looked(before)} WHERE ${matches}
      UNION ALL
      SELECT number, found_id FROM (SELECT number, found_id FROM ${beyond} ORDER BY number DESC)
      LIMIT ${rows}
    )`,
    ),
    total: sql`WITH ${chosen}
      SELECT iif(
          hits > ${limit} OR looked < ${lookedMax}, hits,
          (SELECT count(*) FROM (SELECT 1 FROM ${finding(whole, NEWEST)} LIMIT ${TOTAL_ROWS}))
        ) AS total,
        hits > ${limit} AND looked = ${lookedMax} AS isLeast
      FROM (SELECT count(*) AS looked, coalesce(sum(${matches}), 0) AS hits FROM ${looked(NEWEST)})`,
  }
}

/** Sorts behind every word that begins in the same way. */
const LAST = '\u{10ffff}'
const NEWEST = sql`9223372036854775807`
const TOTAL_ROWS = sql.raw(String(SEARCH_BOUNDS.totalMax + 1))

function sourceOf({ tenantId, mode }: Scope, found: SQL): SQL {
  return sql`${found} AS found CROSS JOIN ${customers}
      ON ${customers.tenantId} = ${tenantId} AND ${customers.mode} = ${mode} AND ${customers.id} = found.found_id`
}

/** Returns the distinct words, without those that begin another one. */
function distinctWords(text: string): string[] {
  const all = [...new Set(wordsOf(text))]
  return all.filter((word) => !all.some((other) => other !== word && other.startsWith(word)))
}

/** Throws `RegistryError` with `invalid_input` if there are no words, or too many. */
function searchedWords(q: string): string[] {
  const words = distinctWords(q)
  if (words.length === 0) {
    throw invalidField(
      'q',
      'has no letter, digit or sign',
      'send the beginning of a word, or leave it out for all customers',
    )
  }
  if (words.length > SEARCH_BOUNDS.wordsMax) {
    throw invalidField('q', `has more than ${SEARCH_BOUNDS.wordsMax} words`, `send at most ${SEARCH_BOUNDS.wordsMax}`)
  }
  return words
}

/** Returns the letters that stand for the mode, and for the state of the customers that the query asks for. */
function lettersOf({ mode }: Scope, { filters, includeArchived }: ListQuery): string[] {
  const { current, archived } = LETTERS[mode]
  const wanted = filters.map((filter) => {
    if (filter.field !== 'status' || filter.operator !== 'in') throw new Error('a search has no such filter')
    const has = (status: string) => filter.value.includes(status)
    if (has('published') !== has('draft')) throw new Error('a search does not tell published customers from drafts')
    return { [current]: has('published'), [archived]: has('archived') }
  })
  const letters = includeArchived || wanted.length > 0 ? [current, archived] : [current]
  return letters.filter((letter) => wanted.every((each) => each[letter]))
}

/** Returns the rowid from which the page goes on: that of the customer which the page before showed last. */
function placeOf({ tenantId, mode }: Scope, { start }: ListQuery): SQL {
  if (start.kind === 'offset' && start.offset === 0) return NEWEST
  if (start.kind !== 'after') throw new Error('a search goes on after a customer')
  // A customer without a number was created in a history that is gone. Then the search begins anew.
  return sql`coalesce((
      SELECT number FROM customer_numbers WHERE id = ${start.position.at(-1)} AND tenant_id = ${tenantId} AND mode = ${mode}
    ), ${NEWEST})`
}

/**
 * Returns the rows of the index that match, before a rowid. The rowid must be an integer: D1 binds a number as a REAL, and
 * the index would ignore it and begin at the newest row.
 */
function finding(match: SQL, before: SQL): SQL {
  return sql`(SELECT rowid AS number, ${ID_IN_TOKENS} AS found_id, tokens FROM customer_search
      WHERE customer_search MATCH ${match} AND rowid < ${before})`
}

const ID_PREFIX = 'cust_'
const ID_LENGTH = 31
/** The id is the last of the tokens. But for its beginning it is in upper case, as every ULID is. */
const ID_IN_TOKENS = sql.raw(`'${ID_PREFIX}' || upper(substr(tokens, ${ID_PREFIX.length - ID_LENGTH}))`)
/** Where the number of the tenant and the letter begin that are in front of the id, counted from the end. */
const SCOPE_AT = sql.raw(String(-ID_LENGTH - 6))
const LETTER_AT = sql.raw(String(-ID_LENGTH - 1))

/** Returns the expression of the index. The words have no quotation mark that could end the string. */
function matchOf(words: string[], letters: string[]): string {
  if (letters.length === 0) return NOBODY
  return words.map((word) => `(${letters.map((letter) => `"${TENANT}${letter}${word}"*`).join(' OR ')})`).join(' AND ')
}

/** Each word of a customer has the same 6 characters in front, its id too. */
function hasWord(beginning: string): SQL {
  return sql`instr(' ' || tokens, ' ' || substr(tokens, ${SCOPE_AT}, 6) || ${beginning}) > 0`
}

/** Says if few customers have a word that begins so. Reads no more entries of the list of words than that takes. */
function isOfFew(beginning: string, letters: string[]): SQL {
  const entries = letters.map(
    (letter) => sql`SELECT 1 FROM customer_search_words
      WHERE term >= code || ${letter + beginning} AND term < code || ${letter + beginning + LAST}`,
  )
  if (entries.length === 0) return sql`1`
  return sql`(
      SELECT count(*) FROM (${sql.join(entries, sql` UNION ALL `)} LIMIT ${SEARCH_BOUNDS.fewMax + 1})
    ) <= ${SEARCH_BOUNDS.fewMax}`
}

function beginningOf(word: string): string {
  return Array.from(word).slice(0, INDEXED_LETTERS).join('')
}

function inTenant(scope: Scope, text: string): SQL {
  return sql`(SELECT replace(${text}, ${TENANT}, code) FROM ${tenantOf(scope)})`
}

/** Selects the characters that begin each token of the tenant, as `code`. */
function tenantOf({ tenantId }: Scope): SQL {
  return sql`(SELECT printf('%05x', number) AS code FROM search_scopes WHERE tenant_id = ${tenantId})`
}
