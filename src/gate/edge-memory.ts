/**
 * What one isolate remembers of customers it has read: bounded by bytes, the least recently used go first. Plain data,
 * shared by all requests of the isolate; whether a value is still good is for the lease to say.
 */
import { LRUCache } from 'lru-cache'
import type { Customer } from '../registry/customer.ts'
import type { Snapshot } from '../registry/ports.ts'
import type { Stamped } from './fresh-read.ts'

/** An isolate has 128 MB for everything. */
const CUSTOMERS_BYTES_MAX = 32 * 1024 * 1024
const CUSTOMER_IDS_BYTES_MAX = 4 * 1024 * 1024

/** What an entry takes beside its text: the objects, their keys, the place in the list. Measured by `npm run bench`. */
const ENTRY_OVERHEAD_BYTES = 500
/** A customer is held once as values and about once more in each body that was rendered from it. */
const COPIES_PER_CUSTOMER = 2.5

export const customersInMemory = new LRUCache<string, Stamped<Snapshot>>({
  maxSize: CUSTOMERS_BYTES_MAX,
  sizeCalculation: ({ value }, key) =>
    ENTRY_OVERHEAD_BYTES + key.length + (value ? Math.ceil(textBytes(value.customer) * COPIES_PER_CUSTOMER) : 0),
})

/** External id → id: a hint, to be checked against the customer it leads to. */
export const customerIdsInMemory = new LRUCache<string, string>({
  maxSize: CUSTOMER_IDS_BYTES_MAX,
  sizeCalculation: (id, key) => 200 + key.length + id.length,
})

/** As long as its body will be, and V8 takes two bytes for each character of a text that is not Latin-1. */
function textBytes(customer: Customer): number {
  const text = JSON.stringify(customer)
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0xff) return 2 * text.length
  return text.length
}

/** The customer as the doors get it: with room for the bodies they render. */
export function snapshotOf(customer: Customer): Snapshot {
  return { customer, bodies: {} }
}
