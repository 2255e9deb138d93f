/**
 * The permits of one chunk of an import. It pays for its lines first, and then for the D1 statements that they turn out to
 * take.
 */
import { BULK_BOUNDS, importPermits } from '../../registry/bulk.ts'
import { RegistryError } from '../../registry/errors.ts'
import type { Clock } from '../../shared/clock.ts'
import type { GateCore } from '../core/gate-core.ts'
import { failureOf, limitsOf } from '../core/write-admission.ts'
import type { ImportRequest } from '../protocol/imports.ts'
import type { LimitState } from '../protocol/writes.ts'
import { admitSender } from './sender-admission.ts'

export class ChunkPermits {
  readonly #request: ImportRequest
  readonly #core: GateCore
  readonly #clock: Clock
  /** The cost of the chunk as determined so far, and the permits taken of it. */
  #permits: number
  #permitsPaid: number
  /** Null before the first permit was asked for. */
  #limits: LimitState | null = null
  /** Tickets of the permits that no intent has counted yet. */
  #tickets: number[] = []
  /** D1 statements so far: those that are paid for, and those that are sent, which are more while D1 is slow. */
  #statements = { priced: 0, sent: 0 }

  constructor(request: ImportRequest, core: GateCore, clock: Clock) {
    this.#request = request
    this.#core = core
    this.#clock = clock
    this.#permits = request.permits
    this.#permitsPaid = request.permitsPaid
  }

  /** The permits as the reply has them. At least one must have been asked for. */
  get state(): { limits: LimitState; permits: number; permitsPaid: number } {
    if (!this.#limits) throw new Error('no permit was asked for')
    return { limits: this.#limits, permits: this.#permits, permitsPaid: this.#permitsPaid }
  }

  /** Asks for one permit. */
  take(): ReturnType<typeof admitSender> {
    const admission = admitSender(this.#core, this.#request, this.#clock())
    this.#limits = limitsOf(admission)
    if (!admission.admitted) return admission
    if (admission.ticket !== null) this.#tickets.push(admission.ticket)
    this.#permitsPaid++
    return admission
  }

  /** Takes permits until the chunk has paid for this many. Throws `RegistryError` when there are none. */
  pay(permits: number): void {
    this.#permits = Math.max(this.#permits, permits)
    while (this.#permitsPaid < this.#permits) {
      const admission = this.take()
      if (!admission.admitted) throw new RegistryError(failureOf(admission.reason, admission.retryAfterMs))
    }
  }

  /**
   * Returns whether so many D1 statements may follow, and pays for them. A chunk that lacks permits and has no
   * result yet is sent again by the isolate (throws `RegistryError`). If some of its lines are done (`hasResults`), the
   * others are not done.
   */
  affords(further: { priced: number; sent: number }, hasResults: boolean): boolean {
    const priced = this.#statements.priced + further.priced
    const sent = this.#statements.sent + further.sent
    if (Math.max(priced, sent) > BULK_BOUNDS.statementsMax) return false
    try {
      this.pay(importPermits(this.#request.lines.length, priced))
    } catch (error) {
      const isShort = error instanceof RegistryError && error.failure.reason === 'rate_limited'
      if (!isShort || !hasResults) throw error
      return false
    }
    this.#statements = { priced, sent }
    return true
  }

  /** Returns the tickets that no intent has counted yet, once. */
  takeTickets(): number[] {
    return this.#tickets.splice(0)
  }
}
