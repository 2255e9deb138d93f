/** The files of a backup: one for each database. */

/** Returns the file of the database with this number, which stands beside the first: `roster-2.sqlite.gz` beside `roster.sqlite.gz`. */
export function fileOf(first, number) {
  if (number === 0) return first
  const [, name, ending] = /^(.*?)((?:\.sqlite)?(?:\.gz)?)$/s.exec(first) ?? []
  return `${name}-${number}${ending}`
}
