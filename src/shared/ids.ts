/**
 * Ids: a prefix that tells what a thing is, and a ULID, so that ids sort in the order of their creation.
 * Two ids made in one isolate within one millisecond keep that order too.
 */
import { monotonicFactory } from 'ulid'

const nextUlid = monotonicFactory()

const PREFIX = { customer: 'cust', event: 'evt', key: 'key', request: 'req', webhookEndpoint: 'whe' } as const

/**
 * Makes ids; `wiring.ts` and `wiring/` hand on the real one, tests may hand in their own. `registry/operations.ts`, the import
 * of `/v1/customers` and `storage/tenants.ts` take it from here: nothing that they decide depends on it.
 */
export type NewId = (kind: keyof typeof PREFIX, nowMs: number) => string

export const newId: NewId = (kind, nowMs) => `${PREFIX[kind]}_${nextUlid(nowMs)}`

/** A UUID (version 7) whose first 48 bits are the time, so that tenants too lie in the order of their creation. */
export function newTenantId(nowMs: number): string {
  const random = crypto.randomUUID()
  const time = nowMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`
}
