/**
 * Reads one page of a list, in the way that `list-query.ts` chose. A statement reads ids and the values of the order
 * first, and whole customers only for the page. Its rows end with the page, with the first customer beyond the bytes of a
 * page unless that has few customers, or with the last one that the page may look at: `isBound` marks that one.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { InTurn } from '../../gate/isolate/turns.ts'
import type { Scope } from '../../registry/customer.ts'
import { LIST_BOUNDS, type ListPage, type ListQuery, type ListTotal, type Position } from '../../registry/query.ts'
import { CUSTOMER_COLUMNS, customerIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customerCounts, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { SCOPE, slot, slottedStatement } from '../statement-texts.ts'
import { readInPieces } from './list-pieces.ts'
import { keyOf, type ListPlan, planList, refuseOffset, refuseOrder, type Way } from './list-query.ts'
import { anchorStatement, requireAnchor } from './reads.ts'
import { searchCustomers } from './search.ts'

/** The approximate size of a customer without its documents. */
const FIXED_BYTES = 512
/** The approximate size of a customer. SQLite has the sizes of the documents without reading them. */
export const BYTES = sql`${sql.raw(String(FIXED_BYTES))} + octet_length(${customers.metadata})
  + octet_length(${customers.integrations}) + octet_length(${customers.profile})`

export type PageRow = Record<string, unknown> & { is_bound: number; passed: number; bytes: number }

/** The bounds of a page. A page that has found any customer has at least one, however large. */
export interface PageBounds {
  customersMax: number
  bytesMax: number
}

/**
 * Returns one page, and with `total` the number of all customers that match, as of the same moment as the first of them. A
 * page that begins at an `anchorId` has no total. A read that looks at many customers goes through `inTurn`. Throws
 * `RegistryError`: `not_found` for an unknown anchor, `invalid_input` for an order or an offset that would look at too many
 * customers.
 */
export async function listCustomers(
  db: Database,
  scope: Scope,
  query: ListQuery,
  options: { total: boolean; inTurn?: InTurn },
): Promise<ListPage> {
  const { q } = query
  const later: InTurn = options.inTurn ?? ((piece) => piece())
  if (q !== undefined) return later(() => searchCustomers(db, scope, { ...query, q }, options))
  const plan = planList(query)
  const anchorId = query.start.kind === 'offset' ? undefined : query.start.anchorId
  const hasTotal = options.total && anchorId === undefined
  for (const way of plan.ways) {
    const found = await readInPieces(db, scope, plan, way, {
      page: { customersMax: query.limit, bytesMax: LIST_BOUNDS.pageBytes },
      piece: { customersMax: LIST_BOUNDS.pieceCustomers, bytesMax: LIST_BOUNDS.pageBytes },
      besides: [
        ...(hasTotal ? [totalStatement(db, scope, plan, way)] : []),
        ...(anchorId === undefined ? [] : [anchorStatement(db, scope, anchorId)]),
      ],
      itemOf: customerIn,
      inTurn: isSmall(query, plan) ? (piece) => piece() : later,
    })
    if (!found) continue
    const { items, positions, next, others } = found
    if (anchorId !== undefined) requireAnchor(others[0] ?? [])
    if (plan.backwards) for (const list of [items, positions]) list.reverse()
    return { customers: items, positions, next, total: hasTotal ? totalOf(others[0]?.[0]) : null }
  }
  return refuseOrder(plan.keys)
}

/** True for a page of ordinary length that looks at little more than it shows. */
function isSmall({ filters, limit }: ListQuery, { offset, isLookUp }: ListPlan): boolean {
  return (
    limit <= LIST_BOUNDS.pieceCustomers && offset <= LIST_BOUNDS.pieceCustomers && (filters.length === 0 || isLookUp)
  )
}

/**
 * Returns the statements whose rows, one after the other, are the page. A walk from the middle takes two: customers with
 * the same value of the order as the last one, and those beyond. SQLite seeks to the place only by one condition.
 * `columns` are selected besides those of a customer.
 */
export function pageStatements(
  db: Database,
  scope: Scope,
  plan: ListPlan,
  way: Way,
  bounds: PageBounds,
  columns: readonly SQL[] = [],
): BatchItem<'sqlite'>[] {
  const { shape, keys, position, offset } = plan
  const { customersMax, bytesMax } = bounds
  // A sum over the rows before reads each row twice more, so a page of few customers is left to `pageOf`.
  const isSummed = customersMax > LIST_BOUNDS.fewCustomersMax
  const values = {
    ...scope,
    ...slotsOf(position ?? []),
    lookedAtMax: way.lookedAtMax,
    lookedAtBefore: way.lookedAtMax - 1,
    offset,
    rowsMax: customersMax + 1,
    rowsWithOffsetMax: offset + customersMax + 1,
    bytesMax,
  }
  const page: PageShape = { hasOffset: offset > 0, isSummed, columns }
  const statement = (part: string, found: () => SQL) => {
    const text = shape && `${shape} ${plan.backwards} ${way.kind} ${part} ${page.hasOffset} ${isSummed}`
    return slottedStatement(db, text, () => wholeCustomers(plan, found(), page), values)
  }
  if (way.kind === 'set') return [statement(position ? 'beyond' : 'first', () => foundInSet(plan, way))]
  const [first, ...rest] = keys
  if (!first) throw new Error('an order has at least one key')
  if (position === null) return [statement('first', () => foundOnWalk(plan, way, undefined))]
  const at = slot('at0')
  const beyond = () => sql`${keyOf(first)} ${sign(first.direction)} ${at}`
  const further = statement('beyond', () => foundOnWalk(plan, way, beyond()))
  if (rest.length === 0) return [further]
  const besides = () => sql`${keyOf(first)} = ${at} AND ${customers.id} ${sign(first.direction)} ${slot('at1')}`
  return [statement('besides', () => foundOnWalk(plan, way, besides(), rest)), further]
}

function slotsOf(position: Position): Record<string, string | number> {
  return Object.fromEntries(position.map((value, at) => [`at${at}`, value]))
}

/** Selects ids and values of the order: those that match, then the last one looked at, if the walk ends there. */
function foundOnWalk(plan: ListPlan, way: Way, range: SQL | undefined, order = plan.keys): SQL {
  const { source, within } = way
  const walk = (columns: SQL) => sql`
    SELECT ${columns} FROM ${source} WHERE ${within} ${range ? sql`AND ${range}` : sql``}
    ORDER BY ${orderOf(order.map((key) => [keyOf(key), key.direction]))}`
  const columns = sql`${keysOf(plan)}, ${BYTES} AS bytes, ${matchOf(plan.matches)} AS ok`
  // The second part is read only if the first does not fill the page.
  return sql`
    SELECT *, 0 AS is_bound FROM (${walk(columns)} LIMIT ${slot('lookedAtMax')}) WHERE ok
    UNION ALL
    SELECT * FROM (${walk(sql`${keysOf(plan)}, 0 AS bytes, 0 AS ok, 1 AS is_bound`)} LIMIT 1 OFFSET ${slot('lookedAtBefore')})`
}

/** Selects the same of a set, in order. If the set is too large, the first row is one that `is_bound` marks. */
function foundInSet(plan: ListPlan, { source, within }: Way): SQL {
  const lookedAtMax = slot('lookedAtMax')
  const { keys, position } = plan
  const named = keys.map((key, at): [SQL, 'asc' | 'desc'] => [nameOf(key.field, at), key.direction])
  const beyond =
    position === null
      ? sql`1`
      : beyondOf(
          named,
          position.map((_, at) => slot(`at${at}`)),
        )
  return sql`
    SELECT * FROM (
      SELECT ${keysOf(plan)}, 0 AS bytes, 0 AS ok, 1 AS is_bound
      FROM ${source} WHERE ${within} LIMIT 1 OFFSET ${lookedAtMax}
    )
    UNION ALL
    SELECT * FROM (
      SELECT *, 0 AS is_bound FROM (
        SELECT ${keysOf(plan)}, ${BYTES} AS bytes, ${matchOf(plan.matches)} AS ok FROM ${source} WHERE ${within} LIMIT ${lookedAtMax}
      ) WHERE ok AND ${beyond} ORDER BY ${orderOf(named)}
    )`
}

/** The parts of the text that the plan does not decide. */
interface PageShape {
  hasOffset: boolean
  /** True to add up the bytes of the rows before each. */
  isSummed: boolean
  columns: readonly SQL[]
}

/**
 * Selects the customers of the page, with one row more than it shows. `passed`: the rows up to this one, for an offset.
 */
function wholeCustomers({ keys }: ListPlan, found: SQL, { hasOffset, isSummed, columns }: PageShape): SQL {
  const names = keys.map((_, at) => sql.raw(`page.k${at}`))
  const page = hasOffset
    ? sql`SELECT * FROM (
          SELECT *, row_number() OVER (ROWS UNBOUNDED PRECEDING) AS passed FROM (
            SELECT * FROM (${found}) LIMIT ${slot('rowsWithOffsetMax')}
          )
        ) WHERE passed > ${slot('offset')} OR is_bound`
    : sql`SELECT *, 0 AS passed FROM (${found}) LIMIT ${slot('rowsMax')}`
  const before = isSummed ? sql`sum(bytes) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING)` : sql`0`
  return sql`
    SELECT ${sql.join([CUSTOMER_COLUMNS, ...columns, ...names], sql`, `)}, page.is_bound, page.passed, page.bytes
    FROM (SELECT *, ${before} AS before FROM (${page})) page
    CROSS JOIN ${customers} ON ${inScope(customers, SCOPE)} AND ${customers.id} = page.id
    WHERE coalesce(page.before, 0) < ${slot('bytesMax')}`
}

interface Rows {
  rows: PageRow[]
  positions: Position[]
  next: Position | null
}

/** Returns the page that the rows make; null if the set was too large. Throws `RegistryError` for a far offset. */
export function pageOf(plan: ListPlan, way: Way, statements: PageRow[][], bounds: PageBounds): Rows | null {
  const rows: PageRow[] = []
  const positions: Position[] = []
  let bytes = 0
  for (const row of statements.flat()) {
    if (row.is_bound && way.kind === 'set') return null
    const position = plan.keys.map((_, at) => row[`k${at}`] as string | number)
    if (row.is_bound) {
      if (plan.offset > 0 && row.passed <= plan.offset) refuseOffset()
      return { rows, positions, next: position }
    }
    const isFull = rows.length === bounds.customersMax || bytes >= bounds.bytesMax
    if (isFull) return { rows, positions, next: positions.at(-1) as Position }
    rows.push(row)
    positions.push(position)
    bytes += row.bytes
  }
  return { rows, positions, next: null }
}

/**
 * Selects the total from the counts that the triggers keep, if the list has no filter but the status: this reads no
 * customer. Otherwise counts among the customers that a page may look at.
 */
function totalStatement(db: Database, scope: Scope, { shape, statusOnly, matches }: ListPlan, way: Way) {
  const { source, within, lookedAtMax } = way
  const build = () =>
    statusOnly
      ? sql`
      SELECT coalesce(sum(${customerCounts.count}), 0) AS total, 0 AS is_capped
      FROM ${customerCounts} WHERE ${inScope(customerCounts, SCOPE)} AND ${statusOnly}`
      : sql`
      SELECT coalesce(sum(ok), 0) AS total, count(*) > ${slot('lookedAtMax')} AS is_capped
      FROM (SELECT ${matchOf(matches)} AS ok FROM ${source} WHERE ${within} LIMIT ${slot('rowsMax')})`
  const values = { ...scope, lookedAtMax, rowsMax: lookedAtMax + 1 }
  return slottedStatement(db, shape && `total of ${shape}`, build, values)
}

function totalOf(row: unknown): ListTotal {
  const { total, is_capped: isCapped } = row as { total: number; is_capped: number }
  return { count: isCapped ? Math.min(total, LIST_BOUNDS.lookedAtMax) : total, isCapped: isCapped === 1 }
}

function keysOf({ keys }: ListPlan): SQL {
  const values = keys.map((key, at) => sql`${keyOf(key)} AS ${sql.raw(`k${at}`)}`)
  return sql.join([sql`${customers.id} AS id`, ...values], sql`, `)
}

function matchOf(matches: SQL | undefined): SQL {
  return matches ? sql`iif(${matches}, 1, 0)` : sql`1`
}

/** Returns the name of a key's value. A value that a subquery selects has no collation any more. */
function nameOf(field: string, at: number): SQL {
  return sql.raw(field === 'email' ? `k${at} COLLATE NOCASE` : `k${at}`)
}

function orderOf(keys: readonly (readonly [SQL, 'asc' | 'desc'])[]): SQL {
  return sql.join(
    keys.map(([value, direction]) => (direction === 'asc' ? sql`${value} ASC` : sql`${value} DESC`)),
    sql`, `,
  )
}

function sign(direction: 'asc' | 'desc'): SQL {
  return direction === 'asc' ? sql`>` : sql`<`
}

/** Matches rows past the position: past it by the first key, or equal by the first key and past it by the rest. */
function beyondOf(keys: readonly (readonly [SQL, 'asc' | 'desc'])[], position: readonly SQL[]): SQL {
  const [key, ...rest] = keys
  const [at, ...further] = position
  if (key === undefined || at === undefined) throw new Error('a position holds one value for each key of the order')
  const [value, direction] = key
  const past = sql`${value} ${sign(direction)} ${at}`
  return rest.length === 0 ? past : sql`(${past} OR (${value} = ${at} AND ${beyondOf(rest, further)}))`
}
