/** The types of the model: its requests, outcomes and state, and how two of them are compared. No rules. */
import type { Customer } from '../../../src/registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS, optionalTexts } from '../../../src/registry/customer-fields.ts'
import type { Failure } from '../../../src/registry/errors.ts'
import type { Command, Effect } from '../../../src/registry/ports.ts'

type Without<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never
/** A request's operation; the model does not choose the id of a new customer. */
export type Operation = Without<Command, 'id'>

/** A customer without its owner and times. `status` is the one that it has or will have unarchived. */
export interface ModelCustomer extends Omit<Customer, 'tenantId' | 'mode' | 'status' | 'createdAtMs' | 'updatedAtMs'> {
  status: 'published' | 'draft'
  archived: boolean
  erased: boolean
  /** The customer that this one was merged into, at the end of the chain. It is archived then. */
  mergedInto: string | null
}

/** A former external id: whose it is, and who had it before it was merged into that one. */
export interface Alias {
  of: string
  from: string | null
}

/** An undo as it concerns one customer: the changes that it takes back. */
export interface UndoOperation {
  kind: 'undo'
  customerId: string
  isChosen(change: ModelEvent): boolean
  dryRun: boolean
}

/** The result of an undo for one customer. `none`: it has changed nothing of it. `later`: the change that is in the way. */
export type Undone =
  | { result: 'none' }
  | { result: 'reverted' }
  | { result: 'unchanged'; isErased: boolean }
  | { result: 'conflict'; later: Pick<ModelEvent, 'type' | 'actor' | 'version'> }
  | { result: 'conflict'; fields: string[] }
  | { result: 'conflict'; rule: string }

export interface Request {
  operation: Operation | UndoOperation
  /** The idempotency key, and everything that it stands for. */
  key: string | null
  fingerprint: string
  actor: string
  requestId: string
  reason: string | null
}

export interface Receipt {
  erasedBy: string
  rows: { customers: number; events: number; aliases: number; integrations: number; idempotencyRecords: number }
}

export type Outcome = { replayed: boolean } & (
  | {
      ok: true
      effect: Effect
      customer: ModelCustomer
      receipt?: Receipt | undefined
      moved?: Moved | undefined
      /** The customer that an unmerge brought back. */
      source?: ModelCustomer | undefined
      undone?: Undone | undefined
    }
  | { ok: false; failure: Failure }
)

/** The things that a merge moved, or that went back, as far as the model compares them. */
export interface Moved {
  externalIds: string[]
  children: number
  metadata: string[]
  /** Values that an unmerge left where they were, in words. */
  kept?: string[]
}

/** A merge that can be taken back. */
export interface ModelMerge {
  into: string
  /** The version that it made of the customer `into`. */
  version: number
  /** The source as it was. */
  source: ModelCustomer
  /** The values that the other one got: of a field, of a key of the metadata, of a group of the profile. */
  gave: { place: 'fields' | 'metadata' | 'profile'; name: string; before: unknown; after: unknown }[]
  names: { name: string; from: string | null }[]
  children: string[]
  /** The customers that had been merged into the source before. */
  earlier: string[]
}

export interface ModelEvent {
  type: string
  customerId: string
  version: number
  actor: string
  requestId: string
  reason: string | null
  before: ModelCustomer | null
  after: ModelCustomer
  receipt: Receipt | null
}

export interface Answer {
  /** Empty when its customer was erased: it then matches no request. */
  fingerprint: string
  outcome: Outcome
  about: string | null
}

/** Everything that the registry stores, for comparing. */
export interface State {
  customers: Record<string, ModelCustomer>
  aliases: Record<string, Alias>
  /** The merges that can be taken back: the source, and the customer that it named. */
  merges: Record<string, string>
  integrations: Record<string, string>
  counts: Record<'published' | 'draft' | 'archived', number>
  /** The events of each customer, by version. */
  events: Record<string, ModelEvent[]>
  answers: { stored: number; blank: number }
}

export const TEXTS = OPTIONAL_TEXT_FIELDS

export function blankCustomer(id: string, actor: string): ModelCustomer {
  return {
    ...optionalTexts(() => null),
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
    mergedInto: null,
    version: 0,
    createdBy: actor,
    updatedBy: actor,
  }
}

/** Returns the rest of a customer that is erased. */
export function emptied({
  id,
  status,
  archived,
  mergedInto,
  version,
  createdBy,
  updatedBy,
}: ModelCustomer): ModelCustomer {
  return { ...blankCustomer(id, createdBy), status, archived, mergedInto, version, updatedBy }
}

/** Applies a merge patch (RFC 7396). */
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

/** Returns whether two values are equal, whatever the order of the keys in them. */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}
