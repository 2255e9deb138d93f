/**
 * Runs the look-ups and transactions of a gate's imports one after the other, however many chunks its tenant sends at
 * once, and leaves the database to others after each for which it waited. So a small request of another tenant waits for one
 * piece of an import, not for one at each of its own steps, and an import that is alone does not wait for anybody.
 */
import type { Clock } from '../../shared/clock.ts'

/** The longest pause. */
const PAUSE_MAX_MS = 20
/** Clocks show whole milliseconds, at the beginning, at the end and of D1's work. A piece that waited no longer has met nobody. */
const WAIT_FREE_MS = 3
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
 * Returns how long to leave D1 to others after a piece: as long as the piece kept D1, if it found others there. During the trip
 * of the next piece D1 is theirs anyway. Pure.
 */
export function pauseMsAfter({ tookMs, workedMs }: PieceTimes, usualTripMs: number): number {
  const waitedMs = tookMs - workedMs - usualTripMs
  if (waitedMs <= WAIT_FREE_MS) return 0
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
      return pauseMsAfter(times, this.#trip.ms ?? 0)
    }
    this.#last = turn.then(workedMs).then(pause, () => pause(null))
    return turn
  }
}
