/**
 * The parts of the models of this folder: a seeded generator, an agenda of future events in simulated milliseconds, a
 * network, and the meter that compares admissions with burst + rate × T. Nothing here depends on the gate.
 */

/** Random numbers in [0, 1), and values made of them. */
export interface Dice {
  (): number
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  oneOf<T>(choices: readonly T[]): T
}

/** A small seeded generator (mulberry32): the same seed, the same run. */
export function seeded(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return Object.assign(next, {
    whole: (low: number, high: number) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability: number) => next() < probability,
    oneOf: <T>(choices: readonly T[]) => choices[Math.floor(next() * choices.length)] as T,
  })
}

/** Future events, the next one first. */
export class Agenda {
  #heap: { atMs: number; order: number; run: () => void }[] = []
  #order = 0
  nowMs = 0

  at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run }
    const heap = this.#heap
    let child = heap.length
    heap.push(entry)
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (this.#before(heap[parent] as typeof entry, entry)) break
      heap[child] = heap[parent] as typeof entry
      child = parent
    }
    heap[child] = entry
  }

  /** Runs the next event. Returns false if there is none. */
  step(): boolean {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last) return false
    if (heap.length > 0) {
      let parent = 0
      for (;;) {
        let child = 2 * parent + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && this.#before(heap[child + 1] as typeof last, heap[child] as typeof last)) child++
        if (this.#before(last, heap[child] as typeof last)) break
        heap[parent] = heap[child] as typeof last
        parent = child
      }
      heap[parent] = last
    }
    this.nowMs = first.atMs
    first.run()
    return true
  }

  #before(a: { atMs: number; order: number }, b: { atMs: number; order: number }): boolean {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  }
}

/** Carries calls through a faulty network: a message may be late, lost or delivered twice, and so be overtaken. */
export class Network {
  readonly #agenda: Agenda
  readonly #dice: Dice
  readonly #delayMaxMs: number
  readonly #lossShare: number
  readonly #doubleShare: number

  constructor(agenda: Agenda, dice: Dice, faults: { delayMaxMs: number; lossShare: number; doubleShare: number }) {
    this.#agenda = agenda
    this.#dice = dice
    this.#delayMaxMs = faults.delayMaxMs
    this.#lossShare = faults.lossShare
    this.#doubleShare = faults.doubleShare
  }

  /** `serve` returns undefined if the callee has died; `fail` is called if no response came in time. */
  send<T>(serve: () => T | undefined, receive: (reply: T) => void, fail: () => void): void {
    let answered = false
    this.#carry(() => {
      const reply = serve()
      if (reply === undefined) return
      this.#carry(() => {
        answered = true
        receive(reply)
      })
    })
    this.#agenda.at(this.#agenda.nowMs + this.#delayMaxMs * 4 + 400, () => {
      if (!answered) fail()
    })
  }

  #carry(arrive: () => void): void {
    const dice = this.#dice
    const copies = dice.chance(this.#lossShare) ? 0 : dice.chance(this.#doubleShare) ? 2 : 1
    for (let copy = copies; copy > 0; copy--) {
      const delayMs = dice.whole(1, this.#delayMaxMs) * (dice.chance(0.03) ? 6 : 1)
      this.#agenda.at(this.#agenda.nowMs + delayMs, arrive)
    }
  }
}

interface Allowed {
  ratePerSecond: number
  burst: number
  untilMs: number
}

/**
 * A token bucket that only watches. It is exact: admissions stay within burst + rate × T over every interval if and
 * only if its level never falls below zero. While a change of limits is under way the larger of both is allowed.
 */
export class Meter {
  /** The most permits that the admissions ever were above the envelope. */
  excess = 0
  #level: number
  #atMs: number
  #allowed: Allowed[]

  constructor(ratePerSecond: number, burst: number, nowMs = 0) {
    this.#allowed = [{ ratePerSecond, burst, untilMs: Number.POSITIVE_INFINITY }]
    this.#level = burst
    this.#atMs = nowMs
  }

  /** Sets new limits; those before stay allowed for `waitMs` more. */
  change(ratePerSecond: number, burst: number, waitMs: number, nowMs: number): void {
    this.#refill(nowMs)
    for (const allowed of this.#allowed) allowed.untilMs = Math.min(allowed.untilMs, nowMs + waitMs)
    this.#allowed.push({ ratePerSecond, burst, untilMs: Number.POSITIVE_INFINITY })
    this.#refill(nowMs)
  }

  /** Returns false if this admission is one too many. It is counted either way. */
  admit(nowMs: number): boolean {
    this.#refill(nowMs)
    this.#level -= 1
    this.excess = Math.max(this.excess, -this.#level)
    return this.#level > -1e-6
  }

  /** Acts as a central bucket that is reached without delay: refuses excess requests and does not count them. */
  police(nowMs: number): boolean {
    this.#refill(nowMs)
    if (this.#level < 1) return false
    this.#level -= 1
    return true
  }

  #refill(nowMs: number): void {
    while (this.#allowed.length > 1) {
      const untilMs = Math.min(...this.#allowed.map((allowed) => allowed.untilMs))
      if (untilMs > nowMs) break
      this.#fill(untilMs)
      this.#allowed = this.#allowed.filter((allowed) => allowed.untilMs > untilMs)
    }
    this.#fill(nowMs)
  }

  #fill(nowMs: number): void {
    let rate = 0
    let burst = 0
    for (const allowed of this.#allowed) {
      rate = Math.max(rate, allowed.ratePerSecond)
      burst = Math.max(burst, allowed.burst)
    }
    this.#level = Math.min(burst, this.#level + (rate * Math.max(0, nowMs - this.#atMs)) / 1_000)
    this.#atMs = Math.max(this.#atMs, nowMs)
  }
}
