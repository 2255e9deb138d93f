/**
 * The memory of one isolate for customers that it has read: bounded by bytes, and the least recently used are dropped
 * first. Plain data, shared by all requests of the isolate. The lease decides whether a value is still fresh.
 */
import { LRUCache } from 'lru-cache'
import type { Customer } from '../../registry/customer.ts'
import type { Snapshot } from '../../registry/ports.ts'
import type { Stamped } from './fresh-read.ts'

/** An isolate has 128 MB for everything. */
const CUSTOMERS_BYTES_MAX = 32 * 1024 * 1024
const CUSTOMER_IDS_BYTES_MAX = 4 * 1024 * 1024

/**
 * The size of an entry without its text: the objects, their keys, the place in the list. Measured by `npm run bench`.
 */
const ENTRY_OVERHEAD_BYTES = 500
/** A customer is in memory once as values and about once more in each body that was rendered from it. */
const COPIES_PER_CUSTOMER = 2.5

export const customersInMemory = new LRUCache<string, Stamped<Snapshot>>({
  maxSize: CUSTOMERS_BYTES_MAX,
  sizeCalculation: ({ value }, key) =>
    ENTRY_OVERHEAD_BYTES + key.length + (value ? Math.ceil(textBytes(value.customer) * COPIES_PER_CUSTOMER) : 0),
})

/** Maps external ids to ids. An entry is a hint, to be checked against the customer that it leads to. */
export const customerIdsInMemory = new LRUCache<string, string>({
  maxSize: CUSTOMER_IDS_BYTES_MAX,
  sizeCalculation: (id, key) => 200 + key.length + id.length,
})

/** Estimates the size of a body in bytes. V8 takes two bytes for each character of a text that is not Latin-1. */
function textBytes(customer: Customer): number {
  const text = JSON.stringify(customer)
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0xff) return 2 * text.length
  return text.length
}

/** Returns the customer as the APIs receive it: with a cache for the bodies that they render. */
export function snapshotOf(customer: Customer): Snapshot {
  return { customer, bodies: {} }
}
