/**
 * From a question about a list of customers to the parts of its SQL. Pure: builds, runs nothing.
 *
 * An unset text field is the empty string here, in filters, in the order and in a page's position. Text compares byte
 * for byte, only e-mail addresses are equal whatever the case of their ASCII letters.
 */
import { and, eq, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { type CustomerStatus, firstIdAt, type Scope } from '../registry/customer.ts'
import { Refused } from '../registry/failures.ts'
import {
  type Filter,
  LIST_BOUNDS,
  type ListField,
  type ListQuery,
  type Position,
  type Sort,
  sortKeys,
} from '../registry/query.ts'
import { customerCounts, customers } from './tables.ts'

export interface ListPlan {
  /** What to select from: the customers, by the index that the filters call for. */
  source: SQL
  /** Which customers the list has. */
  matches: SQL | undefined
  /** Which of them lie beyond the position the page starts from. */
  beyond: SQL | undefined
  order: SQL[]
  offset: number
  /** The page was read from its end and must be turned round. */
  backwards: boolean
  /** When nothing but the status decides: the same as a condition on `customer_counts`. */
  statusOnly: SQL | null
}

type FieldFilter = Exclude<Filter, { field: 'metadata' }>
type MetadataFilter = Extract<Filter, { field: 'metadata' }>

const STATUSES: readonly CustomerStatus[] = ['published', 'draft', 'archived']

/** The status a caller sees. */
const effectiveStatus = sql`CASE WHEN ${customers.archivedAtMs} IS NOT NULL THEN 'archived' ELSE ${customers.status} END`

export function planList(scope: Scope, query: ListQuery): ListPlan {
  const keys = sortKeys(query.sort)
  checkBounds(query, keys)
  const statuses = statusesOf(query)
  const metadata = query.filters.filter((filter) => filter.field === 'metadata')
  const filters = query.filters.filter((filter) => filter.field !== 'metadata' && filter.field !== 'status')
  const fields = filters as FieldFilter[]
  const backwards = query.start.kind === 'before'
  const directed = backwards ? keys.map(reversed) : keys
  return {
    source: sourceFor(fields, statuses),
    matches: allOf([
      eq(customers.tenantId, scope.tenantId),
      eq(customers.mode, scope.mode),
      conditionOfStatuses(statuses),
      // Those that are not archived are not erased.
      statuses.includes('archived') ? isNull(customers.erasedAtMs) : undefined,
      ...fields.map(conditionOf),
      ...fields.flatMap(idRangeOf),
      conditionOfMetadata(metadata),
    ]),
    beyond: query.start.kind === 'offset' ? undefined : beyond(directed, query.start.position),
    order: directed.map(({ field, direction }) =>
      direction === 'asc' ? sql`${comparedAs(field)} ASC` : sql`${comparedAs(field)} DESC`,
    ),
    offset: query.start.kind === 'offset' ? query.start.offset : 0,
    backwards,
    statusOnly: query.filters.every((filter) => filter.field === 'status')
      ? inArray(customerCounts.status, statuses)
      : null,
  }
}

/**
 * Without statistics SQLite takes the key's order over an index, and would read every customer to find one of them.
 * A list that can hold none names no index: SQLite sees through the condition, drops it, and then can not use the index.
 */
function sourceFor(filters: FieldFilter[], statuses: readonly CustomerStatus[]): SQL {
  const named = new Set(filters.filter(isLookUp).map((filter) => filter.field))
  if (named.has('id') || statuses.length === 0) return sql`${customers}`
  if (named.has('externalId') && !statuses.includes('archived')) {
    return sql`${customers} INDEXED BY customers_external_id`
  }
  if (named.has('email')) return sql`${customers} INDEXED BY customers_email`
  if (named.has('parentId')) return sql`${customers} INDEXED BY customers_parent`
  return sql`${customers}`
}

/** True for a filter that names the values it wants, none of them unset: an index leads to them. */
function isLookUp(filter: FieldFilter): boolean {
  return (filter.operator === 'eq' && filter.value !== '') || (filter.operator === 'in' && !filter.value.includes(''))
}

function conditionOf(filter: FieldFilter): SQL | undefined {
  const value = comparedAs(filter.field)
  switch (filter.operator) {
    case 'eq':
      return sql`${identityOf(filter)} = ${filter.value}`
    case 'ne':
      return sql`${identityOf(filter)} <> ${filter.value}`
    case 'gt':
      return sql`${value} > ${filter.value}`
    case 'gte':
      return sql`${value} >= ${filter.value}`
    case 'lt':
      return sql`${value} < ${filter.value}`
    case 'lte':
      return sql`${value} <= ${filter.value}`
    // instr() takes text of any length; LIKE would stop at 50 bytes and give % and _ a meaning.
    case 'contains':
      return sql`instr(lower(${value}), lower(${filter.value})) > 0`
    case 'not_contains':
      return sql`instr(lower(${value}), lower(${filter.value})) = 0`
    case 'in':
      return isAmong(identityOf(filter), filter.value)
    case 'not_in':
      return sql`NOT ${isAmong(identityOf(filter), filter.value)}`
  }
}

/** A range of creation times is a range of ids, and the primary key leads to it. */
function idRangeOf({ field, operator, value }: FieldFilter): SQL[] {
  if (field !== 'createdAtMs' || typeof value !== 'number') return []
  const from = (timeMs: number) => sql`${customers.id} >= ${firstIdAt(timeMs)}`
  const before = (timeMs: number) => sql`${customers.id} < ${firstIdAt(timeMs)}`
  switch (operator) {
    case 'gte':
      return [from(value)]
    case 'gt':
      return [from(value + 1)]
    case 'lt':
      return [before(value)]
    case 'lte':
      return [before(value + 1)]
    case 'eq':
      return [from(value), before(value + 1)]
    default:
      return []
  }
}

/** What decides whether two values are the same: the bare column where an index leads to it, in the index's own order. */
function identityOf(filter: FieldFilter): SQL {
  const value = isLookUp(filter) ? sql`${customers[columnOf(filter.field)]}` : comparedAs(filter.field)
  return filter.field === 'email' ? sql`${value} COLLATE NOCASE` : value
}

function columnOf(field: ListField): Exclude<ListField, 'status'> {
  if (field === 'status') throw new Error('a status is judged as a whole, see statusesOf')
  return field
}

/** What the field compares and sorts by. */
function comparedAs(field: ListField): SQL {
  if (field === 'status') return effectiveStatus
  const column = customers[field]
  return column.notNull ? sql`${column}` : sql`coalesce(${column}, '')`
}

/** One bound value, however long the list. */
function isAmong(value: SQL, wanted: readonly (string | number)[]): SQL {
  return sql`${value} IN (SELECT value FROM json_each(${JSON.stringify(wanted)}))`
}

/** All of them in one bound value. A key may hold quotes and dots, so it is compared and never made part of a path. */
function conditionOfMetadata(filters: MetadataFilter[]): SQL | undefined {
  if (filters.length === 0) return undefined
  const wanted = JSON.stringify(filters.map(({ key, value }) => [key, value]))
  return sql`NOT EXISTS (
    SELECT 1 FROM json_each(${wanted}) wanted WHERE NOT EXISTS (
      SELECT 1 FROM json_each(${customers.metadata}) kept
      WHERE kept.key = wanted.value ->> 0 AND kept.value = wanted.value ->> 1
    )
  )`
}

/** Which of the three statuses the list can hold. Filters on the status are used up by this. */
function statusesOf({ filters, includeArchived }: ListQuery): CustomerStatus[] {
  const wanted = filters.filter((filter): filter is FieldFilter => filter.field === 'status')
  const possible = includeArchived || wanted.length > 0 ? STATUSES : STATUSES.filter((status) => status !== 'archived')
  return possible.filter((status) => wanted.every((filter) => passes(status, filter)))
}

function passes(status: CustomerStatus, filter: FieldFilter): boolean {
  switch (filter.operator) {
    case 'eq':
      return status === filter.value
    case 'ne':
      return status !== filter.value
    case 'gt':
      return status > filter.value
    case 'gte':
      return status >= filter.value
    case 'lt':
      return status < filter.value
    case 'lte':
      return status <= filter.value
    case 'contains':
      return status.includes(filter.value.toLowerCase())
    case 'not_contains':
      return !status.includes(filter.value.toLowerCase())
    case 'in':
      return filter.value.includes(status)
    case 'not_in':
      return !filter.value.includes(status)
  }
}

function conditionOfStatuses(statuses: readonly CustomerStatus[]): SQL | undefined {
  if (statuses.length === STATUSES.length) return undefined
  const archived = statuses.includes('archived')
  const [live, other] = statuses.filter((status) => status !== 'archived')
  if (live === undefined) return archived ? isNotNull(customers.archivedAtMs) : sql`0`
  const isThatStatus = other === undefined ? sql`${customers.status} = ${live}` : undefined
  return archived
    ? or(isNotNull(customers.archivedAtMs), isThatStatus)
    : and(isNull(customers.archivedAtMs), isThatStatus)
}

/** Past the position in the order of the keys: by the first key, or level with it and past by the rest. */
function beyond(keys: Sort[], position: Position): SQL {
  const [key, ...rest] = keys
  const [at, ...further] = position
  if (key === undefined || at === undefined) throw new Error('a position holds one value for each key of the order')
  const value = comparedAs(key.field)
  const past = key.direction === 'asc' ? sql`${value} > ${at}` : sql`${value} < ${at}`
  return rest.length === 0 ? past : sql`(${past} OR (${value} = ${at} AND ${beyond(rest, further)}))`
}

function reversed({ field, direction }: Sort): Sort {
  return { field, direction: direction === 'asc' ? 'desc' : 'asc' }
}

function checkBounds({ filters }: ListQuery, keys: Sort[]): void {
  const tooMany = (field: string, max: number) =>
    new Refused({
      reason: 'invalid_input',
      problems: [{ field, message: `has more than ${max} entries`, fix: `send at most ${max}` }],
    })
  if (filters.filter(({ field }) => field !== 'metadata').length > LIST_BOUNDS.filtersMax) {
    throw tooMany('filters', LIST_BOUNDS.filtersMax)
  }
  if (keys.length > LIST_BOUNDS.sortKeysMax + 1) throw tooMany('sort', LIST_BOUNDS.sortKeysMax)
}

/** As `and`, but a tree instead of a chain: D1 limits how deep an expression is. */
function allOf(conditions: (SQL | undefined)[]): SQL | undefined {
  const present = conditions.filter((condition) => condition !== undefined)
  if (present.length <= 2) return and(...present)
  const middle = present.length >> 1
  return and(allOf(present.slice(0, middle)), allOf(present.slice(middle)))
}
