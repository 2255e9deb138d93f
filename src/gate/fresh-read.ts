/**
 * The read: isolate memory, then KV, then D1, each judged by the lease. Pure procedure over small ports, so that the
 * model test drives this very file. It never trusts an age, a KV null or a replica; it never writes what a writer knew.
 *
 * When the lease is cold its call, the KV read and (should KV have nothing) the D1 read run side by side; what they bring
 * is judged once the lease is there. So a cold read is one round trip deep, and at worst reads D1 a second time.
 */

import { isGood, laterBookmark, stampFor, type View } from './freshness.ts'

/** What is kept of a read: the value (null: a tombstone, "there is none") and the number it was read at. */
export interface Stamped<T> {
  asof: number
  value: T | null
}

/** What a write answered. A read that brings it sees that write. */
export interface ConsistencyToken {
  seq: number
  bookmark: string | null
}

/** Where D1 may answer from: any replica that has reached this bookmark, the primary, or any replica at all. */
export type ReadFrom = { bookmark: string } | 'primary' | 'anywhere'

export interface ReadPorts<T> {
  /** The value in this isolate's memory. Synchronous; undefined when there is none. */
  memory(): Stamped<T> | undefined
  /** The value in KV, however old; null when KV has none or cannot be asked. Never rejects. */
  kv(): Promise<Stamped<T> | null>
  /** The row (null: there is none), and the bookmark of the database state that was seen. Rejects when D1 is away. */
  d1(from: ReadFrom): Promise<{ value: T | null; bookmark: string | null }>
  /** The view of a lease in force: at once when one is held, else after the call. Rejects when the read is not admitted. */
  lease(): View | Promise<View>
}

export interface FreshRead<T> {
  value: T | null
  from: 'memory' | 'kv' | 'd1'
  /** To be put in memory; null when it is there already. */
  fillMemory: Stamped<T> | null
  /** To be put in KV; null when KV gave it, or when memory did. */
  fillKv: Stamped<T> | null
}

/** True when the view knows of the token's write, so that it may judge for a caller who brings that token. */
export function covers(view: View, token: ConsistencyToken | null): boolean {
  return token === null || view.seq >= token.seq
}

/** The hot path: true when a value in memory answers the read. Allocates nothing. */
export function answers<T>(
  kept: Stamped<T> | null | undefined,
  view: View,
  buckets: readonly number[],
  token: ConsistencyToken | null,
): kept is Stamped<T> {
  return !!kept && covers(view, token) && isGood(view, buckets, kept.asof)
}

/** Reads one value whose tags hash into `buckets`. */
export async function readFresh<T>(
  ports: ReadPorts<T>,
  buckets: readonly number[],
  token: ConsistencyToken | null,
): Promise<FreshRead<T>> {
  const lease = ports.lease()
  const early = lease instanceof Promise && !ports.memory() ? startEarly(ports) : null
  const view = lease instanceof Promise ? await lease : lease

  const kept = ports.memory()
  if (answers(kept, view, buckets, token)) return { value: kept.value, from: 'memory', fillMemory: null, fillKv: null }

  // Captured before the reads that follow: while they are under way the view learns of writes they have not seen.
  const stamp = stampFor(view)
  const pending = view.isPending(buckets)

  if (covers(view, token)) {
    const found = await (early ? early.kv : ports.kv())
    if (answers(found, view, buckets, token)) {
      return { value: found.value, from: 'kv', fillMemory: found, fillKv: null }
    }
  }
  const bookmark = laterBookmark(stamp.bookmark, token?.bookmark ?? null)
  const guess = early && !pending ? await early.d1() : null
  // What became of a write under way only the primary knows; all else a replica that has caught up with lease and token.
  const from = pending || bookmark === null ? 'primary' : { bookmark }
  const read = guess && reaches(guess.bookmark, bookmark) ? guess : await ports.d1(from)
  const fresh = { asof: stamp.asof, value: read.value }
  return { value: read.value, from: 'd1', fillMemory: fresh, fillKv: fresh }
}

/** True when a read that was not told where to start saw what it should have been told. */
function reaches(seen: string | null, bookmark: string | null): boolean {
  return seen !== null && bookmark !== null && seen >= bookmark
}

/** What can be read before the lease is there: KV, and D1 as soon as KV turns out to have nothing. */
function startEarly<T>(ports: ReadPorts<T>) {
  let d1: Promise<{ value: T | null; bookmark: string | null } | null> = Promise.resolve(null)
  const kv = ports.kv().then((found) => {
    if (!found) d1 = ports.d1('anywhere').catch(() => null)
    return found
  })
  return { kv, d1: () => kv.then(() => d1) }
}
