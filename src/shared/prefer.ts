/** The Prefer header (RFC 7240): what a caller would like, and an answer may do without. */

/** `preference` in lower case, with its value if it has one: `handling=strict`. */
export function prefers(header: string | null | undefined, preference: string): boolean {
  return (
    !!header &&
    header
      .toLowerCase()
      .split(/[,;\s]+/)
      .includes(preference)
  )
}
