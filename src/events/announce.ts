/**
 * Says through the queue what a commit has left to be done, soon after it and off its caller's path. While one announcement
 * is under way further ones are gathered into the next. Nothing depends on it: what is not announced, the sweep finds.
 */

/** Of one round: as one JSON text they stay far below what D1 takes. */
const ROUND_MAX = 500
/** Beyond this many the sweep is told of nothing: it finds them by itself. */
const WAITING_MAX = 50_000

export class Announcer {
  readonly #announce: (customerIds: string[]) => Promise<void>
  #waiting = new Set<string>()
  #running = false

  /** `announce` must not throw. */
  constructor(announce: (customerIds: string[]) => Promise<void>) {
    this.#announce = announce
  }

  /** Customers whose changes have just been committed. */
  add(customerIds: Iterable<string>): void {
    for (const customerId of customerIds) if (this.#waiting.size < WAITING_MAX) this.#waiting.add(customerId)
    void this.#run()
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.#waiting.size > 0) {
      const customerIds: string[] = []
      for (const customerId of this.#waiting) {
        if (customerIds.length === ROUND_MAX) break
        customerIds.push(customerId)
        this.#waiting.delete(customerId)
      }
      await this.#announce(customerIds)
    }
    this.#running = false
  }
}
