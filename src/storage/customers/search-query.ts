/**
 * Translates a search for words to SQL over the full-text index, which `migrations/0007_search.sql` describes. Pure: builds
 * SQL and runs none.
 *
 * The index walks from the newest customer to older ones and stops when the page is full. It can do so for words of up to 8
 * letters. For a longer word it would first collect every customer with a word that begins so, which can be all of a tenant
 * that numbers its customers with a common beginning. So a search with a long word first looks at the newest customers that
 * have the first 8 letters, and uses the whole word only if too few of these match: then few customers have it.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { codePointLength } from '../../registry/customer.ts'
import { invalidField } from '../../registry/errors.ts'
import type { ListQuery } from '../../registry/query.ts'
import { customers } from '../schema/tables.ts'
import { wordsOf } from './search-words.ts'

/** `shownMax`: customers on a page. Of the largest, they are some 6 MB. */
export const SEARCH_BOUNDS = { wordsMax: 8, totalMax: 300, shownMax: 100 } as const

/** Letters of a word for which the index has a list of its own. */
const INDEXED_LETTERS = 8
/** Customers with the first letters of long words that are looked at before the whole words are used; more for a large page. */
const LOOKED_MAX = 400
const LOOKED_PER_ROW = 2
/** Stands for the number of the tenant, which the statement looks up. No word has the character. */
const TENANT = '\\'
const LETTERS = { live: { current: 'a', archived: 'b' }, test: { current: 'c', archived: 'd' } } as const

export interface SearchPlan {
  /** The customers of the page, as `customers`, with their places in the index as `found`. */
  source: SQL
  order: SQL[]
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
  const find = (wanted: string[], before: SQL) => finding(scope, matchOf(wanted, letters), before)
  const before = placeOf(scope, query)
  const rows = query.limit + 1
  const lookedMax = Math.max(LOOKED_MAX, LOOKED_PER_ROW * rows)
  const long = words.filter((word) => codePointLength(word) > INDEXED_LETTERS)
  if (long.length === 0) {
    const all = find(words, before)
    return {
      ...planOf(scope, sql`(SELECT number, found_id FROM ${all} ORDER BY number DESC LIMIT ${rows})`),
      total: sql`SELECT count(*) AS total, 0 AS isLeast FROM (SELECT 1 FROM ${find(words, NEWEST)} LIMIT ${TOTAL_ROWS})`,
    }
  }
  const short = words.map((word) => Array.from(word).slice(0, INDEXED_LETTERS).join(''))
  const looked = (from: SQL) =>
    sql`(SELECT number, found_id, tokens FROM ${find(short, from)} ORDER BY number DESC LIMIT ${lookedMax})`
  const matches = sql.join(long.map(hasWord), sql` AND `)
  // SQLite does the parts of UNION ALL one after the other, and stops when it has the rows of the page.
  const both = (from: SQL) => sql`(
      SELECT number, found_id FROM ${looked(from)} WHERE ${matches}
      UNION ALL
      SELECT number, found_id FROM (SELECT number, found_id FROM ${find(words, pastLooked(looked(from), lookedMax))} ORDER BY number DESC)
    )`
  return {
    ...planOf(scope, sql`(SELECT number, found_id FROM ${both(before)} LIMIT ${rows})`),
    total: sql`SELECT iif(hits > ${query.limit}, hits, (SELECT count(*) FROM (SELECT 1 FROM ${both(NEWEST)} LIMIT ${TOTAL_ROWS}))) AS total,
        hits > ${query.limit} AND looked = ${lookedMax} AS isLeast
      FROM (SELECT count(*) AS looked, coalesce(sum(${matches}), 0) AS hits FROM ${looked(NEWEST)})`,
  }
}

const NEWEST = sql`9223372036854775807`
const TOTAL_ROWS = sql.raw(String(SEARCH_BOUNDS.totalMax + 1))

function planOf({ tenantId, mode }: Scope, found: SQL): Pick<SearchPlan, 'source' | 'order'> {
  return {
    source: sql`${found} AS found CROSS JOIN ${customers}
      ON ${customers.tenantId} = ${tenantId} AND ${customers.mode} = ${mode} AND ${customers.id} = found.found_id`,
    order: [sql`found.number DESC`],
  }
}

/** Returns the distinct words, without those that begin another one. */
function searchedWords(q: string): string[] {
  const all = [...new Set(wordsOf(q))]
  const words = all.filter((word) => !all.some((other) => other !== word && other.startsWith(word)))
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

/** Returns the rowid below which no customer was looked at. It is 0 if there was no more to look at. */
function pastLooked(looked: SQL, lookedMax: number): SQL {
  return sql`(SELECT iif(count(*) = ${lookedMax}, min(number), 0) FROM ${looked})`
}

/**
 * Returns the rows of the index that match, before a rowid. The rowid must be an integer: D1 binds a number as a REAL, and
 * the index would ignore it and begin at the newest row.
 */
function finding(scope: Scope, match: string, before: SQL): SQL {
  return sql`(SELECT rowid AS number, id AS found_id, tokens FROM customer_search
      WHERE customer_search MATCH ${inTenant(scope, match)} AND rowid < ${before})`
}

/** Returns the expression of the index. The words have no quotation mark that could end the string. */
function matchOf(words: string[], letters: string[]): string {
  if (letters.length === 0) return `"${TENANT}-"`
  return words.map((word) => `(${letters.map((letter) => `"${TENANT}${letter}${word}"*`).join(' OR ')})`).join(' AND ')
}

/** All tokens of a customer begin with the same 6 characters. */
function hasWord(beginning: string): SQL {
  return sql`instr(' ' || tokens, ' ' || substr(tokens, 1, 6) || ${beginning}) > 0`
}

function inTenant({ tenantId }: Scope, text: string): SQL {
  return sql`replace(${text}, ${TENANT}, coalesce((
      SELECT printf('%05x', number) FROM search_scopes WHERE tenant_id = ${tenantId}
    ), '-----'))`
}
