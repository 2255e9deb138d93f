/** Returns the message of an error, with the messages of its causes: D1 puts the reason there. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${errorText(error.cause)})`
}
