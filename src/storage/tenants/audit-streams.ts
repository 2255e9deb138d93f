/**
 * Merges ordered streams, each read up to some place only, into one page, newest first. Pure.
 */

/** The place in a stream behind which a page begins: null at its beginning, `''` when nothing is left of it. */
export type Place = string | number | null

/** The part of a stream that was read. */
export interface Looked {
  /** The rows that match, newest first. */
  matches: readonly Match[]
  /** Up to where the stream was read; null if nothing is left behind it. */
  end: { at: string | number; id: string } | null
}

export interface Match {
  /** The place in its stream. */
  at: string | number
  id: string
  rowid: number
  bytes: number
}

/** Returns the places that a position of an earlier page stands for. */
export function placesIn(position: string | null, streams: number): Place[] {
  return position === null ? Array(streams).fill(null) : (JSON.parse(position) as Place[])
}

/**
 * Returns the newest matches of all streams together, each with its stream, and the position of the next page; null if
 * there is none. A match is chosen only if no stream can have a newer one that was not read.
 */
export function pageOfStreams(
  looked: readonly Looked[],
  places: readonly Place[],
  { limit, bytesMax }: { limit: number; bytesMax: number },
): { chosen: (Match & { stream: number })[]; position: string | null } {
  const next = looked.map(() => 0)
  const chosen: (Match & { stream: number })[] = []
  let bytes = 0
  while (chosen.length < limit) {
    let newest: (Match & { stream: number }) | null = null
    for (const [stream, { matches }] of looked.entries()) {
      const match = matches[next[stream] as number]
      if (match && (newest === null || match.id > newest.id)) newest = { ...match, stream }
    }
    if (newest === null) break
    const { id } = newest
    const isHidden = looked.some(
      ({ matches, end }, stream) => next[stream] === matches.length && end !== null && end.id > id,
    )
    if (isHidden || (chosen.length > 0 && bytes + newest.bytes > bytesMax)) break
    bytes += newest.bytes
    chosen.push(newest)
    next[newest.stream] = (next[newest.stream] as number) + 1
  }
  const position = looked.map(({ matches, end }, stream): Place => {
    const done = next[stream] as number
    if (done === matches.length) return end?.at ?? ''
    return matches[done - 1]?.at ?? places[stream] ?? null
  })
  return { chosen, position: position.every((place) => place === '') ? null : JSON.stringify(position) }
}
