/** The id of a request: the caller's own when it is usable, else a new one. It is on every answer and in every log line. */

const USABLE = /^[\x21-\x7e]{1,128}$/

export function requestIdOf(header: string | null): string {
  return header !== null && USABLE.test(header) ? header : crypto.randomUUID()
}
