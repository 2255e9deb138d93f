/**
 * Estimates D1's time from D1's responses. Deadlines of statements, ids of changes and time stamps are made from it,
 * because D1 judges the deadlines and callers sort by the ids. Pure: both clocks are handed in.
 */
export class D1Clock {
  #d1Ms: number | null = null
  #observedAtMs = 0

  /**
   * Takes the time of a response of D1, received at `ownMs` by the gate's own clock. The first response replaces the
   * gate's clock. A later one only raises the time, because ids must not go back.
   */
  observe(d1Ms: number, ownMs: number): void {
    if (this.#d1Ms !== null && d1Ms <= this.now(ownMs)) return
    this.#d1Ms = d1Ms
    this.#observedAtMs = ownMs
  }

  /**
   * Returns the latest time received plus the own time that has passed since. Returns the own time until D1 has
   * responded once.
   */
  now(ownMs: number): number {
    return this.#d1Ms === null ? ownMs : Math.round(this.#d1Ms + Math.max(0, ownMs - this.#observedAtMs))
  }
}
