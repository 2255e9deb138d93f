/**
 * The price of a request. Each request takes one permit, which buys a bounded amount of work. Work beyond it takes
 * further permits once it is done, because nobody knows before how many rows a list reads. Imports and exports, which
 * can wait, pay by the numbers of `bulk.ts`. `docs/limits-and-leases.md` has all of them in one table.
 */

/** The amounts that one permit buys. */
export const PERMIT_BUYS = {
  /** Rows that D1 read: customers that were looked at, entries of indexes, keys of metadata. */
  rows: 5_000,
  /** Bytes of the response, before any compression. */
  bytes: 256 * 1024,
} as const

/** An object of the archive that a read opens counts as so many rows: reading it takes as long. */
export const ROWS_OF_OBJECT = 2_500

/** So does a filter of an object that is tested for a customer: it is as long as some rows. */
export const ROWS_OF_FILTER = 5

/** The work of one request so far. */
export interface Work {
  rows: number
  bytes: number
}

/** Returns how many permits the work takes beyond the one that admitted the request: one for each full amount. */
export function furtherPermits({ rows, bytes }: Work): number {
  return Math.floor(rows / PERMIT_BUYS.rows) + Math.floor(bytes / PERMIT_BUYS.bytes)
}
