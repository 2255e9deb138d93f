/**
 * The numbers that rows have of their database, not of their tenant: rowids. A copy gets others, which keep the order.
 *
 * - A customer has its place in the full-text index, a delivery its id. All of a tenant are moved by the same distance, to behind all
 *   that the database has, so a row that is copied again gets the same number. A row that holds the end of that place keeps the
 *   rows of others, which come meanwhile, behind it.
 * - An event has a rowid by which the audit of all tenants reads. A copy gets one below 0, made of the time in its id, so
 *   copies of all tenants stand in the order of time, and before all events that were made here.
 */
import { decodeTime } from 'ulid'

/** Numbers that are kept for what the tenant adds while it is copied, and others of its database meanwhile. */
const ROOM = 100_000_000
/** Numbers that other tenants of the other database may take before the place is held. */
const MARGIN = 1_000_000

/** How far numbers are moved, and the number that holds the end of their place. */
export interface Shift {
  by: number
  end: number
}

/** `least` and `most`: those of the tenant, null without any. `last`: the largest one of the other database. */
export function shiftFor({ least, most }: { least: number | null; most: number | null }, last: number | null): Shift {
  const first = (last ?? 0) + MARGIN
  const from = least ?? 1
  return { by: first - from, end: first + ((most ?? from) - from) + ROOM }
}

/** Rowids of copied events are below 0: a millisecond has 4,096 of them, and the years from 2020 to 2089 have room. */
const SINCE_MS = Date.UTC(2020, 0, 1)
export const ROWIDS_PER_MS = 4_096
const LOWEST = -(2 ** 53)
/** The rowid of an event that no tenant has. While it is there, events that are made here get rowids above 0. */
export const HOLDING_ROWID = 0

/** Returns the first rowid for copies of events of that time. */
export function copiedRowidAt(timeMs: number): number {
  return Math.min(LOWEST + Math.max(0, Math.floor(timeMs) - SINCE_MS) * ROWIDS_PER_MS, -ROWIDS_PER_MS)
}

const EVENT_ID = /^evt_([0-7][0-9A-HJKMNP-TV-Z]{25})$/

/** Returns for each event its wanted rowid: those of one millisecond follow each other. */
export function wantedRowids(ids: readonly string[]): { first: number; plus: number }[] {
  const counts = new Map<number, number>()
  return ids.map((id) => {
    const [, ulid] = EVENT_ID.exec(id) ?? []
    const first = copiedRowidAt(ulid === undefined ? 0 : decodeTime(ulid))
    const plus = counts.get(first) ?? 0
    counts.set(first, plus + 1)
    return { first, plus }
  })
}
