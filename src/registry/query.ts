/**
 * What can be asked of a list of customers, in the registry's own words. Doors translate into it, storage into SQL.
 */
import type { Customer } from './customer.ts'

/** Fields that filters and sorting may name, and how their values compare. */
export const LIST_FIELDS = {
  id: 'text',
  externalId: 'text',
  name: 'text',
  email: 'text',
  contact: 'text',
  addressLine1: 'text',
  addressLine2: 'text',
  addressCity: 'text',
  addressState: 'text',
  addressPostalCode: 'text',
  addressCountry: 'text',
  timezone: 'text',
  parentId: 'text',
  status: 'text',
  version: 'number',
  createdBy: 'text',
  updatedBy: 'text',
  createdAtMs: 'time',
  updatedAtMs: 'time',
} as const satisfies Partial<Record<keyof Customer, 'text' | 'number' | 'time'>>

export type ListField = keyof typeof LIST_FIELDS

/** Times are milliseconds since 1970. An unset text field compares as the empty string. */
export type Filter =
  | { field: ListField; operator: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte'; value: string | number }
  /** Case is ignored for ASCII. */
  | { field: ListField; operator: 'contains' | 'not_contains'; value: string }
  | { field: ListField; operator: 'in' | 'not_in'; value: (string | number)[] }
  | { field: 'metadata'; key: string; operator: 'eq'; value: string }

export interface Sort {
  field: ListField
  direction: 'asc' | 'desc'
}

/** Where a page begins. A position holds the sort values of a customer, its id last. */
export type PageStart =
  | { kind: 'offset'; offset: number }
  | { kind: 'after'; position: Position }
  /** The page that ends just before this position. */
  | { kind: 'before'; position: Position }

export type Position = (string | number)[]

export interface ListQuery {
  /** All must hold. Archived customers are left out unless a filter names `status` or `includeArchived` is set. */
  filters: Filter[]
  includeArchived: boolean
  /** Empty: newest first. The id is always the last key, so that the order is total. */
  sort: Sort[]
  start: PageStart
  limit: number
}

/**
 * D1 binds at most 100 values to a statement, so a question has an end. Any number of `metadata` filters counts as one,
 * a filter with a list of any length too.
 */
export const LIST_BOUNDS = { filtersMax: 40, sortKeysMax: 15 } as const

export interface ListPage {
  customers: Customer[]
  hasMore: boolean
  /** How many match in all; null unless `total` was asked for. */
  total: number | null
}

/**
 * The keys a list is ordered by, the id last: a cursor holds one value for each. The time of creation is part of the id,
 * so an order by it is the order of the primary key.
 */
export function sortKeys(sort: Sort[]): Sort[] {
  const keys = sort.map(
    ({ field, direction }) => ({ field: field === 'createdAtMs' ? 'id' : field, direction }) as const,
  )
  const last = keys.findIndex(({ field }) => field === 'id')
  if (last !== -1) return keys.slice(0, last + 1)
  return [...keys, { field: 'id', direction: keys.at(-1)?.direction ?? 'desc' }]
}

/** The position of a customer in that order. */
export function positionOf(customer: Customer, sort: Sort[]): Position {
  return sortKeys(sort).map((key) => customer[key.field] ?? '')
}
