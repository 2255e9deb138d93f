/**
 * Visits every state that can be reached, breadth first, so the first violation has the fewest steps. It knows nothing of the
 * gate: a state is a vector of whole numbers, and the space says which vectors follow it.
 *
 * Whole vectors are compared, not fingerprints of them: no state is ever taken for another one. Of a state only its vector and
 * its predecessor are kept; the steps of a path are found again by expanding the states on it once more.
 */

/** Called for each step with the vector it leads to in `next`. The numbers name the step, for `Space.tell`. */
export type Reach = (kind: number, a: number, b: number) => void

export interface Space<Event> {
  /** Numbers of a state. */
  readonly width: number
  initial(): readonly number[]
  /** Where `expand` puts the state that a step leads to. */
  readonly next: Int32Array
  /** Set by `expand` before `reach`: the promise that this step breaks. `explore` takes it back to null. */
  violation: string | null
  /**
   * Calls `reach` for each step from the state at `at`. Throws `NotYet` if the result of real code that awaits is missing:
   * then it is called again.
   */
  expand(states: Int32Array, at: number, reach: Reach): void
  /** Returns the step from the state at `at` as an event. It is called in the order of the path, while `expand` reaches it. */
  tell(states: Int32Array, at: number, kind: number, a: number, b: number): Event
  /** Called before the first `tell` of a path. */
  beginPath(): void
}

/** Thrown by `Space.expand` where it needs a result that is ready only after `settled`. */
export class NotYet extends Error {
  readonly settled: Promise<void>

  constructor(settled: Promise<void>) {
    super('a result is not there yet')
    this.settled = settled
  }
}

export interface Found<Event> {
  violation: string
  /** The steps from the initial state on; the last one breaks the promise. */
  path: Event[]
}

export interface Explored<Event> {
  states: number
  steps: number
  /** The most steps that the shortest path to a state has. */
  depth: number
  /** False if the search ended at a violation or at `statesMax`: not every state was visited. */
  isExhausted: boolean
  found: Found<Event> | null
}

export interface Bounds {
  /** How many states there probably are: room for more is made when it is needed, at a cost. */
  statesHint?: number
  /** The search gives up beyond this. */
  statesMax?: number
  /** Called from time to time with the states that were found, and those of them that were expanded. */
  onProgress?(found: number, expanded: number): void
}

/** States that are expanded between two calls of `onProgress`. */
const PROGRESS_EVERY = 4_000_000

/** Visits all states of the space, or those up to the first violation. */
export async function explore<Event>(space: Space<Event>, bounds: Bounds = {}): Promise<Explored<Event>> {
  const { statesHint = 1 << 14, statesMax = Number.POSITIVE_INFINITY, onProgress } = bounds
  const { width, next } = space
  let room = statesHint + 2
  let states = new Int32Array(room * width)
  let parents = new Int32Array(room)
  let count = 0
  let steps = 0
  let expanded = 0
  let violation: string | null = null
  let mask = tableSize(room) - 1
  let table = new Int32Array(mask + 1).fill(-1)

  const grow = () => {
    room *= 2
    states = resized(states, room * width)
    parents = resized(parents, room)
    mask = tableSize(room) - 1
    table = new Int32Array(mask + 1).fill(-1)
    for (let index = 0; index < count; index++) {
      let slot = hashOf(states, index * width, width) & mask
      while (table[slot] !== -1) slot = (slot + 1) & mask
      table[slot] = index
    }
  }

  const reach: Reach = () => {
    steps++
    if (space.violation !== null) {
      violation ??= space.violation
      space.violation = null
      return
    }
    let slot = hashOf(next, 0, width) & mask
    for (let index = table[slot] as number; index !== -1; index = table[slot] as number) {
      let at = 0
      const from = index * width
      while (at < width && states[from + at] === next[at]) at++
      if (at === width) return
      slot = (slot + 1) & mask
    }
    table[slot] = count
    const to = count * width
    for (let at = 0; at < width; at++) states[to + at] = next[at] as number
    parents[count] = expanded
    count++
    if (count === room) grow()
  }

  next.set(space.initial())
  reach(0, 0, 0)
  steps = 0
  parents[0] = -1
  let depth = 0
  let layerEnd = 1
  for (expanded = 0; expanded < count && violation === null && count < statesMax; expanded++) {
    if (expanded % PROGRESS_EVERY === 0 && expanded > 0) onProgress?.(count, expanded)
    if (expanded === layerEnd) {
      depth++
      layerEnd = count
    }
    const before = steps
    for (let isDone = false; !isDone; ) {
      steps = before
      try {
        space.expand(states, expanded * width, reach)
        isDone = true
      } catch (error) {
        if (!(error instanceof NotYet)) throw error
        await error.settled
      }
    }
  }
  const isExhausted = violation === null && expanded === count
  const last = expanded - 1
  const found =
    violation === null ? null : { violation, path: pathTo(space, states, (index) => parents[index] as number, last) }
  return { states: count, steps, depth, isExhausted, found }
}

/** Returns the steps to the state with the index `last`, and from there the step that violates. */
function pathTo<Event>(
  space: Space<Event>,
  states: Int32Array,
  parentOf: (index: number) => number,
  last: number,
): Event[] {
  const { width, next } = space
  const indexes: number[] = []
  for (let index = last; index !== -1; index = parentOf(index)) indexes.unshift(index)
  const path: Event[] = []
  space.beginPath()
  indexes.forEach((index, place) => {
    const child = indexes[place + 1]
    let isFound = false
    space.expand(states, index * width, (kind, a, b) => {
      const isSought = child === undefined ? space.violation !== null : isAt(states, child * width, next)
      if (isSought && !isFound) {
        path.push(space.tell(states, index * width, kind, a, b))
        isFound = true
      }
      space.violation = null
    })
  })
  return path
}

function isAt(states: Int32Array, from: number, vector: Int32Array): boolean {
  return vector.every((value, at) => states[from + at] === value)
}

function hashOf(numbers: Int32Array, from: number, width: number): number {
  let hash = 0x2545f491
  for (let at = from; at < from + width; at++) {
    hash = Math.imul(hash ^ (numbers[at] as number), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash ^ (hash >>> 13)
}

/** At most half of a table of open addresses is full. */
function tableSize(room: number): number {
  return 2 ** Math.ceil(Math.log2(room * 2))
}

function resized(numbers: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length)
  larger.set(numbers)
  return larger
}
