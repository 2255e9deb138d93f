/**
 * Reads a value from isolate memory, then KV, then D1, each judged by the lease. Pure procedure over small ports, so
 * that the model test runs this very file. It never trusts an age, a KV null or a replica.
 *
 * When the lease is cold, the call to the gate, the KV read and, if KV has no value, the D1 read run at the same time.
 * Their results are judged once the lease is there. When KV takes longer than for a value that is nearby, D1 is asked
 * meanwhile. So a cold read is one round trip deep, and at worst reads D1 a second time.
 */

import { isGood, laterBookmark, stampFor, type View } from '../core/freshness.ts'

/**
 * A cached read: the value (null is a tombstone, for a value that does not exist) and the number of the write it was
 * read at.
 */
export interface Stamped<T> {
  asof: number
  value: T | null
}

/** The number and bookmark that a write returned. A read with this token sees that write. */
export interface ConsistencyToken {
  seq: number
  bookmark: string | null
}

/**
 * The database of a read by its number, and the instances of it that may serve the read: any replica that has reached this
 * bookmark, the primary, or any replica at all.
 */
export interface ReadFrom {
  database: number
  start: { bookmark: string } | 'primary' | 'anywhere'
}

export interface ReadPorts<T> {
  /** Returns the number of the database that the tenant was in when this isolate last knew. Synchronous. */
  databaseHint(): number
  /** Returns the value in this isolate's memory; undefined when there is none. Synchronous. */
  memory(): Stamped<T> | undefined
  /** Resolves with the value in KV, however old; null when KV has none or is unavailable. Never rejects. */
  kv(): Promise<Stamped<T> | null>
  /** Resolves as the read of KV does, or with `late` when that takes longer than for a value that is nearby. */
  soon(kv: Promise<Stamped<T> | null>): Promise<Stamped<T> | null | 'late'>
  /**
   * Resolves with the row, null if there is none, and the bookmark of the state that it read. Rejects when D1 is
   * unavailable.
   */
  d1(from: ReadFrom): Promise<{ value: T | null; bookmark: string | null }>
  /**
   * Returns the view of a lease in force: at once when one is held, else after the call. Rejects when the read is not
   * admitted.
   */
  lease(): View | Promise<View>
}

export interface FreshRead<T> {
  value: T | null
  from: 'memory' | 'kv' | 'd1'
  /** The value to put in memory; null when it is there already. */
  fillMemory: Stamped<T> | null
  /** The value to put in KV; null when the value came from KV or from memory. */
  fillKv: Stamped<T> | null
}

/** True when the view includes the token's write, so that it may judge values for a caller that sent this token. */
export function covers(view: View, token: ConsistencyToken | null): boolean {
  return token === null || view.seq >= token.seq
}

/** True when the cached value may answer the read. This is the hot path, and allocates nothing. */
export function canServe<T>(
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
  if (canServe(kept, view, buckets, token)) return { value: kept.value, from: 'memory', fillMemory: null, fillKv: null }

  // Captured before the reads that follow, because the view may receive writes that these reads have not seen.
  const stamp = stampFor(view)
  const { database } = stamp
  const pending = view.isPending(buckets)

  // Up to `asof` the bookmark of the lease covers the token's write. The read then does not wait for the token's own
  // bookmark, which D1 never reaches if it was set back since.
  const owed = token && token.seq > stamp.asof ? token.bookmark : null
  const bookmark = laterBookmark(stamp.bookmark, owed)
  // Only the primary has the outcome of a write under way. A replica that has reached both bookmarks has all else.
  const start = pending || bookmark === null ? 'primary' : { bookmark }
  const fromD1 = async (): Promise<FreshRead<T>> => {
    // A tenant that has moved since is not where the hint says.
    const guess = early && !pending && early.database === database ? await early.d1() : null
    const read = guess && reaches(guess.bookmark, bookmark) ? guess : await ports.d1({ database, start })
    const fresh = { asof: stamp.asof, value: read.value }
    return { value: read.value, from: 'd1', fillMemory: fresh, fillKv: fresh }
  }
  if (!covers(view, token)) return fromD1()
  const fromKv = (found: Stamped<T> | null): FreshRead<T> | null =>
    canServe(found, view, buckets, token) ? { value: found.value, from: 'kv', fillMemory: found, fillKv: null } : null
  const { kv, soon } = early ?? startKv(ports)
  const first = await soon
  if (first !== 'late') return fromKv(first) ?? fromD1()
  const read = fromD1()
  const either = kv.then((found) => fromKv(found) ?? read)
  return Promise.race([either, read.catch(() => either)])
}

/** True when a read without a bookmark to start from happened to see the state of this one. */
function reaches(seen: string | null, bookmark: string | null): boolean {
  return seen !== null && bookmark !== null && seen >= bookmark
}

function startKv<T>(ports: ReadPorts<T>) {
  const kv = ports.kv()
  return { kv, soon: ports.soon(kv) }
}

/** Starts the reads that need no lease: KV, and D1 as soon as KV has no value or is late. `d1`: null if it was not asked. */
function startEarly<T>(ports: ReadPorts<T>) {
  const database = ports.databaseHint()
  let d1: Promise<{ value: T | null; bookmark: string | null } | null> | null = null
  const { kv, soon } = startKv(ports)
  const begun = soon.then((first) => {
    if (first === 'late' || !first) d1 = ports.d1({ database, start: 'anywhere' }).catch(() => null)
    return first
  })
  return { database, kv, soon: begun, d1: () => d1 }
}
