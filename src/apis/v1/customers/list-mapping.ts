/**
 * Maps a list request of v1 to the registry's query, and a page to the v1 response. A cursor holds the position of the
 * last customer looked at, the number of customers shown so far, and the total, which is counted for the first page only.
 */
import type { PageCursor } from '../../../http/cursor.ts'
import type { Filter, ListPage, ListQuery, ListTotal, Position, Sort } from '../../../registry/query.ts'
import { FIELDS, type ListInput } from './list-schema.ts'

interface ListRequest {
  query: ListQuery
  /** Number of customers on the pages before this one. */
  offset: number
  /** The total as the first page counted it; null if this is the first page. */
  total: ListTotal | null
}

/** The contents of a cursor. */
interface Place {
  seen: number
  total: ListTotal
  position: Position
}

/** `place` is the text of the cursor, which `toV1Pagination` made for a page of the same query. */
export function toListRequest(input: ListInput, place: string | null): ListRequest {
  const sort = toSort(input)
  const after: Place | null = place === null ? null : JSON.parse(place)
  const offset = after?.seen ?? input.offset ?? 0
  const start: ListQuery['start'] = after ? { kind: 'after', position: after.position } : { kind: 'offset', offset }
  const q = input.q ?? undefined
  const query = { filters: toFilters(input), q, includeArchived: false, sort, start, limit: input.limit }
  return { query, offset, total: after?.total ?? null }
}

/** Returns the part of the v1 response that is beside the items. Its `offset` is where the next page begins. */
export async function toV1Pagination(
  page: ListPage,
  { query, offset, total: counted }: ListRequest,
  { next }: PageCursor,
) {
  const seen = offset + page.customers.length
  // The registry counts for a page whose cursor has no total.
  const total = counted ?? (page.total as ListTotal)
  const place: Place | null = page.next && { seen, total, position: page.next }
  return {
    pagination: {
      total: total.count,
      ...(total.isCapped && { total_is_capped: true as const }),
      limit: query.limit,
      offset: seen,
      next_cursor: await next(place && JSON.stringify(place)),
      has_more: page.next !== null,
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
  // A list that only excludes statuses still leaves archived customers out.
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

/** Uses `order` as the direction of each key without one, and of the whole list if there is no key. */
function toSort({ sort, order }: ListInput): Sort[] {
  if (!sort || sort.length === 0) return order === 'asc' ? [{ field: 'id', direction: 'asc' }] : []
  return sort.map(({ field, direction }) => ({ field: FIELDS[field], direction: direction ?? order ?? 'asc' }))
}
