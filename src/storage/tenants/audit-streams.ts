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
  end: { at: string | number; order: string } | null
}

export interface Match {
  /** The place in its stream. */
  at: string | number
  id: string
  /** Its place among the matches of all streams: its id, or close to it. */
  order: string
  rowid: number
  bytes: number
}

export interface StreamedPage {
  chosen: (Match & { stream: number })[]
  /** The place of the next page in each stream. */
  places: Place[]
  /** The stream that has to be read on before anything else can be chosen; null if the page is full, or nothing is left. */
  waitsFor: number | null
}

/**
 * Returns the newest matches of all streams together, each with its stream. A match is chosen only if no stream can have a
 * newer one that was not read.
 */
export function pageOfStreams(
  looked: readonly Looked[],
  places: readonly Place[],
  { limit, bytesMax }: { limit: number; bytesMax: number },
): StreamedPage {
  const next = looked.map(() => 0)
  const chosen: StreamedPage['chosen'] = []
  let bytes = 0
  let isFull = false
  while (!isFull) {
    let newest: (Match & { stream: number }) | null = null
    for (const [stream, { matches }] of looked.entries()) {
      const match = matches[next[stream] as number]
      if (match && (newest === null || match.order > newest.order)) newest = { ...match, stream }
    }
    if (newest === null) break
    const { order } = newest
    const isHidden = looked.some(
      ({ matches, end }, stream) => next[stream] === matches.length && end !== null && end.order > order,
    )
    if (isHidden) break
    isFull = chosen.length > 0 && bytes + newest.bytes > bytesMax
    if (isFull) break
    bytes += newest.bytes
    chosen.push(newest)
    next[newest.stream] = (next[newest.stream] as number) + 1
    isFull = chosen.length === limit
  }
  const nextPlaces = looked.map(({ matches, end }, stream): Place => {
    const done = next[stream] as number
    if (done === matches.length) return end?.at ?? ''
    return matches[done - 1]?.at ?? places[stream] ?? null
  })
  return { chosen, places: nextPlaces, waitsFor: isFull ? null : lastToEnd(looked, next) }
}

/** Returns the stream that was read least far, of those of which nothing is left that was read. */
function lastToEnd(looked: readonly Looked[], next: readonly number[]): number | null {
  let found: { stream: number; order: string } | null = null
  for (const [stream, { matches, end }] of looked.entries()) {
    if (next[stream] !== matches.length || end === null) continue
    if (found === null || end.order > found.order) found = { stream, order: end.order }
  }
  return found?.stream ?? null
}
