/**
 * The id of an archived customer that comes from an import. It is made from the tenant and the id in the file, so that the
 * same file again finds the customer, in whichever tenant it is imported. Pure.
 */
import { seededHash } from '../shared/hash.ts'
import type { Scope } from './customer.ts'

/** The digits of a ULID. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME = /^cust_[0-9A-Z]{10}/
/** A customer whose time of creation is not known counts as created in 1970. */
const UNKNOWN_TIME = 'cust_0000000000'
/** Each gives four of the sixteen digits behind the time. */
const SEEDS = [0x811c9dc5, 0x9747b28c, 0x2c1b3c6d, 0x297a2d39]

/**
 * Returns the id. It keeps the time of creation of `id`. Without an id, the external id decides which customer it is:
 * `{externalId}`.
 */
export function importedId({ tenantId, mode }: Scope, source: { id: string } | { externalId: string }): string {
  const time = 'id' in source ? (TIME.exec(source.id)?.[0] ?? UNKNOWN_TIME) : UNKNOWN_TIME
  const text = JSON.stringify([tenantId, mode, source])
  return time + SEEDS.map((seed) => digitsOf(seededHash(text, seed))).join('')
}

function digitsOf(bits: number): string {
  return [0, 5, 10, 15].map((shift) => DIGITS.charAt((bits >>> shift) & 31)).join('')
}
