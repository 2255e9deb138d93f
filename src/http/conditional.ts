/**
 * ETags and conditional requests (RFC 9110, sections 8.8.3 and 13). The etag of a customer is its version; an answer that
 * shows other customers too adds theirs. A weak form is accepted, because a proxy that compresses makes a tag weak.
 */
import { Refused } from '../registry/failures.ts'

/** `parts` are whatever else the answer shows: it changes when one of them does. */
export function etagOf(version: number, parts: (string | number)[] = []): string {
  return parts.length === 0 ? `"${version}"` : `"${version}-${hash(parts.join('|'))}"`
}

/** True when the caller already has this answer. */
export function isNotModified(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.split(',').some((tag) => {
    const candidate = tag.trim()
    return candidate === '*' || candidate.replace(/^W\//, '') === etag
  })
}

/** The version a change is conditional on; null: on none. `*` asks only that the customer exists, which every change does. */
export function versionFromIfMatch(ifMatch: string | null): number | null {
  if (ifMatch === null || ifMatch.trim() === '*') return null
  const version = /^(?:W\/)?"(\d{1,15})(?:-[0-9a-z]+)?"$/.exec(ifMatch.trim())?.[1]
  if (version !== undefined) return Number(version)
  throw new Refused({
    reason: 'invalid_input',
    problems: [
      {
        field: 'if-match',
        message: 'is not an etag of a customer',
        fix: 'send the etag of the answer you read, quotes included, or leave the header out',
      },
    ],
  })
}

/** FNV-1a over UTF-16 units, 53 bits: enough to tell one set of versions from the next. */
function hash(text: string): string {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let at = 0; at < text.length; at++) {
    low = Math.imul(low ^ text.charCodeAt(at), 0x01000193)
    high = Math.imul(high ^ text.charCodeAt(at), 0x5bd1e995)
  }
  return ((high >>> 0) * 0x200000 + (low >>> 11)).toString(36)
}
