/**
 * Counts and times the calls of one request to the gate, KV and D1. Plain numbers, no clock: callers measure. A request
 * may make calls after it has been answered and counted, to renew a lease or to stream. Those late calls are passed on
 * to where the request was counted.
 */

export const DEPENDENCIES = ['gate', 'kv', 'd1'] as const
export type Dependency = (typeof DEPENDENCIES)[number]

export interface Calls {
  calls: number
  durationMs: number
}

/** Shared, because most requests make no calls. */
const NO_CALLS: Readonly<Calls> = { calls: 0, durationMs: 0 }

export class IoTimes {
  gate = NO_CALLS
  kv = NO_CALLS
  d1 = NO_CALLS
  /** True until the first call. */
  isIdle = true
  /** How long the request waited for its admission; 0 when the lease could decide. */
  admitMs = 0
  /** Receives calls that end after the request was counted; null until then. */
  late: { addCall(dependency: Dependency, durationMs: number): void } | null = null

  addCall(dependency: Dependency, durationMs: number): void {
    if (this.late) {
      this.late.addCall(dependency, durationMs)
      return
    }
    this.isIdle = false
    const known = this[dependency]
    this[dependency] = { calls: known.calls + 1, durationMs: known.durationMs + durationMs }
  }
}

/**
 * Returns the value of a Server-Timing header. Parallel calls each count in full, so the parts may exceed the total. No
 * part has CPU time, because the clock of a Worker stands still between one I/O and the next.
 */
export function serverTiming(io: IoTimes | null, totalMs: number): string {
  const total = `total;dur=${totalMs}`
  if (!io) return total
  const parts = DEPENDENCIES.map((name) => `${name};dur=${io[name].durationMs}`).join(', ')
  return `admit;dur=${io.admitMs}, ${parts}, ${total}`
}
