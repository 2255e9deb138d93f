/**
 * A Bloom filter of the customers that an archived object has events of. It says "certainly not", or "look into the object".
 * Stored as text of 6 bits a character, so that SQL can test it and every copy of the table carries it. Pure.
 */
import { type SQL, sql } from 'drizzle-orm'
import { seededHash } from '../../shared/hash.ts'

/** With so many bits for each customer and as many hashes, at most three objects in a thousand are opened in vain. */
const BITS_PER_CUSTOMER = 13
const HASHES = 8
const BITS_MIN = 128
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const BITS_PER_DIGIT = 6

/** Returns the filter of these customers. The order of the ids does not matter. */
export function customerFilter(customerIds: ReadonlySet<string>): string {
  const bits = Math.max(BITS_MIN, customerIds.size * BITS_PER_CUSTOMER)
  const digits = new Uint8Array(Math.ceil(bits / BITS_PER_DIGIT))
  for (const id of customerIds) {
    for (const hash of hashesOf(id)) {
      const bit = hash % (digits.length * BITS_PER_DIGIT)
      const at = Math.floor(bit / BITS_PER_DIGIT)
      digits[at] = (digits[at] as number) | (1 << (bit % BITS_PER_DIGIT))
    }
  }
  return Array.from(digits, (digit) => DIGITS.charAt(digit)).join('')
}

/** Returns false only if the customer is not among those of the filter. */
export function mayHaveCustomer(filter: string, customerId: string): boolean {
  return hashesOf(customerId).every((hash) => {
    const bit = hash % (filter.length * BITS_PER_DIGIT)
    const digit = DIGITS.indexOf(filter.charAt(Math.floor(bit / BITS_PER_DIGIT)))
    return (digit >> (bit % BITS_PER_DIGIT)) & 1
  })
}

/** The same test as `mayHaveCustomer` in SQL, for a column. */
export function mayHaveCustomerInSql(column: SQL, customerId: string): SQL {
  const perDigit = sql.raw(String(BITS_PER_DIGIT))
  const tests = hashesOf(customerId).map((hash) => {
    const bit = sql`(${sql.raw(String(hash))} % (length(${column}) * ${perDigit}))`
    const digit = sql`(instr(${sql.raw(`'${DIGITS}'`)}, substr(${column}, 1 + ${bit} / ${perDigit}, 1)) - 1)`
    return sql`((${digit} >> (${bit} % ${perDigit})) & 1)`
  })
  return sql`(${sql.join(tests, sql` AND `)})`
}

/** Returns the hashes of an id, each of 31 bits. */
function hashesOf(id: string): number[] {
  return Array.from({ length: HASHES }, (_, seed) => seededHash(id, seed) >>> 1)
}
