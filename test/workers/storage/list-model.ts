/** The specification of a list in plain code: filter, sort and cut an array. The tests compare the SQL with it. */
import type { Customer } from '../../../src/registry/customer.ts'
import { LIST_FIELDS, type ListField } from '../../../src/registry/customer-fields.ts'
import {
  type Filter,
  type ListPage,
  type ListQuery,
  type Position,
  positionOf,
  type Sort,
  sortKeys,
} from '../../../src/registry/query.ts'
import { fold } from '../../../src/shared/fold.ts'

export function listOf(all: readonly Customer[], query: ListQuery): ListPage {
  const keys = sortKeys(query.sort)
  const ordered = all
    .filter((customer) => isListed(customer, query))
    .sort((a, b) => comparePositions(positionOf(a, query.sort), positionOf(b, query.sort), keys))
  const { start, limit } = query
  const total = ordered.length
  if (start.kind === 'offset') {
    return {
      customers: ordered.slice(start.offset, start.offset + limit),
      hasMore: total > start.offset + limit,
      total,
    }
  }
  const side = (customer: Customer) => comparePositions(positionOf(customer, query.sort), start.position, keys)
  if (start.kind === 'after') {
    const further = ordered.filter((customer) => side(customer) > 0)
    return { customers: further.slice(0, limit), hasMore: further.length > limit, total }
  }
  const earlier = ordered.filter((customer) => side(customer) < 0)
  return { customers: earlier.slice(-limit), hasMore: earlier.length > limit, total }
}

function isListed(customer: Customer, { filters, includeArchived }: ListQuery): boolean {
  const archivedToo = includeArchived || filters.some(({ field }) => field === 'status')
  return (archivedToo || customer.status !== 'archived') && filters.every((filter) => holds(customer, filter))
}

function holds(customer: Customer, filter: Filter): boolean {
  if (filter.field === 'metadata') {
    return Object.entries(customer.metadata).some(([key, value]) => key === filter.key && value === filter.value)
  }
  const value = customer[filter.field] ?? ''
  const same = (other: string | number) =>
    filter.field === 'email' ? asciiLower(String(value)) === asciiLower(String(other)) : value === other
  switch (filter.operator) {
    case 'eq':
      return same(filter.value)
    case 'ne':
      return !same(filter.value)
    case 'gt':
      return compareValues(value, filter.value) > 0
    case 'gte':
      return compareValues(value, filter.value) >= 0
    case 'lt':
      return compareValues(value, filter.value) < 0
    case 'lte':
      return compareValues(value, filter.value) <= 0
    case 'contains':
      return contains(String(value), filter.value)
    case 'not_contains':
      return !contains(String(value), filter.value)
    case 'in':
      return filter.value.some(same)
    case 'not_in':
      return !filter.value.some(same)
  }
}

/** Text of accents alone is looked for as it is, because it folds to nothing. */
function contains(text: string, wanted: string): boolean {
  return fold(wanted) === '' ? text.includes(wanted) : fold(text).includes(fold(wanted))
}

function comparePositions(a: Position, b: Position, keys: Sort[]): number {
  for (const [at, { direction }] of keys.entries()) {
    const order = compareValues(a[at] ?? '', b[at] ?? '')
    if (order !== 0) return direction === 'asc' ? order : -order
  }
  return 0
}

/** Compares text by its bytes in UTF-8, which is not the order of JavaScript's strings. */
function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [left, right] = [utf8(String(a)), utf8(String(b))]
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = (left[at] as number) - (right[at] as number)
    if (order !== 0) return order
  }
  return left.length - right.length
}

const utf8 = (text: string) => new TextEncoder().encode(text)

function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

export const TEXT_FIELDS = (Object.keys(LIST_FIELDS) as ListField[]).filter((field) => LIST_FIELDS[field] === 'text')
export const NUMBER_FIELDS = (Object.keys(LIST_FIELDS) as ListField[]).filter((field) => LIST_FIELDS[field] !== 'text')
