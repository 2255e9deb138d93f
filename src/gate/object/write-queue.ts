/**
 * Group commit: writes that arrive during a batch go into the next one. So many writers share one trip to D1, and a
 * lone writer does not wait. Each item gets its own result. The work of a batch is handed in. Work that must not race
 * with a batch gets a turn of its own.
 */

/**
 * A batch is one transaction of some 0.1 ms a write; a longer one delays the readers of the primary. The dearest one, of erasures
 * with a key that are each tried again after a refusal, stays below the queries that D1 allows an invocation.
 */
const BATCH_ITEMS_MAX = 56
/** The bytes of a batch, unless its first item has more: so that a few of the largest changes are as short as many others. */
const BATCH_BYTES_MAX = 32 * 1024

interface Queued<Item, Result> {
  item: Item
  bytes: number
  resolve(result: Result | Promise<Result>): void
  reject(error: unknown): void
}

/** Must not reject. */
type Work = () => Promise<void>

export class WriteQueue<Item, Result> {
  readonly #commit: (items: Item[]) => Promise<(Result | Promise<Result>)[]>
  #waiting: (Queued<Item, Result> | Work)[] = []
  #running = false
  #underWay: Promise<unknown> = Promise.resolve()

  /**
   * `commit` returns one result for each item, in their order. The next batch does not wait for results that are
   * promises.
   */
  constructor(commit: (items: Item[]) => Promise<(Result | Promise<Result>)[]>) {
    this.#commit = commit
  }

  /** `bytes`: the size of the item, which counts for how many of them share a batch. */
  add(item: Item, bytes: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject })
      void this.#run()
    })
  }

  /** Runs `work` in its turn, while no batch is under way. It must not wait for another turn. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject))
      void this.#run()
    })
  }

  /** Resolves when the batch now under way has ended, if there is one. */
  async idle(): Promise<void> {
    await this.#underWay
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch()
      if (batch.length === 0) {
        this.#underWay = (this.#waiting.shift() as Work)()
        await this.#underWay
        continue
      }
      try {
        const committed = this.#commit(batch.map(({ item }) => item))
        this.#underWay = committed.catch(() => undefined)
        const results = await committed
        for (const [at, { resolve }] of batch.entries()) resolve(results[at] as Result | Promise<Result>)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = false
  }

  /** Takes the items before the next turn of its own; none if that one is first. */
  #nextBatch(): Queued<Item, Result>[] {
    const batch: Queued<Item, Result>[] = []
    let bytes = 0
    for (const waiting of this.#waiting.slice(0, BATCH_ITEMS_MAX)) {
      if (typeof waiting === 'function') break
      bytes += waiting.bytes
      if (batch.length > 0 && bytes > BATCH_BYTES_MAX) break
      batch.push(waiting)
    }
    this.#waiting.splice(0, batch.length)
    return batch
  }
}
