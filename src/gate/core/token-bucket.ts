/**
 * The rate budget of one tenant and mode: what is free, what is granted and may still be spent, and what of it comes
 * back. Exactness (C1) rests on this file alone. It is deterministic and takes the time; sizing grants is for gate-core.ts.
 *
 * Two rules carry the proof. The potential, free + outstanding, never exceeds the burst, because a permit granted
 * earlier can be spent on top of what refilled since. And a grant that expires counts as spent at that moment; what a
 * later report says was not spent comes back only up to the smallest headroom since, because a bucket that would have
 * been full in between would have lost the rest.
 *
 * The gate's clock may lose time, and then the bucket refills too slowly. `regain` makes up for it from durations that
 * isolates measured, under the same bound: up to the smallest headroom since the beginning of the duration.
 *
 * Levels are kept in thousandths of a permit: with whole rates and milliseconds every sum is exact.
 */

import { GRANT_MEMORY_MS } from '../protocol/constants.ts'

const UNIT = 1_000
/** Notes of the headroom go back far enough for this. */
const REGAIN_MAX_MS = GRANT_MEMORY_MS - 1_000

export interface Limits {
  ratePerSecond: number
  burst: number
}

interface Grant {
  ordinal: number
  permits: number
  spent: number
  unspent: number
  expiresAtMs: number
  /** Which limits it was granted under. */
  limitsNumber: number
  /** Set at expiry: the headroom noted from this tick on bounds what may come back. */
  deadTick: number | null
}

interface Headroom {
  tick: number
  atMs: number
  elapsedMs: number
  room: number
}

export class Bucket {
  #rate: number
  #burst: number
  #free: number
  #outstanding = 0
  #nowMs: number
  #grants = new Map<number, Grant>()
  /** Live grants, the next to expire first. */
  #live: Grant[] = []
  /** Expired grants, the oldest first. */
  #dead: Grant[] = []
  /** Smallest headroom from each tick until now: rising in both tick and room. */
  #headroom: Headroom[] = []
  #tick = 0
  /** Time that the clock lost and isolates measured: see `regain`. */
  #regainedMs = 0
  /** Counts the changes of the limits, and says when the last one was on the bucket's own time. */
  #limitsNumber = 0
  #limitsSinceMs = Number.NEGATIVE_INFINITY

  /** A full bucket: nothing was ever granted from it. */
  constructor(limits: Limits, nowMs: number) {
    this.#rate = limits.ratePerSecond
    this.#burst = limits.burst * UNIT
    this.#free = this.#burst
    this.#nowMs = nowMs
  }

  /** A bucket about which it is only known that nothing granted before lives longer than `aliveMs` from now. */
  static afterRestart(limits: Limits, nowMs: number, aliveMs: number): Bucket {
    const bucket = new Bucket(limits, nowMs)
    bucket.#free = 0
    if (aliveMs > 0) {
      bucket.#free = bucket.#burst
      bucket.grant(-1, limits.burst, aliveMs, nowMs)
    }
    return bucket
  }

  /** A bucket that was empty at worst `idleMs` ago, and from which nothing was granted since. */
  static afterIdle(limits: Limits, nowMs: number, idleMs: number): Bucket {
    const bucket = new Bucket(limits, nowMs)
    bucket.#free = Math.min(bucket.#burst, limits.ratePerSecond * idleMs)
    return bucket
  }

  /** Whole permits that can be granted. */
  get available(): number {
    return Math.floor(this.#free / UNIT)
  }

  /** Permits granted that may still be spent, by the reports received so far. */
  get outstanding(): number {
    return this.#outstanding / UNIT
  }

  /** Free + outstanding, in permits. Never above the burst, unless the burst was just lowered. */
  get potential(): number {
    return (this.#free + this.#outstanding) / UNIT
  }

  /** The bucket's own time: its clock, and what isolates measured beyond that. */
  get elapsedMs(): number {
    return this.#nowMs + this.#regainedMs
  }

  /** Time until the bucket is full, if nothing more is granted. */
  get fullInMs(): number {
    return Math.ceil((this.#burst - this.#free) / this.#rate)
  }

  /** Brings the bucket to `nowMs`: refills it, and counts every grant that expired meanwhile as spent at that time. */
  advance(nowMs: number): void {
    if (nowMs < this.#nowMs) return
    for (let next = this.#live[0]; next && next.expiresAtMs <= nowMs; next = this.#live[0])
      this.#expire(next.expiresAtMs)
    this.#refill(nowMs)
    this.#noteHeadroom()
    this.#forget(nowMs - GRANT_MEMORY_MS)
  }

  /** Grants `permits` (at most `available`) until `ttlMs` from now. The caller has called `advance(nowMs)`. */
  grant(ordinal: number, permits: number, ttlMs: number, nowMs: number): void {
    if (permits > this.available) throw new RangeError(`grant of ${permits} permits, ${this.available} available`)
    const expiresAtMs = nowMs + ttlMs
    const limitsNumber = this.#limitsNumber
    const grant: Grant = { ordinal, permits, spent: 0, unspent: 0, expiresAtMs, limitsNumber, deadTick: null }
    this.#free -= permits * UNIT
    this.#outstanding += permits * UNIT
    this.#grants.set(ordinal, grant)
    let at = this.#live.length
    while (at > 0 && (this.#live[at - 1] as Grant).expiresAtMs > grant.expiresAtMs) at--
    this.#live.splice(at, 0, grant)
  }

  /** Takes `permits` that are spent immediately. Returns false and takes nothing when there are too few. */
  take(permits: number): boolean {
    if (this.available < permits) return false
    this.#free -= permits * UNIT
    return true
  }

  /**
   * Takes an isolate's report on a grant, in totals. An old, repeated or unknown report changes nothing. Permits
   * granted under other limits do not come back: by a slow clock the grant outlives the change that made the burst
   * smaller. The caller has called `advance`.
   */
  report(ordinal: number, spent: number, unspent: number): void {
    const grant = this.#grants.get(ordinal)
    if (!grant) return
    const newlySpent = Math.min(Math.max(0, spent - grant.spent), grant.permits - grant.spent - grant.unspent)
    grant.spent += newlySpent
    const newlyUnspent = Math.min(Math.max(0, unspent - grant.unspent), grant.permits - grant.spent - grant.unspent)
    grant.unspent += newlyUnspent
    const backUnits = grant.limitsNumber === this.#limitsNumber ? newlyUnspent * UNIT : 0
    if (grant.deadTick !== null) {
      if (backUnits > 0) this.#free += this.#recredit(this.#firstNote(grant.deadTick, 'tick'), backUnits)
      return
    }
    this.#outstanding -= (newlySpent + newlyUnspent) * UNIT
    this.#free += backUnits
  }

  /**
   * Refills for time that the clock lost. An isolate measured that `elapsedMs` have passed since the bucket's own
   * time was `sinceMs`. The part that the bucket missed comes back, up to the smallest headroom since, and never
   * counts twice. Ends no grant earlier. Ignores a duration that began before a change of the limits. The caller has
   * called `advance`.
   */
  regain(sinceMs: number, elapsedMs: number): void {
    const missedMs = sinceMs + elapsedMs - this.elapsedMs
    if (missedMs <= 0 || sinceMs <= this.#limitsSinceMs || this.elapsedMs - sinceMs > REGAIN_MAX_MS) return
    const first = this.#firstNote(sinceMs, 'elapsedMs')
    this.#regainedMs += missedMs
    this.#free += this.#recredit(first, this.#rate * missedMs)
    this.#noteHeadroom()
  }

  /**
   * Sets new limits. Permits granted under the old ones stay covered, and nothing refills while they exceed the new
   * burst. So until the last old permit has expired the larger of both limits holds, from then on the new one.
   */
  setLimits(limits: Limits, nowMs: number): void {
    this.advance(nowMs)
    if (limits.ratePerSecond === this.#rate && limits.burst * UNIT === this.#burst) return
    this.#limitsNumber++
    this.#limitsSinceMs = this.elapsedMs
    this.#rate = limits.ratePerSecond
    this.#burst = limits.burst * UNIT
    this.#free = Math.min(this.#free, this.#burst)
    this.#noteHeadroom()
  }

  #refill(untilMs: number): void {
    const room = this.#burst - this.#free - this.#outstanding
    if (room > 0) this.#free += Math.min(room, this.#rate * (untilMs - this.#nowMs))
    this.#nowMs = untilMs
  }

  /** Expires everything that ends at `atMs`. All of it counts as spent then. */
  #expire(atMs: number): void {
    this.#refill(atMs)
    this.#noteHeadroom()
    for (let grant = this.#live[0]; grant?.expiresAtMs === atMs; grant = this.#live[0]) {
      this.#live.shift()
      this.#outstanding -= (grant.permits - grant.spent - grant.unspent) * UNIT
      grant.deadTick = this.#tick
      this.#dead.push(grant)
    }
  }

  /** Notes the headroom. It is smallest at the end of a refill; between two notes it only grows. */
  #noteHeadroom(): void {
    const room = Math.max(0, this.#burst - this.#free - this.#outstanding)
    while ((this.#headroom.at(-1)?.room ?? -1) >= room) this.#headroom.pop()
    this.#headroom.push({ tick: this.#tick++, atMs: this.#nowMs, elapsedMs: this.elapsedMs, room })
  }

  /** Returns the index of the first note whose tick or time is `from` or later. */
  #firstNote(from: number, by: 'tick' | 'elapsedMs'): number {
    let low = 0
    let high = this.#headroom.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#headroom[middle] as Headroom)[by] < from) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Returns how much of `units`, missing since the note at `first`, would still be in the bucket now. */
  #recredit(first: number, units: number): number {
    const back = Math.min(units, this.#headroom[first]?.room ?? 0)
    if (back === 0) return 0
    // The bucket has been fuller by that much since then, so the next permits to come back find less headroom.
    for (let at = first; at < this.#headroom.length; at++) (this.#headroom[at] as Headroom).room -= back
    const smallest = (this.#headroom[first] as Headroom).room
    let keep = first
    while (keep > 0 && (this.#headroom[keep - 1] as Headroom).room >= smallest) keep--
    this.#headroom.splice(keep, first - keep)
    return back
  }

  /** Drops old grants first, then the headroom that only they needed. */
  #forget(beforeMs: number): void {
    while (this.#dead[0] && this.#dead[0].expiresAtMs < beforeMs)
      this.#grants.delete((this.#dead.shift() as Grant).ordinal)
    while (this.#headroom[0] && this.#headroom[0].atMs < beforeMs) this.#headroom.shift()
  }
}
