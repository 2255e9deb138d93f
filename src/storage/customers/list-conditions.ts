/**
 * Translates the filters of a list of customers to conditions of SQL. Pure: builds SQL and runs none.
 *
 * An unset text field is the empty string here. Text compares byte for byte, except that e-mail addresses are equal
 * whatever the case of their ASCII letters and the spelling of their domain, and that `contains` ignores case and accents.
 */
import { and, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { type CustomerStatus, firstIdAt } from '../../registry/customer.ts'
import type { ListField } from '../../registry/customer-fields.ts'
import type { Filter, ListQuery } from '../../registry/query.ts'
import { fold } from '../../shared/fold.ts'
import { asciiEmail } from '../../validation/email.ts'
import { containsFolded } from '../folded.ts'
import { customers } from '../schema/tables.ts'

export type FieldFilter = Exclude<Filter, { field: 'metadata' }>
export type MetadataFilter = Extract<Filter, { field: 'metadata' }>

const STATUSES: readonly CustomerStatus[] = ['published', 'draft', 'archived']

/** The status that a caller sees: a row has a time in place of `archived`. */
const effectiveStatus = sql`CASE WHEN ${customers.archivedAtMs} IS NOT NULL THEN 'archived' ELSE ${customers.status} END`

/** The expression of the index `customers_email_order`: an address is the same in any spelling. */
const EMAIL_IDENTITY = sql`coalesce(${customers.emailAscii}, ${customers.email}, '') COLLATE NOCASE`

/** Returns the condition of one filter. */
export function conditionOf(given: FieldFilter): SQL | undefined {
  const value = comparedAs(given.field)
  const filter = given.field === 'email' ? withAsciiDomains(given) : given
  switch (filter.operator) {
    case 'eq':
      return sql`${identityOf(filter.field)} = ${filter.value}`
    case 'ne':
      return sql`${identityOf(filter.field)} <> ${filter.value}`
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
      return isAmong(identityOf(filter.field), filter.value)
    case 'not_in':
      return sql`NOT ${isAmong(identityOf(filter.field), filter.value)}`
  }
}

/**
 * Returns the creation times that all filters leave, as one range of ids, which the primary key finds. It binds two
 * values at most, however many filters there are.
 */
export function idRangeOf(filters: readonly FieldFilter[]): SQL[] {
  const { fromMs, beforeMs } = timesOf(filters, 'createdAtMs')
  return [
    ...(Number.isFinite(fromMs) ? [sql`${customers.id} >= ${firstIdAt(fromMs)}`] : []),
    ...(Number.isFinite(beforeMs) ? [sql`${customers.id} < ${firstIdAt(beforeMs)}`] : []),
  ]
}

/** Does the same for the times of the last change, which the index `customers_updated_order` finds. */
export function updatedRangeOf(filters: readonly FieldFilter[]): SQL[] {
  const { fromMs, beforeMs } = timesOf(filters, 'updatedAtMs')
  return [
    ...(Number.isFinite(fromMs) ? [sql`${customers.updatedAtMs} >= ${fromMs}`] : []),
    ...(Number.isFinite(beforeMs) ? [sql`${customers.updatedAtMs} < ${beforeMs}`] : []),
  ]
}

function timesOf(filters: readonly FieldFilter[], wanted: ListField): { fromMs: number; beforeMs: number } {
  let fromMs = Number.NEGATIVE_INFINITY
  let beforeMs = Number.POSITIVE_INFINITY
  for (const { field, operator, value } of filters) {
    if (field !== wanted || typeof value !== 'number') continue
    if (operator === 'gte' || operator === 'eq') fromMs = Math.max(fromMs, value)
    if (operator === 'gt') fromMs = Math.max(fromMs, value + 1)
    if (operator === 'lt') beforeMs = Math.min(beforeMs, value)
    if (operator === 'lte' || operator === 'eq') beforeMs = Math.min(beforeMs, value + 1)
  }
  return { fromMs, beforeMs }
}

/**
 * Returns the expression by which two values of a field are the same, and by which a list is ordered. The index of the
 * field has it, for those that have one.
 */
export function identityOf(field: ListField): SQL {
  return field === 'email' ? EMAIL_IDENTITY : comparedAs(field)
}

/**
 * Returns the condition of a filter that lists the values it wants, in the form that the index of its field has. No index
 * has customers without a parent, so it finds none for an unset one.
 */
export function lookUpOf(given: FieldFilter & { operator: 'eq' | 'in' }): SQL {
  const filter = given.field === 'email' ? withAsciiDomains(given) : given
  const value = filter.field === 'parentId' ? sql`${customers.parentId}` : identityOf(filter.field)
  return filter.operator === 'in' ? isAmong(value, filter.value) : sql`${value} = ${filter.value as string | number}`
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

/** Returns the expression that the field is compared by. */
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
 * Binds all filters as one value, and reads the metadata of a customer once, however many there are. A key may contain
 * quotes and dots, so it is compared and never made part of a JSON path.
 */
export function conditionOfMetadata(filters: readonly MetadataFilter[]): SQL | undefined {
  if (filters.length === 0) return undefined
  const pairs = new Set(filters.map(({ key, value }) => JSON.stringify([key, value])))
  const wanted = `[${[...pairs].join()}]`
  return sql`(
    SELECT count(*) FROM json_each(${customers.metadata}) kept
    WHERE (kept.key, kept.value) IN (SELECT value ->> 0, value ->> 1 FROM json_each(${wanted}))
  ) = ${pairs.size}`
}

/** Returns the statuses that the list can contain. This applies the filters on the status in full. */
export function statusesOf({ filters, includeArchived }: ListQuery): CustomerStatus[] {
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

export function conditionOfStatuses(statuses: readonly CustomerStatus[]): SQL | undefined {
  if (statuses.length === STATUSES.length) return undefined
  const archived = statuses.includes('archived')
  const [live, other] = statuses.filter((status) => status !== 'archived')
  if (live === undefined) return archived ? isNotNull(customers.archivedAtMs) : sql`0`
  const isThatStatus = other === undefined ? sql`${customers.status} = ${sql.raw(`'${live}'`)}` : undefined
  return archived
    ? or(isNotNull(customers.archivedAtMs), isThatStatus)
    : and(isNull(customers.archivedAtMs), isThatStatus)
}

/** Returns the same as `and`, but as a tree instead of a chain, because D1 limits the depth of an expression. */
export function allOf(conditions: (SQL | undefined)[]): SQL | undefined {
  const present = conditions.filter((condition) => condition !== undefined)
  if (present.length <= 2) return and(...present)
  const middle = present.length >> 1
  return and(allOf(present.slice(0, middle)), allOf(present.slice(middle)))
}
