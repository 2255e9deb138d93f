/**
 * Group commit: what arrives while a batch is under way goes into the next one, so that many writers share one trip to D1
 * and a lone writer waits for nobody. Each item is answered on its own. What a batch does is handed in.
 */

/** A batch is one transaction of some 0.1 ms a write; a longer one keeps the readers of the primary waiting. */
const BATCH_ITEMS_MAX = 64

export class WriteQueue<Item, Result> {
  readonly #commit: (items: Item[]) => Promise<(Result | Promise<Result>)[]>
  #waiting: { item: Item; resolve: (result: Result | Promise<Result>) => void; reject: (error: unknown) => void }[] = []
  #running = false
  #underWay: Promise<unknown> = Promise.resolve()

  /** `commit` answers one result for each item, in their order; the next batch does not wait for a result that is a promise. */
  constructor(commit: (items: Item[]) => Promise<(Result | Promise<Result>)[]>) {
    this.#commit = commit
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      void this.#run()
    })
  }

  /** Ends when the batch under way now has ended, if there is one. */
  async idle(): Promise<void> {
    await this.#underWay
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_ITEMS_MAX)
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
}
