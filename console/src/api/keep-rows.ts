/**
 * Returns a `placeholderData` that keeps the rows shown while the next ones load, if the key of both begins with `place`.
 * Without a place, the rows of one tenant would be shown under the address of another.
 */
export function keepRows(...place: readonly unknown[]) {
  return <Rows>(rows: Rows | undefined, before: { queryKey: readonly unknown[] } | undefined): Rows | undefined =>
    place.every((part, at) => before?.queryKey[at] === part) ? rows : undefined
}
