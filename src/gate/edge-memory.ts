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
    ENTRY_OVERHEAD_BYTES + key.length + (value ? Math.ceil(textLength(value.customer) * COPIES_PER_CUSTOMER) : 0),
})

/** External id → id: a hint, to be checked against the customer it leads to. */
export const customerIdsInMemory = new LRUCache<string, string>({
  maxSize: CUSTOMER_IDS_BYTES_MAX,
  sizeCalculation: (id, key) => 200 + key.length + id.length,
})

function textLength(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  let length = 0
  for (const key in value) length += key.length + textLength((value as Record<string, unknown>)[key])
  return length
}

/** The customer as the doors get it: with room for the bodies they render. */
export function snapshotOf(customer: Customer): Snapshot {
  return { customer, bodies: {} }
}
