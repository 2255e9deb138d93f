/**
 * A Bloom filter of the customers that an archived object has events of. It says "certainly not", or "look into the object".
 * Stored as hexadecimal text, so that SQL can test it and every copy of the table carries it. Pure.
 */
import { type SQL, sql } from 'drizzle-orm'
import { seededHash } from '../../shared/hash.ts'

/** With so many bits for each customer and as many hashes, at most three objects in a thousand are opened in vain. */
const BITS_PER_CUSTOMER = 12
const HASHES = 8
const BITS_MIN = 128
const BITS_PER_DIGIT = 4

/** Returns the filter of these customers. The order of the ids does not matter. */
export function customerFilter(customerIds: ReadonlySet<string>): string {
  const digits = new Uint8Array(digitsFor(customerIds.size))
  for (const id of customerIds) {
    for (const hash of hashesOf(id)) {
      const bit = hash & (digits.length * BITS_PER_DIGIT - 1)
      const digit = bit >>> 2
      digits[digit] = (digits[digit] as number) | (1 << (bit & 3))
    }
  }
  return Array.from(digits, (digit) => digit.toString(16)).join('')
}

/** Returns false only if the customer is not among those of the filter. */
export function mayHaveCustomer(filter: string, customerId: string): boolean {
  return hashesOf(customerId).every((hash) => {
    const bit = hash & (filter.length * BITS_PER_DIGIT - 1)
    return (Number.parseInt(filter.charAt(bit >>> 2), 16) >> (bit & 3)) & 1
  })
}

/** The same test as `mayHaveCustomer` in SQL, for a column. */
export function mayHaveCustomerInSql(column: SQL, customerId: string): SQL {
  const tests = hashesOf(customerId).map((hash) => {
    const bit = sql`(${sql.raw(String(hash))} & (length(${column}) * ${sql.raw(String(BITS_PER_DIGIT))} - 1))`
    const digit = sql`instr('123456789abcdef', substr(${column}, 1 + (${bit} >> 2), 1))`
    return sql`((${digit} >> (${sql.raw(String(hash & 3))})) & 1)`
  })
  return sql`(${sql.join(tests, sql` AND `)})`
}

/** A power of two, so that the place of a bit is a part of the hash. */
function digitsFor(customers: number): number {
  let bits = BITS_MIN
  while (bits < customers * BITS_PER_CUSTOMER) bits *= 2
  return bits / BITS_PER_DIGIT
}

/** Returns the hashes of an id, each of 31 bits. */
function hashesOf(id: string): number[] {
  return Array.from({ length: HASHES }, (_, seed) => seededHash(id, seed) >>> 1)
}
