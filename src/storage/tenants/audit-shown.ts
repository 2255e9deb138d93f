/**
 * Remembers for a reader of the audit of all tenants which events of D1 it was shown, so that those that are archived between two
 * pages are shown once. Pure.
 *
 * D1 has events in the order of their commits, and its places say down to which rowid they were shown. The archive has the rowid of
 * each event, and the order of its index says between which pages an object was added: what D1 had until then was shown if its rowid
 * is not below the place of that time.
 */
import { firstEventIdAt, SETTLED_AFTER_MS, timeOfId } from '../events/event-ids.ts'
import type { Place } from './audit-streams.ts'

/** After a page: the last row of the index of each database at its time, and the place down to which each stream was shown. */
export interface Shown {
  rows: readonly number[]
  to: readonly Place[]
  /** The time down to which everything was shown. */
  reachedMs: number
}

/** An id is made by up to `SETTLED_AFTER_MS` before its commit, so times of events that stand together differ by a little more. */
const APART_MS = 5 * SETTLED_AFTER_MS

/** Returns an order of an event of D1 that is before those of all events whose commits may have come later. */
export function earlierOrder(id: string): string {
  return firstEventIdAt(timeOfId(id) + SETTLED_AFTER_MS + 1)
}

/** Returns whether D1 has shown the event before it was archived. `row`: that of its object. `stream`: the one that had it. */
export function wasShown(
  history: readonly Shown[],
  { database, row }: { database: number; row: number },
  { stream, rowid }: { stream: number; rowid: number },
): boolean {
  const before = history.findLast(({ rows }) => (rows[database] ?? 0) < row)
  const to = before?.to[stream]
  return to === '' || (typeof to === 'number' && rowid >= to)
}

/** Returns the history with the page. What lies far behind is left out: nothing that was shown then is read again. */
export function withPage(history: readonly Shown[], page: Shown): Shown[] {
  const kept = history.filter(
    ({ rows, reachedMs }) =>
      rows.some((row, database) => row !== page.rows[database]) && reachedMs <= page.reachedMs + 2 * APART_MS,
  )
  return [...kept, page]
}

/** Returns an id above which everything was shown, wherever it is. */
export function allShownAbove({ reachedMs }: Shown): string {
  return firstEventIdAt(reachedMs + APART_MS)
}
