/**
 * Enqueues the deliveries that a commit has made due, soon after the commit and outside of its caller's request. While
 * one round is being sent, further customers are gathered for the next. Correctness does not depend on it: the sweep
 * finds customers that were not enqueued.
 */

/** Customers in one round. A tenant with many endpoints has many deliveries for each, and D1 does nothing else meanwhile. */
const ROUND_MAX = 50
/** Customers waiting at most. The sweep finds those beyond this number. */
const WAITING_MAX = 50_000

export class DeliveryEnqueuer {
  readonly #enqueueDeliveries: (customerIds: string[]) => Promise<void>
  #waiting = new Set<string>()
  #running = false

  /** `enqueueDeliveries` must not throw. */
  constructor(enqueueDeliveries: (customerIds: string[]) => Promise<void>) {
    this.#enqueueDeliveries = enqueueDeliveries
  }

  /** Adds customers whose changes have just been committed. */
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
      await this.#enqueueDeliveries(customerIds)
    }
    this.#running = false
  }
}
