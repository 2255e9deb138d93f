/**
 * Runs the look-ups and transactions of a gate's imports one after the other, however many chunks its tenant sends at
 * once, and leaves the database to others for as long after each as it kept it. So a small request of another tenant waits for
 * one piece of an import, not for one at each of its own steps. The trips count: while a piece is on its way, D1 is free.
 */
import type { Clock } from '../../shared/clock.ts'

/** The longest pause. */
const PAUSE_MAX_MS = 20
/** A connection that has become slower is a usual one after a while. D1 that others keep busy is not until minutes later. */
const TRIP_RISE_MS = 0.01

/** How long a piece took, and how long D1 worked on it by its own clock. */
export interface PieceTimes {
  tookMs: number
  workedMs: number
}

/** The trip to D1 and back as it is while nobody else waits for D1. */
export class UsualTrip {
  #ms: number | null = null

  get ms(): number | null {
    return this.#ms
  }

  note({ tookMs, workedMs }: PieceTimes): void {
    const tripMs = Math.max(0, tookMs - workedMs)
    this.#ms = this.#ms === null ? tripMs : Math.min(tripMs, this.#ms + TRIP_RISE_MS)
  }
}

/**
 * Returns how long to leave D1 to others after a piece: as long as the piece kept D1 or waited for it. During the trip of the
 * next piece D1 is theirs anyway. To pause only after a piece that had to wait is not enough: others of the same isolate and
 * database then wait behind each piece in turn. Pure.
 */
export function pauseMsAfter(tookMs: number, usualTripMs: number): number {
  return Math.min(PAUSE_MAX_MS, Math.max(0, tookMs - usualTripMs - usualTripMs))
}

export interface ImportTurnPorts {
  clock: Clock
  sleep(ms: number): Promise<unknown>
}

export class ImportTurns {
  readonly #ports: ImportTurnPorts
  readonly #trip = new UsualTrip()
  /** Resolves when the last piece has ended, with the pause that follows. */
  #last: Promise<number> = Promise.resolve(0)

  constructor(ports: ImportTurnPorts) {
    this.#ports = ports
  }

  /**
   * Runs the piece in its turn. Settles as the piece does. `workedMs` reads from its result how long D1 worked on it; null if
   * that is unknown.
   */
  take<T>(piece: () => Promise<T>, workedMs: (result: T) => Promise<number | null> | number | null): Promise<T> {
    const { clock, sleep } = this.#ports
    let startedAtMs = 0
    const turn = this.#last
      .then((pauseMs) => (pauseMs > 0 ? sleep(pauseMs) : undefined))
      .then(() => {
        startedAtMs = clock()
        return piece()
      })
    const pause = (workedMs: number | null) => {
      const times = { tookMs: clock() - startedAtMs, workedMs: workedMs ?? 0 }
      if (workedMs !== null) this.#trip.note(times)
      return pauseMsAfter(times.tookMs, this.#trip.ms ?? 0)
    }
    this.#last = turn.then(workedMs).then(pause, () => pause(null))
    return turn
  }
}
