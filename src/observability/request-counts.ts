/**
 * Adds up the requests of an isolate: one row for each tenant, mode, route and class of status, whatever the number of
 * requests. Pure: counting adds to numbers in a plain object, and `take` returns the rows as points for Analytics
 * Engine. Labels come from the registry and the router, never from a caller, so the number of rows is bounded and they
 * hold no personal data.
 */
import type { Scope } from '../registry/customer.ts'
import type { ReadSource } from '../registry/ports.ts'
import { type Calls, DEPENDENCIES, type Dependency, type IoTimes } from './io-times.ts'

/** A route of Roster as the router names it; `route` has the method before the pattern. */
export interface RouteLabel {
  api: string
  route: string
}

/** An answered request. */
export interface CountedResponse {
  /** Tenant and mode; null when the caller is not a tenant or was not recognised. */
  scope: Scope | null
  label: RouteLabel
  status: number
  /** Source of the customer; null when none was read. */
  source: ReadSource | null
  startedAtMs: number
  io: IoTimes | null
}

/** A point as `writeDataPoint` takes it. docs/observability.md names each field. */
export interface Point {
  indexes: [string]
  blobs: string[]
  doubles: number[]
}

/** Upper bounds of the latency buckets. The first holds requests that needed no I/O. */
export const DURATION_BOUNDS_MS = [0, 10, 30, 100, 300, 1_000, Number.POSITIVE_INFINITY] as const

/** Label of rows without a tenant. */
const NOBODY = 'none'
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
type StatusClass = (typeof CLASSES)[number]

class Row {
  readonly labels: [tenant: string, mode: string, api: string, route: string, statusClass: StatusClass]
  readonly #counts: RequestCounts
  requests = 0
  readonly from: Record<ReadSource, number> = { memory: 0, kv: 0, d1: 0 }
  readonly calls: Record<Dependency, Calls> = {
    gate: { calls: 0, durationMs: 0 },
    kv: { calls: 0, durationMs: 0 },
    d1: { calls: 0, durationMs: 0 },
  }
  durationMs = 0
  durationMaxMs = 0
  readonly byDuration = DURATION_BOUNDS_MS.map(() => 0)

  constructor(labels: Row['labels'], counts: RequestCounts) {
    this.labels = labels
    this.#counts = counts
  }

  /** Counts a call that ended after its request was counted. This row may have been taken by then. */
  addCall(dependency: Dependency, durationMs: number): void {
    const { calls: into } = this.#counts.rowLike(this)
    into[dependency].calls++
    into[dependency].durationMs += durationMs
  }

  toPoint(): Point {
    const [tenant, ...blobs] = this.labels
    const { gate, kv, d1 } = this.calls
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

/** The rows of one route and tenant, by `placeOf`. */
type Rows = (Row | undefined)[]

export class RequestCounts {
  /** In the order in which they were opened. */
  readonly #rows = new Set<Row>()
  /** By route, then tenant: a combined key would have to be built for each request. */
  readonly #byRoute = new Map<string, Map<string, Rows>>()

  /** Number of rows. */
  get size(): number {
    return this.#rows.size
  }

  count({ scope, label, status, source, startedAtMs, io }: CountedResponse, nowMs: number): void {
    const { api, route } = label
    const row = this.#row(scope?.tenantId ?? NOBODY, scope?.mode ?? NOBODY, api, route, classOf(status))
    row.requests++
    if (source !== null) row.from[source]++
    const durationMs = nowMs - startedAtMs
    row.durationMs += durationMs
    if (durationMs > row.durationMaxMs) row.durationMaxMs = durationMs
    let bucket = 0
    while (durationMs > (DURATION_BOUNDS_MS[bucket] ?? 0)) bucket++
    row.byDuration[bucket] = (row.byDuration[bucket] ?? 0) + 1
    if (!io) return
    io.late = row
    if (io.isIdle) return
    for (const name of DEPENDENCIES) {
      row.calls[name].calls += io[name].calls
      row.calls[name].durationMs += io[name].durationMs
    }
  }

  /** Removes and returns the oldest rows, at most `pointsMax`. */
  take(pointsMax: number): Point[] {
    const points: Point[] = []
    for (const row of this.#rows) {
      if (points.length === pointsMax) break
      points.push(row.toPoint())
      this.#rows.delete(row)
      const [tenant, mode, , route, statusClass] = row.labels
      this.#rowsOf(route, tenant)[placeOf(mode, statusClass)] = undefined
    }
    if (this.#rows.size === 0) this.#byRoute.clear()
    return points
  }

  /** Returns the current row with the labels of `row`. */
  rowLike(row: Row): Row {
    return this.#row(...row.labels)
  }

  #row(tenant: string, mode: string, api: string, route: string, statusClass: StatusClass): Row {
    const rows = this.#rowsOf(route, tenant)
    const place = placeOf(mode, statusClass)
    const known = rows[place]
    if (known) return known
    const row = new Row([tenant, mode, api, route, statusClass], this)
    rows[place] = row
    this.#rows.add(row)
    return row
  }

  #rowsOf(route: string, tenant: string): Rows {
    const known = this.#byRoute.get(route)?.get(tenant)
    if (known) return known
    const rows: Rows = []
    const tenants = this.#byRoute.get(route) ?? new Map<string, Rows>()
    this.#byRoute.set(route, tenants.set(tenant, rows))
    return rows
  }
}

function classOf(status: number): StatusClass {
  return CLASSES[Math.floor(status / 100) - 1] ?? '5xx'
}

function placeOf(mode: string, statusClass: StatusClass): number {
  return CLASSES.indexOf(statusClass) + CLASSES.length * (mode === 'live' ? 0 : mode === 'test' ? 1 : 2)
}
