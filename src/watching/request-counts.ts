/**
 * What an isolate did, added up: one row for each tenant, mode, route and class of status, whatever the number of requests.
 * Pure: counting a request adds to some numbers in a plain object, and `take` hands the rows over as points for Analytics
 * Engine. Labels are the registry's and the router's own words, never a caller's, so there is a bounded number of rows and
 * nothing personal in them.
 */
import type { Scope } from '../registry/customer.ts'
import type { ReadSource } from '../registry/ports.ts'
import { ASKED, type Asked, type Calls, type IoTimes } from './io-times.ts'

/** Which of Roster's routes, in the router's words; `route` has the method before the pattern. */
export interface RouteLabel {
  door: string
  route: string
}

/** An answered request. */
export interface Answered {
  /** Null: the caller is no tenant, or none that is known. */
  scope: Scope | null
  label: RouteLabel
  status: number
  /** Null where no customer was read. */
  source: ReadSource | null
  durationMs: number
  io: IoTimes | null
}

/** As `writeDataPoint` takes it. docs/watching.md names each place. */
export interface Point {
  indexes: [string]
  blobs: string[]
  doubles: number[]
}

/** Upper bounds of the buckets that durations are counted in. The first is what was answered without any I/O. */
export const DURATION_BOUNDS_MS = [0, 10, 30, 100, 300, 1_000, Number.POSITIVE_INFINITY] as const

/** Stands where there is no tenant. */
const NOBODY = 'none'
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

class Row {
  readonly key: string
  readonly labels: [tenant: string, mode: string, door: string, route: string, statusClass: string]
  readonly #counts: RequestCounts
  requests = 0
  readonly from: Record<ReadSource, number> = { memory: 0, kv: 0, d1: 0 }
  readonly asked: Record<Asked, Calls> = {
    gate: { calls: 0, durationMs: 0 },
    kv: { calls: 0, durationMs: 0 },
    d1: { calls: 0, durationMs: 0 },
  }
  durationMs = 0
  durationMaxMs = 0
  readonly byDuration = DURATION_BOUNDS_MS.map(() => 0)

  constructor(key: string, labels: Row['labels'], counts: RequestCounts) {
    this.key = key
    this.labels = labels
    this.#counts = counts
  }

  /** A call that ended after its request was counted: this row may have been taken by then. */
  addCall(asked: Asked, durationMs: number): void {
    const { asked: into } = this.#counts.rowLike(this)
    into[asked].calls++
    into[asked].durationMs += durationMs
  }

  toPoint(): Point {
    const [tenant, ...blobs] = this.labels
    const { gate, kv, d1 } = this.asked
    return {
      indexes: [tenant],
      blobs,
      doubles: [
        this.requests,
        this.from.memory,
        this.from.kv,
        this.from.d1,
        gate.calls,
        kv.calls,
        d1.calls,
        this.durationMs,
        this.durationMaxMs,
        gate.durationMs,
        kv.durationMs,
        d1.durationMs,
        ...this.byDuration,
      ],
    }
  }
}

export class RequestCounts {
  #rows = new Map<string, Row>()

  /** Rows that are held. */
  get size(): number {
    return this.#rows.size
  }

  count({ scope, label, status, source, durationMs, io }: Answered): void {
    const statusClass = CLASSES[Math.floor(status / 100) - 1] ?? '5xx'
    const tenant = scope?.tenantId ?? NOBODY
    const mode = scope?.mode ?? NOBODY
    const key = `${tenant} ${mode} ${statusClass} ${label.door} ${label.route}`
    const row = this.#rows.get(key) ?? this.#open(key, [tenant, mode, label.door, label.route, statusClass])
    row.requests++
    if (source !== null) row.from[source]++
    row.durationMs += durationMs
    if (durationMs > row.durationMaxMs) row.durationMaxMs = durationMs
    const bucket = DURATION_BOUNDS_MS.findIndex((boundMs) => durationMs <= boundMs)
    row.byDuration[bucket] = (row.byDuration[bucket] ?? 0) + 1
    if (!io) return
    for (const name of ASKED) {
      row.asked[name].calls += io[name].calls
      row.asked[name].durationMs += io[name].durationMs
    }
    io.late = row
  }

  /** Hands over the oldest rows, at most `pointsMax`, and forgets them. */
  take(pointsMax: number): Point[] {
    const points: Point[] = []
    for (const [key, row] of this.#rows) {
      if (points.length === pointsMax) break
      points.push(row.toPoint())
      this.#rows.delete(key)
    }
    return points
  }

  /** The row that now counts what `row` counted. */
  rowLike(row: Row): Row {
    return this.#rows.get(row.key) ?? this.#open(row.key, row.labels)
  }

  #open(key: string, labels: Row['labels']): Row {
    const row = new Row(key, labels, this)
    this.#rows.set(key, row)
    return row
  }
}
