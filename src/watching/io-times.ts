/**
 * What one request waited for: how often it asked the gate, KV and D1, and for how long. Plain numbers, no clock: whoever
 * asks measures. A request may go on asking when it has been answered and counted (it renews a lease, it streams); what
 * comes so late is passed on to where it was counted.
 */

export const ASKED = ['gate', 'kv', 'd1'] as const
export type Asked = (typeof ASKED)[number]

export interface Calls {
  calls: number
  durationMs: number
}

export class IoTimes {
  readonly gate: Calls = { calls: 0, durationMs: 0 }
  readonly kv: Calls = { calls: 0, durationMs: 0 }
  readonly d1: Calls = { calls: 0, durationMs: 0 }
  /** True as long as nothing was asked. */
  isIdle = true
  /** How long the request waited for the decision to admit it; 0 when the lease could decide. */
  admitMs = 0
  /** Takes what comes after the request was counted; null until then. */
  late: { addCall(asked: Asked, durationMs: number): void } | null = null

  addCall(asked: Asked, durationMs: number): void {
    if (this.late) {
      this.late.addCall(asked, durationMs)
      return
    }
    this.isIdle = false
    this[asked].calls++
    this[asked].durationMs += durationMs
  }
}

/**
 * The value of a Server-Timing header. What ran side by side is in each of its own, so the parts may come to more than the
 * total; CPU time is in none, because the clock of a Worker stands still between one I/O and the next.
 */
export function serverTiming(io: IoTimes | null, totalMs: number): string {
  const total = `total;dur=${totalMs}`
  if (!io) return total
  const asked = ASKED.map((name) => `${name};dur=${io[name].durationMs}`).join(', ')
  return `admit;dur=${io.admitMs}, ${asked}, ${total}`
}
