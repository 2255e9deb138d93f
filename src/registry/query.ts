/**
 * The registry's query types for lists and exports of customers. Each API converts its parameters to them, and storage
 * converts them to SQL.
 */
import type { Customer } from './customer.ts'
import type { ListField } from './customer-fields.ts'

/** Times are milliseconds since 1970. An unset text field compares as the empty string. */
export type Filter =
  | { field: ListField; operator: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte'; value: string | number }
  /** Ignores case, accents and variants of letters, as `shared/fold.ts` does. */
  | { field: ListField; operator: 'contains' | 'not_contains'; value: string }
  | { field: ListField; operator: 'in' | 'not_in'; value: (string | number)[] }
  | { field: 'metadata'; key: string; operator: 'eq'; value: string }

export interface Sort {
  field: ListField
  direction: 'asc' | 'desc'
}

/**
 * The beginning of a page. A position holds the sort values of a customer, with its id last. `anchorId` is a customer that
 * the caller named: the list throws `RegistryError` with `not_found` unless it is one of this tenant and mode. An erased
 * one will do, because it may have been erased since the page before.
 */
export type PageStart =
  | { kind: 'offset'; offset: number }
  | { kind: 'after'; position: Position; anchorId?: string }
  /** Selects the page that ends just before this position. */
  | { kind: 'before'; position: Position; anchorId?: string }

export type Position = (string | number)[]

export interface ListQuery {
  /**
   * A customer must match all of them. Archived customers are left out unless a filter names `status` or
   * `includeArchived` is set.
   */
  filters: Filter[]
  /**
   * Words: a customer must have, for each of them, a word that begins so (`storage/customers/search-words.ts`). Customers
   * are in the order in which they were committed, newest first. Of the filters only `status`, by `in`, goes with it, with
   * both `published` and `draft` or neither. `sort` is empty and `start` an offset of 0 or a position.
   */
  q?: string | undefined
  includeArchived: boolean
  /** An empty list sorts newest first. The id is always the last key, so that the order is total. */
  sort: Sort[]
  start: PageStart
  limit: number
}

/**
 * Bounds of a query, because D1 binds at most 100 values to a statement: one for each filter, two for each key of the
 * order at a cursor, and less than ten others. All `metadata` filters together count as one filter. A filter with a
 * list counts as one, however long the list is.
 */
export const LIST_BOUNDS = { filtersMax: 40, sortKeysMax: 15 } as const

export interface ListPage {
  customers: Customer[]
  hasMore: boolean
  /** The number of all customers that match. Null unless the query set `total`. */
  total: number | null
  /** True if there may be more customers than `total`. */
  totalIsCapped?: boolean
}

/**
 * Reads customers in the order of their ids. An id never changes, so an export neither skips nor repeats a customer
 * that matches throughout, even if others are written meanwhile.
 */
export interface ExportQuery {
  filters: Filter[]
  includeArchived: boolean
  /** The page begins after this id. An empty text begins with the first customer. */
  afterId: string
  /** Throws `RegistryError` with `not_found` unless this is the id of a customer of this tenant and mode. */
  anchorId?: string | undefined
  /**
   * The page ends with this id at the latest. If null, the bounds of a response decide, and `end` returns their result.
   */
  lastId: string | null
}

/** A customer with what a file has besides, so that it can be imported elsewhere. */
export type ExportedCustomer = Customer & {
  /** The parent's external id, null for an archived parent: another customer may have it now. */
  parentExternalId: string | null
  /** Former external ids that find the customer. */
  formerIds: string[]
}

export interface ExportPage {
  /** As many customers as the bounds of a page allow, and at least one if any is left. */
  customers: ExportedCustomer[]
  /** The end of the response. Null when the query has a `lastId`. */
  end: ExportEnd | null
}

export interface ExportEnd {
  /** The id of the last customer of the response. Null when there is none. */
  lastId: string | null
  /** True if there are more customers, for another response. */
  hasMore: boolean
}

/**
 * Returns the keys that a list is sorted by, with the id last. A cursor holds one value for each. The time of creation
 * is part of the id, so a sort by it becomes a sort by the primary key.
 */
export function sortKeys(sort: Sort[]): Sort[] {
  const keys = sort.map(
    ({ field, direction }) => ({ field: field === 'createdAtMs' ? 'id' : field, direction }) as const,
  )
  const last = keys.findIndex(({ field }) => field === 'id')
  if (last !== -1) return keys.slice(0, last + 1)
  return [...keys, { field: 'id', direction: keys.at(-1)?.direction ?? 'desc' }]
}

/** Returns the position of a customer in that order. */
export function positionOf(customer: Customer, sort: Sort[]): Position {
  return sortKeys(sort).map((key) => customer[key.field] ?? '')
}
