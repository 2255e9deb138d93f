/**
 * Translates a query for a list of customers to the parts of its SQL. Pure: builds SQL and runs none.
 *
 * An unset text field is the empty string here, in filters, in the order and in a page's position. Text compares byte
 * for byte, except that e-mail addresses are equal whatever the case of their ASCII letters and the spelling of their
 * domain, and that `contains` ignores case and accents.
 */
import { and, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { type CustomerStatus, firstIdAt, type Scope } from '../../registry/customer.ts'
import type { ListField } from '../../registry/customer-fields.ts'
import { invalidField } from '../../registry/errors.ts'
import { type Filter, LIST_BOUNDS, type ListQuery, type Position, type Sort, sortKeys } from '../../registry/query.ts'
import { fold } from '../../shared/fold.ts'
import { asciiEmail } from '../../validation/email.ts'
import { containsFolded } from '../folded.ts'
import { customerCounts, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'

export interface ListPlan {
  /** The table to select from, with the index that suits the filters. */
  source: SQL
  /** Matches the customers of the list. */
  matches: SQL | undefined
  /** Matches those beyond the position that the page starts from; undefined for a page that starts at an offset. */
  beyond: SQL | undefined
  order: SQL[]
  offset: number
  /** True when the page is read from its end, so that its rows must be reversed. */
  backwards: boolean
  /** The filters as a condition on `customer_counts`; null if there is a filter on another field than the status. */
  statusOnly: SQL | null
}

type FieldFilter = Exclude<Filter, { field: 'metadata' }>
type MetadataFilter = Extract<Filter, { field: 'metadata' }>

const STATUSES: readonly CustomerStatus[] = ['published', 'draft', 'archived']

/** The status that a caller sees: a row has a time in place of `archived`. */
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
      inScope(customers, scope),
      conditionOfStatuses(statuses),
      // An erased customer is archived, so other statuses need no such condition.
      statuses.includes('archived') ? isNull(customers.erasedAtMs) : undefined,
      ...fields.map(conditionOf),
      ...idRangeOf(fields),
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
 * Returns the table with an index hint for the filters. Without statistics SQLite prefers the order of the primary key
 * to an index, and would read every customer to find one. A list that cannot contain any customer gets no hint: SQLite
 * recognises that its condition is always false and drops it, and then cannot use the index.
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

/** True for a filter that lists the values it wants, none of them unset, so that an index finds them. */
function isLookUp(filter: FieldFilter): boolean {
  return (filter.operator === 'eq' && filter.value !== '') || (filter.operator === 'in' && !filter.value.includes(''))
}

function conditionOf(given: FieldFilter): SQL | undefined {
  const value = comparedAs(given.field)
  const filter = given.field === 'email' ? withAsciiDomains(given) : given
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
    case 'contains':
      return containsFolded(customers.folded, customers[columnOf(filter.field)], filter.value)
    case 'not_contains':
      return sql`NOT ${containsFolded(customers.folded, customers[columnOf(filter.field)], filter.value)}`
    case 'in':
      return isAmong(identityOf(filter), filter.value)
    case 'not_in':
      return sql`NOT ${isAmong(identityOf(filter), filter.value)}`
  }
}

/**
 * Returns the creation times that all filters leave, as one range of ids, which the primary key finds. It binds two
 * values at most, however many filters there are.
 */
function idRangeOf(filters: FieldFilter[]): SQL[] {
  let fromMs = Number.NEGATIVE_INFINITY
  let beforeMs = Number.POSITIVE_INFINITY
  for (const { field, operator, value } of filters) {
    if (field !== 'createdAtMs' || typeof value !== 'number') continue
    if (operator === 'gte' || operator === 'eq') fromMs = Math.max(fromMs, value)
    if (operator === 'gt') fromMs = Math.max(fromMs, value + 1)
    if (operator === 'lt') beforeMs = Math.min(beforeMs, value)
    if (operator === 'lte' || operator === 'eq') beforeMs = Math.min(beforeMs, value + 1)
  }
  return [
    ...(Number.isFinite(fromMs) ? [sql`${customers.id} >= ${firstIdAt(fromMs)}`] : []),
    ...(Number.isFinite(beforeMs) ? [sql`${customers.id} < ${firstIdAt(beforeMs)}`] : []),
  ]
}

/**
 * Returns the expression by which two values are the same: for a look-up the bare column in the collation of its index,
 * so that SQLite can use the index.
 */
function identityOf(filter: FieldFilter): SQL {
  if (filter.field !== 'email')
    return isLookUp(filter) ? sql`${customers[columnOf(filter.field)]}` : comparedAs(filter.field)
  const { email, emailAscii } = customers
  // The first is the expression of the index, which has no row without an address.
  return isLookUp(filter)
    ? sql`${email} IS NOT NULL AND coalesce(${emailAscii}, ${email}) COLLATE NOCASE`
    : sql`coalesce(${emailAscii}, ${email}, '') COLLATE NOCASE`
}

/** Writes the addresses of a comparison for equality as `identityOf` compares them: with their domains in ASCII. */
function withAsciiDomains(filter: FieldFilter): FieldFilter {
  const ascii = (value: string | number) => asciiEmail(String(value)) ?? value
  switch (filter.operator) {
    case 'eq':
    case 'ne':
      return { ...filter, value: ascii(filter.value) }
    case 'in':
    case 'not_in':
      return { ...filter, value: filter.value.map(ascii) }
    default:
      return filter
  }
}

function columnOf(field: ListField): Exclude<ListField, 'status'> {
  if (field === 'status') throw new Error('a status is judged as a whole, see statusesOf')
  return field
}

/** Returns the expression that the field is compared and sorted by. */
function comparedAs(field: ListField): SQL {
  if (field === 'status') return effectiveStatus
  const column = customers[field]
  return column.notNull ? sql`${column}` : sql`coalesce(${column}, '')`
}

/** Binds the list as one value, however long it is. */
function isAmong(value: SQL, wanted: readonly (string | number)[]): SQL {
  return sql`${value} IN (SELECT value FROM json_each(${JSON.stringify(wanted)}))`
}

/**
 * Binds all filters as one value. A key may contain quotes and dots, so it is compared and never made part of a JSON
 * path.
 */
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

/** Returns the statuses that the list can contain. This applies the filters on the status in full. */
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
      return status.includes(fold(filter.value))
    case 'not_contains':
      return !status.includes(fold(filter.value))
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

/** Matches rows past the position: past it by the first key, or equal by the first key and past it by the rest. */
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
    invalidField(field, `has more than ${max} entries`, `send at most ${max}`)
  if (filters.filter(({ field }) => field !== 'metadata').length > LIST_BOUNDS.filtersMax) {
    throw tooMany('filters', LIST_BOUNDS.filtersMax)
  }
  if (keys.length > LIST_BOUNDS.sortKeysMax + 1) throw tooMany('sort', LIST_BOUNDS.sortKeysMax)
}

/** Returns the same as `and`, but as a tree instead of a chain, because D1 limits the depth of an expression. */
function allOf(conditions: (SQL | undefined)[]): SQL | undefined {
  const present = conditions.filter((condition) => condition !== undefined)
  if (present.length <= 2) return and(...present)
  const middle = present.length >> 1
  return and(allOf(present.slice(0, middle)), allOf(present.slice(middle)))
}
