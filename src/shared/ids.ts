/**
 * Makes ids: a prefix for the kind of thing, and a ULID, so that ids sort in the order of creation. Two ids made in one
 * isolate within one millisecond keep that order too.
 */
import { monotonicFactory } from 'ulid'

/** Random bytes are taken from the runtime many at a time: a call for each of the 16 of an id takes longer than the rest of it. */
const BYTES_AT_ONCE = 512
const nextUlid = monotonicFactory(randomFractions())

/** Returns a function that returns random numbers in [0, 1), in steps of 1 / 256. */
function randomFractions(): () => number {
  const bytes = new Uint8Array(BYTES_AT_ONCE)
  let used = bytes.length
  return function nextFraction() {
    if (used === bytes.length) {
      crypto.getRandomValues(bytes)
      used = 0
    }
    return (bytes[used++] as number) / 256
  }
}

const PREFIX = {
  customer: 'cust',
  event: 'evt',
  key: 'key',
  move: 'mov',
  operator: 'op',
  operatorKey: 'opk',
  operatorSession: 'ses',
  request: 'req',
  signInLink: 'sil',
  webhookEndpoint: 'whe',
} as const

/**
 * Makes an id. Composition passes on the real function, tests may pass their own. `registry/operations.ts`, the import
 * of `/v1/customers` and `storage/tenants.ts` import it directly, because nothing that they decide depends on it.
 */
export type NewId = (kind: IdKind, nowMs: number) => string

export const newId: NewId = (kind, nowMs) => `${PREFIX[kind]}_${nextUlid(nowMs)}`

type IdKind = keyof typeof PREFIX

/** Returns the pattern of the ids of one kind, as it stands within a regular expression. */
export function idPattern(kind: IdKind): string {
  return `${PREFIX[kind]}_[0-9A-HJKMNP-TV-Z]{26}`
}

const PATTERN = Object.fromEntries(
  Object.keys(PREFIX).map((kind) => [kind, new RegExp(`^${idPattern(kind as IdKind)}$`)]),
) as Record<IdKind, RegExp>

/** Returns whether a text can be an id of this kind at all. */
export function isId(kind: IdKind, text: string): boolean {
  return PATTERN[kind].test(text)
}

/** Where the number of a database stands in a tenant's id, in hexadecimal: right behind the variant of the UUID. */
const DATABASE_AT = { from: 20, to: 23 }

/**
 * Returns a UUID (version 7). Its first 48 bits are the time, so tenants sort in the order of creation too. Twelve of the random
 * bits are the number of the database that the tenant is created in.
 */
export function newTenantId(nowMs: number, database: number): string {
  const random = crypto.randomUUID()
  const time = nowMs.toString(16).padStart(12, '0')
  const number = database.toString(16).padStart(DATABASE_AT.to - DATABASE_AT.from, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15, DATABASE_AT.from)}${number}${random.slice(DATABASE_AT.to)}`
}

/** Returns the number of the database that a tenant was created in. The tenant may have moved since. */
export function databaseInId(tenantId: string): number {
  return Number.parseInt(tenantId.slice(DATABASE_AT.from, DATABASE_AT.to), 16)
}
