/**
 * From a list request in FlexPrice's words to the registry's question, and from a page to its answer. Pure. Owns the
 * cursor: opaque to callers, it holds the position of the last customer shown, the order it is a position in, and how many
 * came before it.
 */
import { isStorableText } from '../../registry/customer.ts'
import { Refused } from '../../registry/failures.ts'
import {
  type Filter,
  LIST_FIELDS,
  type ListPage,
  type ListQuery,
  type Position,
  positionOf,
  type Sort,
  sortKeys,
} from '../../registry/query.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../../shared/bytes.ts'
import { FIELDS, type ListInput } from './list-schema.ts'

interface ListRequest {
  query: ListQuery
  /** How many customers the pages before this one have shown. */
  offset: number
}

export function toListRequest(input: ListInput): ListRequest {
  const sort = toSort(input)
  const cursor = input.cursor == null ? null : readCursor(input.cursor, sort)
  const offset = cursor?.seen ?? input.offset ?? 0
  const start: ListQuery['start'] = cursor ? { kind: 'after', position: cursor.position } : { kind: 'offset', offset }
  return { query: { filters: toFilters(input), includeArchived: false, sort, start, limit: input.limit }, offset }
}

/** `items` are the customers of the page as the door shows them. `offset` is where the next page begins. */
export function toV1List(page: ListPage, { query, offset }: ListRequest, items: object[]) {
  const last = page.customers.at(-1)
  const seen = offset + page.customers.length
  return {
    items,
    pagination: {
      total: page.total,
      limit: query.limit,
      offset: seen,
      next_cursor: page.hasMore && last ? cursorOf({ position: positionOf(last, query.sort), seen }, query.sort) : null,
      has_more: page.hasMore,
    },
  }
}

function toFilters(input: ListInput): Filter[] {
  const filters = (input.filters ?? []).map(toFilter)
  if (input.customer_ids) filters.push({ field: 'id', operator: 'in', value: input.customer_ids })
  if (input.external_ids) filters.push({ field: 'externalId', operator: 'in', value: input.external_ids })
  if (input.external_id) filters.push({ field: 'externalId', operator: 'eq', value: input.external_id })
  if (input.email) filters.push({ field: 'email', operator: 'eq', value: input.email })
  if (input.parent_customer_id) filters.push({ field: 'parentId', operator: 'eq', value: input.parent_customer_id })
  if (input.parent_customer_ids) filters.push({ field: 'parentId', operator: 'in', value: input.parent_customer_ids })
  if (input.status) filters.push({ field: 'status', operator: 'in', value: input.status })
  if (input.start_time != null) filters.push({ field: 'createdAtMs', operator: 'gte', value: input.start_time })
  if (input.end_time != null) filters.push({ field: 'createdAtMs', operator: 'lt', value: input.end_time })
  // To leave a status out is not to ask for the archived ones.
  const ofStatus = filters.filter((filter) => filter.field === 'status')
  if (ofStatus.length > 0 && ofStatus.every((filter) => filter.operator === 'not_in')) {
    filters.push({ field: 'status', operator: 'ne', value: 'archived' })
  }
  for (const [key, value] of Object.entries(input.metadata ?? {})) {
    filters.push({ field: 'metadata', key, operator: 'eq', value })
  }
  return filters
}

function toFilter({ field: name, operator, value }: NonNullable<ListInput['filters']>[number]): Filter {
  const field = FIELDS[name]
  const values = [value].flat()
  const [first = ''] = values
  switch (operator) {
    case 'eq':
    case 'gt':
    case 'gte':
    case 'lt':
      return { field, operator, value: first }
    case 'after':
      return { field, operator: 'gt', value: first }
    case 'before':
      return { field, operator: 'lt', value: first }
    case 'contains':
    case 'not_contains':
      return { field, operator, value: String(first) }
    case 'in':
    case 'not_in':
      return { field, operator, value: values }
  }
}

/** `order` is the direction of whatever does not say its own: of the whole list when it is not sorted by anything. */
function toSort({ sort, order }: ListInput): Sort[] {
  if (!sort || sort.length === 0) return order === 'asc' ? [{ field: 'id', direction: 'asc' }] : []
  return sort.map(({ field, direction }) => ({ field: FIELDS[field], direction: direction ?? order ?? 'asc' }))
}

interface Cursor {
  position: Position
  seen: number
}

export function cursorOf({ position, seen }: Cursor, sort: Sort[]): string {
  return toBase64Url(utf8(JSON.stringify([orderText(sort), seen, ...position])))
}

export function readCursor(text: string, sort: Sort[]): Cursor {
  const [order, seen, ...position] = partsOf(text) ?? [null]
  if (typeof order !== 'string' || !isCount(seen)) throw refusedCursor('is not a cursor')
  if (order !== orderText(sort)) throw refusedCursor('was made for a list in another order')
  const keys = sortKeys(sort)
  const isWhole = position.length === keys.length && keys.every((key, at) => isValueOf(key, position[at]))
  if (!isWhole) throw refusedCursor('is not a cursor')
  return { position: position as Position, seen }
}

function partsOf(text: string): unknown[] | null {
  const bytes = fromBase64Url(text)
  if (!bytes) return null
  try {
    const parts: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
    return Array.isArray(parts) ? parts : null
  } catch {
    return null
  }
}

function orderText(sort: Sort[]): string {
  return sortKeys(sort)
    .map(({ field, direction }) => `${field} ${direction}`)
    .join(',')
}

function isValueOf({ field }: Sort, value: unknown): boolean {
  return LIST_FIELDS[field] === 'text'
    ? typeof value === 'string' && isStorableText(value)
    : Number.isSafeInteger(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function refusedCursor(message: string): Refused {
  const fix = 'send next_cursor of the page before with the same sort and order, or leave it out'
  return new Refused({ reason: 'invalid_input', problems: [{ field: 'cursor', message, fix }] })
}
