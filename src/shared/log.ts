/**
 * One line of JSON for each change, refusal and failure; an ordinary read logs nothing, because the line would cost more
 * than the read. Lines carry ids and names of reasons, never keys, bodies or personal data.
 */

export type LogLevel = 'info' | 'warn' | 'error'

export interface LogLine {
  event: string
  requestId?: string | undefined
  tenantId?: string | undefined
  mode?: string | undefined
  [field: string]: string | number | boolean | null | undefined
}

export function log(level: LogLevel, line: LogLine): void {
  console[level](JSON.stringify({ level, ...line }))
}

/**
 * What may be logged of a failure. Drizzle puts the bound values (names, addresses) into its own message, so only the
 * message of the cause, which D1 wrote, is taken from it.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'not an Error'
  const source = error.name === 'DrizzleQueryError' && error.cause instanceof Error ? error.cause : error
  return `${source.name}: ${source.message}`.slice(0, 300)
}
