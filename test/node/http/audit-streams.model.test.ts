/** Tests how the streams of the audit become pages: all entries, newest first, each once, whatever a page may look at. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Looked, type Match, type Place, pageOfStreams } from '../../../src/storage/tenants/audit-streams.ts'

const row = fc.record({ id: fc.integer({ min: 1, max: 60 }), ok: fc.boolean(), bytes: fc.nat(40) })
type Row = { id: string; ok: boolean; bytes: number }

/** Reads a stream, newest first, as D1 does: at most `most` rows behind a place, and of these `limit` matches. */
function look(stream: readonly Row[], after: Place, most: number, limit: number): Looked {
  const behind = stream.filter(({ id }) => after === null || (after !== '' && id < String(after)))
  const looked = behind.slice(0, most)
  const matches = looked.filter(({ ok }) => ok).slice(0, limit)
  const last = matches.length === limit ? matches.at(-1) : looked.at(-1)
  const hasMore = matches.length === limit || looked.length === most
  return { matches: matches.map(matchOf), end: hasMore && last ? { at: last.id, order: last.id } : null }
}

function matchOf({ id, bytes }: Row): Match {
  return { at: id, id, order: id, rowid: 0, bytes }
}

it('gives every match once, newest first, in pages that are bounded by number and bytes', () => {
  let pages = 0
  fc.assert(
    fc.property(
      fc.array(fc.array(row, { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 10, max: 100 }),
      (given, limit, most, bytesMax) => {
        // An id is of one stream only.
        const streams = given.map((rows, stream) =>
          [...new Map(rows.map((one) => [one.id, one])).values()]
            .map(({ id, ...rest }) => ({ ...rest, id: `${String(id).padStart(3, '0')}-${stream}` }))
            .sort((a, b) => (a.id < b.id ? 1 : -1)),
        )
        const wanted = streams
          .flatMap((rows) => rows.filter(({ ok }) => ok).map(({ id }) => id))
          .sort()
          .reverse()
        const seen: string[] = []
        let places: Place[] = streams.map(() => null)
        for (let page = 0; page < 500; page++) {
          pages++
          const looked = streams.map((rows, at) => look(rows, places[at] ?? null, Math.max(most, limit), limit))
          const { chosen, places: next, waitsFor } = pageOfStreams(looked, places, { limit, bytesMax })
          expect(chosen.length).toBeLessThanOrEqual(limit)
          if (chosen.length > 1) expect(chosen.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bytesMax)
          expect(next, 'each page goes on').not.toEqual(places)
          seen.push(...chosen.map(({ id }) => id))
          // Behind the end of the stream that is waited for, others have something, or nobody knows.
          const end = looked[waitsFor ?? -1]?.end?.order
          if (end) expect(wanted.filter((id) => id > end && !seen.includes(id))).toEqual([])
          places = next
          if (places.every((place) => place === '')) break
          const isFull = chosen.length === limit || chosen.length > 0
          expect(waitsFor !== null || isFull, 'something is read on, or the page is full').toBe(true)
        }
        expect(places.every((place) => place === '')).toBe(true)
        expect(seen).toEqual(wanted)
      },
    ),
    { numRuns: 300 },
  )
  expect(pages).toBeGreaterThan(1_000)
})
