/**
 * Writes one line of JSON for the changes of a second, for each refusal and each failure. An ordinary read logs nothing, because the line would
 * cost more than the read. Lines carry ids and names of reasons, never keys, bodies or personal data.
 */

export type LogLevel = 'info' | 'warn' | 'error'

export interface LogLine {
  event: string
  requestId?: string | undefined
  tenantId?: string | undefined
  mode?: string | undefined
  [field: string]: string | number | boolean | null | undefined | readonly Readonly<Record<string, string>>[]
}

export function log(level: LogLevel, line: LogLine): void {
  console[level](JSON.stringify({ level, ...line }))
}

/**
 * Returns the part of an error that may be logged. Drizzle writes the statement and its values (names, addresses) into
 * its own message and has D1's error as the cause, so the innermost cause is logged.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'not an Error'
  let innermost = error
  while (innermost.cause instanceof Error) innermost = innermost.cause
  if ('params' in innermost) return `${innermost.name}: a statement failed`
  return `${innermost.name}: ${innermost.message}`.slice(0, 300)
}
