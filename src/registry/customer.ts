/**
 * What a customer is and which values it may hold. Pure: no storage, no HTTP.
 * Rules that need other rows (a free external id, an existing parent) are kept by the database, see `migrations/`.
 */

import { decodeTime, encodeTime } from 'ulid'

export type Mode = 'live' | 'test'

/** Whose customers: nothing in the registry is ever read or written without it. */
export interface Scope {
  tenantId: string
  mode: Mode
}

export type CustomerStatus = 'published' | 'draft' | 'archived'

/** An account of a payment or other provider that is this customer. */
export interface Integration {
  provider: string
  id: string
  [detail: string]: unknown
}

export interface Customer extends Scope {
  /** `cust_` + ULID: ids sort in the order of creation. */
  id: string
  externalId: string
  name: string | null
  email: string | null
  /** Phone number. */
  contact: string | null
  addressLine1: string | null
  addressLine2: string | null
  addressCity: string | null
  addressState: string | null
  addressPostalCode: string | null
  /** ISO 3166-1 alpha-2, upper case. */
  addressCountry: string | null
  /** IANA name. */
  timezone: string
  parentId: string | null
  metadata: Record<string, string>
  integrations: Integration[]
  /** Fields only the FlatPeak door has words for, in its words and shape. */
  profile: Record<string, unknown>
  status: CustomerStatus
  /** Rises by one with every change; the etag. */
  version: number
  createdAtMs: number
  updatedAtMs: number
  createdBy: string
  updatedBy: string
}

/** Text fields that may be unset. */
export const OPTIONAL_TEXT_FIELDS = [
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
type OptionalTextField = (typeof OPTIONAL_TEXT_FIELDS)[number]

/** A parent, by its id or by its external id. */
export type ParentReference = { id: string } | { externalId: string }

/**
 * What a caller wants changed. An absent field is kept, null clears it. Doors translate their own words (`""`, nested
 * groups) into this; nothing behind a door knows that there are several.
 */
export type CustomerChanges = {
  [Field in OptionalTextField]?: string | null | undefined
} & {
  externalId?: string | undefined
  /** null: back to UTC. */
  timezone?: string | null | undefined
  parent?: ParentReference | null | undefined
  metadata?: { replace: Record<string, string> } | { merge: Record<string, string | null> } | undefined
  integrations?: Integration[] | undefined
  /** Merge patch (RFC 7396) over the profile. */
  profile?: Record<string, unknown> | undefined
  status?: 'published' | 'draft' | undefined
}

export const DEFAULT_TIMEZONE = 'UTC'

/** Bounds on what a customer holds, all in code points. */
export const LIMITS = {
  externalIdLengthMax: 255,
  nameLengthMax: 255,
  emailLengthMax: 320,
  contactLengthMax: 20,
  addressLineLengthMax: 255,
  addressCityLengthMax: 100,
  addressStateLengthMax: 100,
  addressPostalCodeLengthMax: 20,
  metadataKeysMax: 50,
  metadataKeyLengthMax: 40,
  metadataValueLengthMax: 500,
  integrationsMax: 50,
  parentLevelsMax: 10,
} as const

/** Length as people count it: an emoji is one. */
export function codePointLength(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

/** NUL ends strings in SQLite and a lone surrogate is not valid UTF-8: neither can be stored faithfully. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

const ID_PREFIX = 'cust_'
const ULID_TIME_LENGTH = 10
const ULID_TIME_MAX_MS = 2 ** 48 - 1

/** When a customer was made, in milliseconds since 1970: its id says so. Sorting by the one is sorting by the other. */
export function creationTimeOf(id: string): number {
  return decodeTime(id.slice(ID_PREFIX.length))
}

/** Customers made at that time or later have ids from this on, all others have smaller ones. */
export function firstIdAt(timeMs: number): string {
  if (timeMs > ULID_TIME_MAX_MS) return `${ID_PREFIX}~`
  return ID_PREFIX + encodeTime(Math.max(0, timeMs), ULID_TIME_LENGTH)
}
