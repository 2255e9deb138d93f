/**
 * Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13). The etag of a resource is its version. A
 * response that includes other data adds a hash of it. Pure.
 *
 * Three decisions where the RFC leaves one, or where it does not fit:
 * - A weak tag counts as its strong form, in `if-match` too. Roster sends strong tags only, and Cloudflare makes a weak
 *   one of each when it compresses the response. A caller could otherwise never change what it has read.
 * - There is no `last-modified`: its unit is a second, in which a resource may change many times. So
 *   `if-modified-since` is ignored. `if-unmodified-since` is compared with `updated_at`, because ignoring it on a change
 *   would lose what somebody else wrote.
 * - A tag that Roster never made matches nothing. Text that is no tag at all is refused, except in the `if-none-match`
 *   of a read, where sending the whole response is always right.
 */
import { invalidField, RegistryError, type VersionedResource } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { etagHash } from '../shared/hash.ts'
import { readHttpDate } from './http-date.ts'

/** The headers that make a request conditional. `if-modified-since` and `if-range` apply to reads only. */
const CONDITIONAL_HEADERS = ['if-match', 'if-none-match', 'if-unmodified-since'] as const
type TagHeader = 'if-match' | 'if-none-match'

/** Matches the elements of a list: a tag, or nothing, and the comma behind it. */
const ELEMENT = /[ \t]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y
/** Matches a tag that Roster makes, and the version in it. */
const OWN_TAG = /^(?:W\/)?"(0|[1-9]\d{0,14})(?:-[0-9a-z]+)?"$/

/** Returns the etag. `parts` identify the other data in the response: the etag changes when one of them does. */
export function etagOf(version: number, parts: (string | number)[] = []): string {
  return parts.length === 0 ? `"${version}"` : `"${version}-${etagHash(parts.join('|'))}"`
}

/**
 * Returns true if the caller of a read already has the response with this etag. Throws `RegistryError` with
 * `version_conflict` if `if-match` names other responses only, and with `invalid_input` if it is malformed.
 */
export function isNotModified(headers: Headers, etag: string, resource: VersionedResource = 'customer'): boolean {
  const ifMatch = headers.get('if-match')
  if (ifMatch !== null && !names(requiredTags('if-match', ifMatch), etag)) {
    throw new RegistryError({ reason: 'version_conflict', currentVersion: versionOf(etag) ?? 0, resource })
  }
  const ifNoneMatch = headers.get('if-none-match')
  return ifNoneMatch !== null && names(tagsOf(ifNoneMatch) ?? [], etag)
}

/**
 * Returns what the headers require of a resource that is to be changed. Null: nothing. Throws `RegistryError` with
 * `invalid_input` for a malformed `if-match` or `if-none-match`. A date that is none is ignored, as the RFC requires.
 */
export function preconditionIn(headers: Headers, nowMs: number): Precondition | null {
  const [ifMatch = null, ifNoneMatch = null, ifUnmodifiedSince = null] = CONDITIONAL_HEADERS.map((name) =>
    headers.get(name),
  )
  if (ifMatch === null && ifNoneMatch === null && ifUnmodifiedSince === null) return null
  const precondition: Precondition = {}
  if (ifMatch !== null) {
    const tags = requiredTags('if-match', ifMatch)
    if (tags === '*') precondition.exists = true
    else precondition.versions = versionsIn(tags)
  } else if (ifUnmodifiedSince !== null) {
    const sinceMs = readHttpDate(ifUnmodifiedSince.trim(), nowMs)
    if (sinceMs !== null) precondition.unmodifiedSinceMs = sinceMs
  }
  if (ifNoneMatch !== null) {
    const tags = requiredTags('if-none-match', ifNoneMatch)
    if (tags !== '*') precondition.notVersions = versionsIn(tags)
    else {
      // Together with `if-match: *` it can never hold.
      if (precondition.exists) precondition.versions = []
      precondition.exists = false
    }
  }
  return precondition
}

/**
 * Throws `RegistryError` with `invalid_input` if a change is conditional though its resource has no version: made
 * without the condition, it would be another change than the caller asked for.
 */
export function refuseConditions(headers: Headers): void {
  for (const name of CONDITIONAL_HEADERS) {
    if (headers.get(name) === null) continue
    throw invalidField(name, 'is not supported here, because this has no version', 'leave the header out')
  }
}

function names(tags: '*' | string[], etag: string): boolean {
  return tags === '*' || tags.some((tag) => tag.replace(/^W\//, '') === etag)
}

function versionsIn(tags: string[]): number[] {
  return [...new Set(tags.flatMap((tag) => versionOf(tag) ?? []))]
}

function versionOf(tag: string): number | null {
  const version = OWN_TAG.exec(tag)?.[1]
  return version === undefined ? null : Number(version)
}

function requiredTags(header: TagHeader, text: string): '*' | string[] {
  const tags = tagsOf(text)
  if (tags) return tags
  const shown = JSON.stringify(text.slice(0, 100))
  const fix = 'send etags as you read them, quotes included and with commas between them, or *, or leave it out'
  throw invalidField(header, `is ${shown}, which is not a list of etags`, fix)
}

/** Returns the tags of a list, or `*` for any. Returns null if the text is neither. */
function tagsOf(text: string): '*' | string[] | null {
  if (text.trim() === '*') return '*'
  const tags: string[] = []
  for (ELEMENT.lastIndex = 0; ELEMENT.lastIndex < text.length; ) {
    const element = ELEMENT.exec(text)
    if (!element) return null
    if (element[1] !== undefined) tags.push(element[1])
  }
  return tags.length > 0 ? tags : null
}
