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
import { customers } from '../schema/tables.ts'
import {
  beginningOf,
  distinctWords,
  finding,
  hasWord,
  INDEXED_LETTERS,
  LETTERS,
  matchOf,
  NEWEST,
  NOBODY,
  TENANT,
  tenantOf,
} from './search-index.ts'

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

const LOOKED_PER_ROW = 2
/** Sorts behind every word that begins in the same way. */
const LAST = '\u{10ffff}'

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

const TOTAL_ROWS = sql.raw(String(SEARCH_BOUNDS.totalMax + 1))

function sourceOf({ tenantId, mode }: Scope, found: SQL): SQL {
  return sql`${found} AS found CROSS JOIN ${customers}
      ON ${customers.tenantId} = ${tenantId} AND ${customers.mode} = ${mode} AND ${customers.id} = found.found_id`
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

function inTenant(scope: Scope, text: string): SQL {
  return sql`(SELECT replace(${text}, ${TENANT}, code) FROM ${tenantOf(scope)})`
}
