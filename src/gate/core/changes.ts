/**
 * Remembers when each tag of a tenant changed last, in at most 16 KB however many there are, and never calls a changed tag
 * unchanged. Pure.
 *
 * The last thousand tags that changed are remembered exactly, as a fingerprint and the number of the change. Older ones are
 * added to a Bloom filter. A filter is full after some changes, and the next one begins: so a value that was read since the
 * last change of a filter need not ask it. A false yes of a filter costs a read that was not needed, for about one value in
 * fifty and filter. The oldest filter is given up, and values from before its last change count as changed.
 */

/** As long as so few tags have changed, a map of them takes less memory. */
const FEW_MAX = 96
/** Places for tags that changed lately. A tag has one set of places, and takes the one of the longest unchanged tag in it. */
const SETS = 256
const PLACES = 4
/** A number of a change is kept as the distance to a base, in 16 bits. */
const DISTANCE_MAX = 0xffff
const FILTERS_MAX = 6
const FILTER_CHANGES = 2_048
const FILTER_BITS = 16_384
/** With 8 bits for each change, a filter says a wrong yes in 2 % of all cases. */
const BITS_PER_TAG = 5

export class Changes {
  #few: Map<number, number> | null = new Map()
  #many: ManyChanges | null = null

  /** Notes that the tag with this hash changed. Numbers may come in any order. */
  note(hash: number, seq: number): void {
    if (this.#many) {
      this.#many.note(hash, seq)
      return
    }
    const few = this.#few as Map<number, number>
    if (seq > (few.get(hash) ?? 0)) few.set(hash, seq)
    if (few.size <= FEW_MAX) return
    const inOrder = [...few].sort(([, a], [, b]) => a - b)
    this.#many = new ManyChanges((inOrder[0]?.[1] ?? 1) - 1)
    for (const [known, changed] of inOrder) this.#many.note(known, changed)
    this.#few = null
  }

  /** Returns true if the tag changed after that number. May return true for another tag, but never false for a changed one. */
  isChangedSince(hash: number, seq: number): boolean {
    if (this.#many) return this.#many.isChangedSince(hash, seq)
    return (this.#few?.get(hash) ?? 0) > seq
  }
}

class ManyChanges {
  readonly #fingerprints = new Uint16Array(SETS * PLACES)
  /** The distance of each place's change to the base; 0 for an empty place. */
  readonly #distances = new Uint16Array(SETS * PLACES)
  readonly #older = new OlderChanges()
  #base: number
  /** No tag without a place changed after this number. At least the base. */
  #olderSeq: number

  constructor(base: number) {
    this.#base = base
    this.#olderSeq = base
  }

  note(hash: number, seq: number): void {
    if (seq - this.#base > DISTANCE_MAX) this.#moveBase(seq - (DISTANCE_MAX >> 1))
    const known = this.#placeOf(hash)
    if (known !== -1) {
      this.#distances[known] = Math.max(this.#distances[known] as number, seq - this.#base)
      return
    }
    // The tag may be in a filter with a later change.
    if (seq <= this.#olderSeq) {
      this.#older.add(keyOf(setOf(hash), fingerprintOf(hash)), seq)
      return
    }
    const place = this.#oldestPlace(setOf(hash))
    this.#giveUp(place)
    this.#fingerprints[place] = fingerprintOf(hash)
    this.#distances[place] = seq - this.#base
  }

  isChangedSince(hash: number, seq: number): boolean {
    const place = this.#placeOf(hash)
    if (place !== -1) return this.#base + (this.#distances[place] as number) > seq
    return this.#older.isChangedSince(keyOf(setOf(hash), fingerprintOf(hash)), seq)
  }

  /** Returns the place of the tag, −1 if it has none. */
  #placeOf(hash: number): number {
    const fingerprint = fingerprintOf(hash)
    const first = setOf(hash) * PLACES
    for (let place = first; place < first + PLACES; place++) {
      if (this.#fingerprints[place] === fingerprint && this.#distances[place] !== 0) return place
    }
    return -1
  }

  #oldestPlace(set: number): number {
    const first = set * PLACES
    let oldest = first
    for (let place = first + 1; place < first + PLACES; place++) {
      if ((this.#distances[place] as number) < (this.#distances[oldest] as number)) oldest = place
    }
    return oldest
  }

  /** Empties the place. Its tag is in a filter from then on. */
  #giveUp(place: number): void {
    const distance = this.#distances[place] as number
    if (distance === 0) return
    const seq = this.#base + distance
    this.#older.add(keyOf(Math.floor(place / PLACES), this.#fingerprints[place] as number), seq)
    this.#olderSeq = Math.max(this.#olderSeq, seq)
    this.#distances[place] = 0
  }

  #moveBase(base: number): void {
    const by = base - this.#base
    for (let place = 0; place < this.#distances.length; place++) {
      if ((this.#distances[place] as number) <= by) this.#giveUp(place)
      else this.#distances[place] = (this.#distances[place] as number) - by
    }
    this.#base = base
    this.#olderSeq = Math.max(this.#olderSeq, base)
  }
}

interface Filter {
  bits: Uint32Array
  changes: number
  /** The last change in the filter. */
  seq: number
}

class OlderChanges {
  /** Oldest first. */
  readonly #filters: Filter[] = []
  /** The last change of all filters that were given up. */
  #forgottenSeq = 0

  add(key: number, seq: number): void {
    let filter = this.#filters.at(-1)
    if (!filter || filter.changes === FILTER_CHANGES) {
      filter = { bits: new Uint32Array(FILTER_BITS / 32), changes: 0, seq: 0 }
      this.#filters.push(filter)
      if (this.#filters.length > FILTERS_MAX) this.#forget(this.#filters.shift() as Filter)
    }
    filter.changes++
    filter.seq = Math.max(filter.seq, seq)
    for (let at = 0; at < BITS_PER_TAG; at++) {
      const bit = bitOf(key, at)
      filter.bits[bit >>> 5] = (filter.bits[bit >>> 5] as number) | (1 << (bit & 31))
    }
  }

  isChangedSince(key: number, seq: number): boolean {
    if (seq < this.#forgottenSeq) return true
    for (const filter of this.#filters) if (filter.seq > seq && hasKey(filter, key)) return true
    return false
  }

  #forget({ seq }: Filter): void {
    this.#forgottenSeq = Math.max(this.#forgottenSeq, seq)
  }
}

function hasKey({ bits }: Filter, key: number): boolean {
  for (let at = 0; at < BITS_PER_TAG; at++) {
    const bit = bitOf(key, at)
    if (((bits[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false
  }
  return true
}

/** All that is known of a tag in its place, and so all that a filter can ask for. */
function keyOf(set: number, fingerprint: number): number {
  return (set << 16) | fingerprint
}

function setOf(hash: number): number {
  return hash % SETS
}

function fingerprintOf(hash: number): number {
  return (hash >>> 16) & 0xffff
}

function bitOf(key: number, at: number): number {
  const first = Math.imul(key ^ (key >>> 13), 0x2c1b3c6d)
  const step = Math.imul(key ^ (key >>> 9), 0x297a2d39) | 1
  return ((first ^ (first >>> 15)) + at * step) & (FILTER_BITS - 1)
}
