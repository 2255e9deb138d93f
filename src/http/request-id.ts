/**
 * Chooses the id of a request: the caller's own if it is usable, else a new one. Every response and every log line has
 * the id.
 */

const USABLE = /^[\x21-\x7e]{1,128}$/

export function requestIdOf(header: string | null): string {
  return header !== null && USABLE.test(header) ? header : crypto.randomUUID()
}
