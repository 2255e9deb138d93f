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
 * The beginning of a page. A position holds the sort values of a customer, with its id last, as `ListPage.next` gives
 * them. `anchorId` is a customer that
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
 * Bounds of a query. The first two are there because D1 binds at most 100 values to a statement: one for each filter, two
 * for each key of the order at a cursor, and less than twenty others. All `metadata` filters together count as one filter.
 * A filter with a list counts as one, however long the list is.
 */
export const LIST_BOUNDS = {
  filtersMax: 40,
  sortKeysMax: 15,
  /**
   * Customers that a page looks at, whether they match or not, and that a total counts. A list goes on with its cursor. An
   * order without an index has to look at all customers of the list at once, and is refused beyond this number.
   */
  lookedAtMax: 10_000,
  /** The same for a page that filters by metadata or by more fields than these, because each customer takes longer. */
  lookedAtSlowlyMax: 2_000,
  fewFiltersMax: 5,
  /** Customers that a page may skip. A cursor goes further. */
  offsetMax: 10_000,
  /** Bytes of a page's customers, as `customerBytes` of storage estimates them. A page has at least one customer. */
  pageBytes: 1024 * 1024,
  /** A page of at most so many customers is read whole before its bytes are added up. Of the largest, they are some 6 MB. */
  fewCustomersMax: 100,
  /** Customers of one read. A longer page is read in pieces of so many, and D1 serves others in between. */
  pieceCustomers: 200,
  /** Customers that one read looks at, of those that take long each. */
  pieceLookedAtSlowly: 500,
} as const

/**
 * One page. It may be short or empty and have a next page all the same: when the customers it looked at do not match, or
 * when the next customer would make it too large.
 */
export interface ListPage {
  customers: Customer[]
  /** The position of each of them. */
  positions: Position[]
  /** The position where the next page begins, in the direction of this one. Null after the last page. */
  next: Position | null
  /** Null unless the query set `total`. */
  total: ListTotal | null
}

/** Returns the first customers of a page as a page of their own. The next one begins after them. */
export function shortened(page: ListPage, count: number): ListPage {
  const last = page.positions[count - 1]
  if (last === undefined || count >= page.customers.length) return page
  return { ...page, customers: page.customers.slice(0, count), positions: page.positions.slice(0, count), next: last }
}

export interface ListTotal {
  /** The number of all customers that match; if it is capped, of those among the first `lookedAtMax`. */
  count: number
  isCapped: boolean
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

/** The related customers of a page's customers, in the order of the page. */
export type Relation = 'parents' | 'children'

export interface Related {
  /** Related customers by the id that they are related to: a parent's own id, the parent of children. Newest first. */
  of: Map<string, Customer[]>
  /** How many of the ids have all that they may have. Those after them do not fit into a page; at least the first does. */
  complete: number
}

/** Bounds of related customers. Together they are one more page. */
export const RELATED_BOUNDS = {
  /** Children of one customer: the newest ones. A list filtered by parent has all of them. */
  childrenMax: 100,
  /** Children that are looked at for them, because some may be archived. */
  childrenLookedAtMax: 200,
  customersMax: 1_000,
} as const

/** A customer with what a file has besides, so that it can be imported elsewhere. */
export type ExportedCustomer = Customer & {
  /** The parent's external id, null for an archived parent: another customer may have it now. */
  parentExternalId: string | null
  /** Former external ids that find the customer. */
  formerIds: string[]
}

/** One page, which may be short or even empty and have a next one, as a page of a list. */
export interface ExportPage {
  customers: ExportedCustomer[]
  /** The id after which the next page begins. Null after the last page before `lastId`. */
  nextAfterId: string | null
  /** The end of the response. Null when the query has a `lastId`. */
  end: ExportEnd | null
}

export interface ExportEnd {
  /** The id of the last customer that the response looks at, whether it matches or not. Null when there is none. */
  lastId: string | null
  /** True if there are more customers to look at, for another response. */
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
