/** The specification of a list in plain code: filter, sort and cut an array. The tests compare the SQL with it. */
import type { Customer } from '../../../src/registry/customer.ts'
import { LIST_FIELDS, type ListField } from '../../../src/registry/customer-fields.ts'
import {
  type Filter,
  type ListPage,
  type ListQuery,
  type Position,
  type Sort,
  sortKeys,
} from '../../../src/registry/query.ts'
import { fold } from '../../../src/shared/fold.ts'
import { asciiEmail } from '../../../src/validation/email.ts'

/** Returns the page that a list has if it may look at all customers and show any number of bytes. */
export function listOf(all: readonly Customer[], query: ListQuery): ListPage {
  const keys = sortKeys(query.sort)
  const { start, limit } = query
  const ordered = wholeListOf(all, query)
  const total = { count: ordered.length, isCapped: false }
  const page = (customers: Customer[], hasMore: boolean, last = customers.at(-1)): ListPage => ({
    customers,
    positions: customers.map((customer) => positionOf(customer, query.sort)),
    next: hasMore && last ? positionOf(last, query.sort) : null,
    total,
  })
  if (start.kind === 'offset') {
    const further = ordered.slice(start.offset)
    return page(further.slice(0, limit), further.length > limit)
  }
  const side = (customer: Customer) => comparePositions(positionOf(customer, query.sort), start.position, keys)
  if (start.kind === 'after') {
    const further = ordered.filter((customer) => side(customer) > 0)
    return page(further.slice(0, limit), further.length > limit)
  }
  const earlier = ordered.filter((customer) => side(customer) < 0)
  const shown = earlier.slice(-limit)
  return page(shown, earlier.length > limit, shown[0])
}

/** Returns all customers of a list in its order. */
export function wholeListOf(all: readonly Customer[], query: Omit<ListQuery, 'start' | 'limit'>): Customer[] {
  const keys = sortKeys(query.sort)
  return all
    .filter((customer) => isListed(customer, query))
    .sort((a, b) => comparePositions(positionOf(a, query.sort), positionOf(b, query.sort), keys))
}

/** Returns the position of a customer in an order. Addresses are ordered by the spelling that look-ups compare. */
export function positionOf(customer: Customer, sort: Sort[]): Position {
  return sortKeys(sort).map(({ field }) => {
    const value = customer[field] ?? ''
    return field === 'email' ? (asciiEmail(String(value)) ?? value) : value
  })
}

function isListed(customer: Customer, { filters, includeArchived }: Omit<ListQuery, 'start' | 'limit'>): boolean {
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
  for (const [at, { field, direction }] of keys.entries()) {
    const ordered = (value: string | number = '') => (field === 'email' ? asciiLower(String(value)) : value)
    const order = compareValues(ordered(a[at]), ordered(b[at]))
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
