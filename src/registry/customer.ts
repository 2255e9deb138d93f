/**
 * The type of a customer, and the values that it may hold. Pure: no storage, no HTTP.
 * The database enforces the rules that need other rows (a free external id, an existing parent), see `migrations/`.
 */

import { decodeTime, encodeTime } from 'ulid'
import { CUSTOMER_FIELDS, LENGTH_LIMITS, type OptionalTextField } from './customer-fields.ts'

export type Mode = 'live' | 'test'

/** The tenant and mode that a customer belongs to. Every read and write of the registry has a scope. */
export interface Scope {
  tenantId: string
  mode: Mode
}

export type CustomerStatus = 'published' | 'draft' | 'archived'

/**
 * The customer's account at a payment provider or another provider. `details` is an object as JSON text, with its keys
 * sorted and its numbers as they were sent: as values they would lose digits. Left out if there are none.
 */
export interface Integration {
  provider: string
  id: string
  details?: string
}

/**
 * The text fields that may be unset. `contact` is a phone number, `addressCountry` ISO 3166-1 alpha-2 in upper case.
 */
type OptionalTexts = Record<OptionalTextField, string | null>

export interface Customer extends Scope, OptionalTexts {
  /** `cust_` and a ULID: ids sort in the order of creation. */
  id: string
  externalId: string
  /** IANA name. */
  timezone: string
  parentId: string | null
  metadata: Record<string, string>
  integrations: Integration[]
  /** Fields that only the FlatPeak API has, stored in the shape of that API. */
  profile: Record<string, unknown>
  status: CustomerStatus
  /** Rises by one with every change. APIs send it as the etag. */
  version: number
  createdAtMs: number
  updatedAtMs: number
  createdBy: string
  updatedBy: string
}

/** In the place of a customer that was merged into another one: the id of that one. */
export interface MergedAway {
  mergedInto: string
}

/** Names a parent by its id or by its external id. */
export type ParentReference = { id: string } | { externalId: string }

/**
 * The changes that a caller requests. An absent field is kept, null clears it. Each API converts its own format (`""`,
 * nested groups) to this type, so that the registry and storage do not depend on any API.
 */
export type CustomerChanges = {
  [Field in OptionalTextField]?: string | null | undefined
} & {
  externalId?: string | undefined
  /** Null resets it to UTC. */
  timezone?: string | null | undefined
  parent?: ParentReference | null | undefined
  metadata?: { replace: Record<string, string> } | { merge: Record<string, string | null> } | undefined
  integrations?: Integration[] | undefined
  /** Merge patch (RFC 7396) over the profile. */
  profile?: Record<string, unknown> | undefined
  status?: 'published' | 'draft' | undefined
}

export const DEFAULT_TIMEZONE = CUSTOMER_FIELDS.timezone.initial

/** Bounds on the fields of a customer. Lengths are in code points. */
export const LIMITS = {
  ...LENGTH_LIMITS,
  metadataKeysMax: 50,
  metadataKeyLengthMax: 40,
  metadataValueLengthMax: 500,
  integrationsMax: 50,
  parentLevelsMax: 10,
  /** Customers below one that gets another parent, at all levels. The database has to look at each of them. */
  descendantsMax: 1_000,
  /** Bytes of all fields of a customer together, as they are stored. */
  customerBytesMax: 65_536,
} as const

/** Returns the length in code points, so a simple emoji counts as one. */
export function codePointLength(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

/**
 * Returns false for text with NUL or a lone surrogate. NUL ends strings in SQLite, and a lone surrogate is not valid
 * UTF-8, so neither can be stored unchanged.
 */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

const ID_PREFIX = 'cust_'
const ULID_TIME_LENGTH = 10
const ULID_TIME_MAX_MS = 2 ** 48 - 1

/**
 * Returns the time at which a customer was created, in milliseconds since 1970. It is part of the id, so ids and times
 * of creation sort alike.
 */
export function creationTimeOf(id: string): number {
  return decodeTime(id.slice(ID_PREFIX.length))
}

/** Returns a lower bound for the ids of customers created at `timeMs` or later. Earlier customers have smaller ids. */
export function firstIdAt(timeMs: number): string {
  if (timeMs > ULID_TIME_MAX_MS) return `${ID_PREFIX}~`
  return ID_PREFIX + encodeTime(Math.max(0, timeMs), ULID_TIME_LENGTH)
}
