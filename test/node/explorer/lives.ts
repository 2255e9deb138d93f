/**
 * Code that awaits, as a part of a state. It cannot be copied half-way, so it is known by its life: how it began and what has
 * happened to it since, in order. The same life always leads to the same place, so it is run again from its beginning when it
 * is to go on, and where it stands is remembered.
 */
import { NotYet } from './search.ts'

/** Something that may happen: an event of its own kind, or the answer to a call. Numbers only. */
export type Happened = readonly [kind: number, a: number, b: number, nowMs: number]

export interface Life {
  /** The number of its beginning. */
  from: number
  startMs: number
  happened: readonly Happened[]
}

/** A call that waits for its answer. */
export interface Call<Asked> {
  /** Its place among all calls of the life. */
  call: number
  asked: Asked
}

/** Runs code of one life. `ask` is for the code: it resolves when the answer comes. */
export class Runner<Asked, Answer> {
  nowMs: number
  readonly waiting = new Map<number, { asked: Asked; resolve(answer: Answer): void; reject(error: Error): void }>()
  #calls = 0

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  ask(asked: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.set(this.#calls++, { asked, resolve, reject })
    })
  }

  answer(call: number, answer: Answer): void {
    const waiting = this.waiting.get(call)
    if (!waiting) throw new Error('nothing waits for this answer')
    this.waiting.delete(call)
    waiting.resolve(answer)
  }

  get calls(): Call<Asked>[] {
    return [...this.waiting].map(([call, { asked }]) => ({ call, asked }))
  }
}

/** Code of one life as it runs. */
export interface Running<Standing> {
  /** Lets the next thing happen to it. */
  happen(...happened: Happened): void
  /** Where it stands, once it waits. */
  standing(): Standing
}

/** How many lives are kept running, to go on from where they stand. */
const RUNNING_MAX = 1_500

/** The lives of one kind of code, each with where it stands. */
export class Lives<Standing> {
  readonly #lives: { life: Life; before: number | null }[] = []
  readonly #standings = new Map<number, Standing>()
  readonly #running = new Map<number, Running<Standing>>()
  readonly #begin: (from: number, startMs: number) => Running<Standing>
  readonly #known = new Map<string, number>()

  constructor(begin: (from: number, startMs: number) => Running<Standing>) {
    this.#begin = begin
  }

  get size(): number {
    return this.#lives.length
  }

  begin(from: number, startMs: number): number {
    return this.#id(`from ${from} ${startMs}`, null, () => ({ from, startMs, happened: [] }))
  }

  longer(id: number, ...happened: Happened): number {
    return this.#id(`${id} ${happened.join(' ')}`, id, () => {
      const { life } = this.#of(id)
      return { ...life, happened: [...life.happened, happened] }
    })
  }

  /** Returns when something happened to a life last. */
  lastMs(id: number): number {
    const { startMs, happened } = this.#of(id).life
    return happened.at(-1)?.[3] ?? startMs
  }

  /** Returns where a life stands. Throws `NotYet` until it was played. */
  standing(id: number): Standing {
    const known = this.#standings.get(id)
    if (known) return known
    throw new NotYet(this.#play(id))
  }

  async #play(id: number): Promise<void> {
    const { life, before } = this.#of(id)
    let running = before === null ? undefined : this.#running.get(before)
    if (running && before !== null) {
      // One life is lived on. Others that have the same beginning are played from there.
      this.#running.delete(before)
      running.happen(...(life.happened.at(-1) as Happened))
      await untilItWaits()
    } else {
      running = this.#begin(life.from, life.startMs)
      await untilItWaits()
      for (const happened of life.happened) {
        running.happen(...happened)
        await untilItWaits()
      }
    }
    this.#standings.set(id, running.standing())
    this.#running.set(id, running)
    if (this.#running.size > RUNNING_MAX) this.#running.delete(this.#running.keys().next().value as number)
  }

  #of(id: number): { life: Life; before: number | null } {
    return this.#lives[id] as { life: Life; before: number | null }
  }

  #id(key: string, before: number | null, make: () => Life): number {
    let id = this.#known.get(key)
    if (id === undefined) {
      id = this.#lives.length
      this.#known.set(key, id)
      this.#lives.push({ life: make(), before })
    }
    return id
  }
}

/** Resolves when code that has got an answer has come to where it waits again. */
export function untilItWaits(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
