/**
 * The words of the model: what it is asked, what it tells, what it keeps, and how two such things are compared. No rules.
 */
import type { Customer } from '../../src/registry/customer.ts'
import type { Failure } from '../../src/registry/failures.ts'
import type { Command, Effect } from '../../src/registry/ports.ts'

type Without<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never
/** What is asked; the id of a new customer is not the model's to choose. */
export type Operation = Without<Command, 'id'>

/** A customer but for whose it is and when. `status` is what it is when it is not archived. */
export interface Kept extends Omit<Customer, 'tenantId' | 'mode' | 'status' | 'createdAtMs' | 'updatedAtMs'> {
  status: 'published' | 'draft'
  archived: boolean
  erased: boolean
}

export interface Request {
  operation: Operation
  /** The idempotency key, and everything that was asked under it. */
  key: string | null
  asked: string
  actor: string
  requestId: string
  reason: string | null
}

export interface Receipt {
  erasedBy: string
  rows: { customers: number; events: number; aliases: number; integrations: number; idempotencyRecords: number }
}

export type Told = { replayed: boolean } & (
  | { ok: true; effect: Effect; customer: Kept; receipt?: Receipt | undefined }
  | { ok: false; failure: Failure }
)

export interface Happened {
  type: string
  customerId: string
  version: number
  actor: string
  requestId: string
  reason: string | null
  before: Kept | null
  after: Kept
  receipt: Receipt | null
}

export interface Answer {
  /** Empty when its customer was erased: it is then no request's. */
  asked: string
  told: Told
  about: string | null
}

/** All that the registry holds, for comparing. */
export interface State {
  customers: Record<string, Kept>
  aliases: Record<string, string>
  integrations: Record<string, string>
  counts: Record<'published' | 'draft' | 'archived', number>
  /** Of each customer, by version. */
  events: Record<string, Happened[]>
  answers: { kept: number; blank: number }
}

export const TEXTS = [
  'name',
  'email',
  'contact',
  'addressLine1',
  'addressLine2',
  'addressCity',
  'addressState',
  'addressPostalCode',
  'addressCountry',
] as const

export function blankCustomer(id: string, actor: string): Kept {
  const texts = Object.fromEntries(TEXTS.map((field) => [field, null])) as Record<(typeof TEXTS)[number], null>
  return {
    ...texts,
    id,
    externalId: id,
    timezone: 'UTC',
    parentId: null,
    metadata: {},
    integrations: [],
    profile: {},
    status: 'published',
    archived: false,
    erased: false,
    version: 0,
    createdBy: actor,
    updatedBy: actor,
  }
}

/** What is left of a customer that is erased. */
export function emptied({ id, status, archived, version, createdBy, updatedBy }: Kept): Kept {
  return { ...blankCustomer(id, createdBy), status, archived, version, updatedBy }
}

/** A merge patch (RFC 7396). */
export function merged(old: Record<string, unknown>, patch: Record<string, unknown>): Record<string, unknown> {
  const result = { ...old }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else if (!isObject(value)) result[name] = value
    else result[name] = merged(isObject(result[name]) ? result[name] : {}, value)
  }
  return result
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether two are the same, whatever the order of the keys in them. */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}
