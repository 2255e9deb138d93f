/**
 * Runs the look-ups and transactions of a gate's imports one after the other, however many chunks its tenant sends at
 * once, and leaves the database to others for as long after each as it took. So a small request of another tenant waits for one
 * piece of an import, not for one at each of its own steps.
 */
import type { Clock } from '../../shared/clock.ts'

/** The longest pause. A piece that takes longer has waited for D1, which others keep busy. */
const PAUSE_MAX_MS = 20

export interface ImportTurnPorts {
  clock: Clock
  sleep(ms: number): Promise<unknown>
}

export class ImportTurns {
  readonly #ports: ImportTurnPorts
  /** Resolves when the last piece has ended, with the time that it took. */
  #last: Promise<number> = Promise.resolve(0)

  constructor(ports: ImportTurnPorts) {
    this.#ports = ports
  }

  /** Runs the piece in its turn. Settles as the piece does. */
  take<T>(piece: () => Promise<T>): Promise<T> {
    const { clock, sleep } = this.#ports
    let startedAtMs = 0
    const turn = this.#last
      .then((tookMs) => sleep(Math.min(Math.max(tookMs, 0), PAUSE_MAX_MS)))
      .then(() => {
        startedAtMs = clock()
        return piece()
      })
    const took = () => clock() - startedAtMs
    this.#last = turn.then(took, took)
    return turn
  }
}
