/**
 * The rule of external ids, which callers choose. They are compared byte for byte.
 */
import { codePointLength, isStorableText, LIMITS } from '../registry/customer.ts'
import type { Fault } from './fault.ts'

const LENGTH_MAX = LIMITS.externalIdLengthMax

/** Returns why the text is no external id; null if it is one. */
export function externalIdFault(text: string): Fault | null {
  if (text === '') return { message: 'is empty', fix: 'send at least one character' }
  // A URL parser takes them for steps in the path, even percent-encoded.
  if (text === '.' || text === '..') {
    return { message: 'is a step in a path, so no URL can name it', fix: 'send another id than "." and ".."' }
  }
  // A code point is one or two UTF-16 units, so short texts need no counting.
  if (text.length > LENGTH_MAX && codePointLength(text) > LENGTH_MAX) {
    const message = `is longer than ${LENGTH_MAX} characters, it has ${codePointLength(text)}`
    return { message, fix: `shorten it to ${LENGTH_MAX} characters` }
  }
  if (isStorableText(text)) return null
  return {
    message: 'holds a NUL character or half of a surrogate pair',
    fix: 'remove \\u0000 and send both halves of every surrogate pair',
  }
}

/** Returns true for a text that a customer can have as its external id. */
export function isExternalId(text: string): boolean {
  return externalIdFault(text) === null
}
