/**
 * The memory of one isolate for customers that it has read: bounded by bytes, and the least recently used are dropped
 * first. Plain data, shared by all requests of the isolate. The lease decides whether a value is still fresh.
 */
import { LRUCache } from 'lru-cache'
import type { Customer, MergedAway } from '../../registry/customer.ts'
import { unavailable } from '../../registry/errors.ts'
import type { Snapshot } from '../../registry/ports.ts'
import type { Stamped } from './fresh-read.ts'
import type { Shareable } from './kv-filling.ts'

/** An isolate has 128 MB for everything. */
const CUSTOMERS_BYTES_MAX = 32 * 1024 * 1024
const CUSTOMER_IDS_BYTES_MAX = 4 * 1024 * 1024

/**
 * The size of an entry without its text: the objects, their keys, the place in the list. Measured by `npm run bench`.
 */
const ENTRY_OVERHEAD_BYTES = 500
/** A customer is in memory once as values and about once more in each body that was rendered from it. */
const COPIES_PER_CUSTOMER = 2.5

/** The value of an entry: a customer, or where it was merged into. */
export type Remembered = Snapshot | MergedAway

export const customersInMemory = new LRUCache<string, Stamped<Remembered> & Shareable>({
  maxSize: CUSTOMERS_BYTES_MAX,
  sizeCalculation: ({ value }, key) =>
    ENTRY_OVERHEAD_BYTES +
    key.length +
    (value && 'customer' in value ? Math.ceil(textBytes(value.customer) * COPIES_PER_CUSTOMER) : 0),
})

/** Maps external ids to ids. An entry is a hint, to be checked against the customer that it leads to. */
export const customerIdsInMemory = new LRUCache<string, { id: string } & Shareable>({
  maxSize: CUSTOMER_IDS_BYTES_MAX,
  sizeCalculation: ({ id }, key) => 230 + key.length + id.length,
})

const NO_LATIN_1 = /[^\0-\xff]/

/** Estimates the size of a body in bytes. V8 takes two bytes for each character of a text that is not Latin-1. */
function textBytes(customer: Customer): number {
  const text = JSON.stringify(customer)
  return NO_LATIN_1.test(text) ? 2 * text.length : text.length
}

/** Returns the customer as the APIs receive it: with a cache for the bodies that they render. */
export function snapshotOf(customer: Customer): Snapshot {
  return { customer, bodies: {} }
}

/** Returns what a read found as it is remembered. */
export function rememberedOf(found: Customer | MergedAway): Remembered {
  return 'mergedInto' in found ? found : snapshotOf(found)
}

/**
 * Reads a customer by its id, and the one that it was merged into instead. One step is enough, unless that one is merged
 * in turn between the reads. Throws `RegistryError` with `unavailable` if that happens again and again.
 */
export async function followMerges(
  id: string,
  read: (id: string) => Promise<Remembered | null>,
): Promise<Snapshot | null> {
  let at = id
  for (let step = 0; step <= MERGES_FOLLOWED_MAX; step++) {
    const found = await read(at)
    if (found === null || 'customer' in found) return found
    at = found.mergedInto
  }
  throw unavailable()
}

const MERGES_FOLLOWED_MAX = 10
