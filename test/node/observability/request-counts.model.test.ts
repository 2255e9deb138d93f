/**
 * Tests that counts are exact: for any requests, and however often points are taken meanwhile, the sums are those of a
 * list of all requests.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DEPENDENCIES, type Dependency, IoTimes } from '../../../src/observability/io-times.ts'
import { DURATION_BOUNDS_MS, type Point, RequestCounts } from '../../../src/observability/request-counts.ts'
import type { ReadSource } from '../../../src/registry/ports.ts'

const ROUTES = [
  { api: 'v1', route: 'GET /v1/customers/:id' },
  { api: 'v1', route: 'ALL /v1/*' },
  { api: 'rpc', route: 'get' },
]

interface Call {
  dependency: Dependency
  durationMs: number
}
interface Request {
  tenantId: string | null
  mode: 'live' | 'test'
  label: (typeof ROUTES)[number]
  status: number
  source: ReadSource | null
  durationMs: number
  before: Call[]
  /** Calls that end when the request has been counted. */
  after: Call[]
}

const durationMs = fc.oneof(fc.constantFrom(0, 10, 11, 30, 100, 300, 1_000), fc.nat(20_000))
const call = fc.record({ dependency: fc.constantFrom(...DEPENDENCIES), durationMs })
const request: fc.Arbitrary<Request> = fc.record({
  tenantId: fc.constantFrom(null, 'tenant-1', 'tenant-2'),
  mode: fc.constantFrom('live', 'test'),
  label: fc.constantFrom(...ROUTES),
  status: fc.constantFrom(200, 201, 204, 304, 400, 404, 429, 500, 503),
  source: fc.constantFrom<ReadSource | null>('memory', 'kv', 'd1', null),
  durationMs,
  before: fc.array(call, { maxLength: 3 }),
  after: fc.array(call, { maxLength: 2 }),
})
/** Points are taken after the requests of a group. The calls that come late come after that. */
const groups = fc.array(fc.record({ requests: fc.array(request, { maxLength: 6 }), taken: fc.nat(5) }), {
  maxLength: 5,
})

it('counts the sums of a list, for any requests, calls that end late and points taken in between', () => {
  fc.assert(
    fc.property(groups, (steps) => {
      const counts = new RequestCounts()
      const points: Point[] = []
      for (const { requests, taken } of steps) {
        const ios = requests.map((asked) => countInto(counts, asked))
        points.push(...counts.take(taken))
        for (const [at, io] of ios.entries()) {
          for (const late of requests[at]?.after ?? []) io.addCall(late.dependency, late.durationMs)
        }
      }
      points.push(...counts.take(Number.POSITIVE_INFINITY))
      expect(counts.size).toBe(0)
      expect(sumsOf(points)).toEqual(naiveSums(steps.flatMap(({ requests }) => requests)))
    }),
    { numRuns: 300 },
  )
})

it('writes one point for any number of like requests, with their number', () => {
  const counts = new RequestCounts()
  const hot: Request = {
    tenantId: 'tenant-1',
    mode: 'live',
    label: ROUTES[0] as Request['label'],
    status: 200,
    source: 'memory',
    durationMs: 0,
    before: [],
    after: [],
  }
  for (let times = 0; times < 10_000; times++) countInto(counts, hot)
  countInto(counts, { ...hot, source: 'd1', durationMs: 42, before: [{ dependency: 'd1', durationMs: 41 }] })
  expect(counts.take(250)).toEqual([
    {
      indexes: ['tenant-1'],
      blobs: ['live', 'v1', 'GET /v1/customers/:id', '2xx'],
      doubles: [10_001, 10_000, 0, 1, 0, 0, 1, 42, 42, 0, 0, 41, 10_000, 0, 0, 1, 0, 0, 0],
    },
  ])
})

it('writes points with no more parts than Analytics Engine takes', () => {
  const counts = new RequestCounts()
  countInto(counts, { ...fc.sample(request, 1)[0], after: [] } as Request)
  const [point] = counts.take(1)
  expect(point?.blobs.length).toBeLessThanOrEqual(20)
  expect(point?.doubles.length).toBeLessThanOrEqual(20)
})

function countInto(
  counts: RequestCounts,
  { tenantId, mode, label, status, source, durationMs, before }: Request,
): IoTimes {
  const io = new IoTimes()
  for (const call of before) io.addCall(call.dependency, call.durationMs)
  const scope = tenantId === null ? null : ({ tenantId, mode } as const)
  counts.count({ scope, label, status, source, startedAtMs: 1_000, io }, 1_000 + durationMs)
  return io
}

/** Returns sums by label; the ninth number is a maximum. */
function sumsOf(points: Point[]): Record<string, number[]> {
  const sums: Record<string, number[]> = {}
  for (const { indexes, blobs, doubles } of points) {
    const key = [...indexes, ...blobs].join('|')
    const before = sums[key]
    sums[key] = before
      ? before.map((value, at) => (at === 8 ? Math.max(value, doubles[at] ?? 0) : value + (doubles[at] ?? 0)))
      : doubles
  }
  return sums
}

function naiveSums(requests: Request[]): Record<string, number[]> {
  const lists: Record<string, Request[]> = {}
  for (const one of requests) {
    const who = one.tenantId === null ? 'none|none' : `${one.tenantId}|${one.mode}`
    const key = `${who}|${one.label.api}|${one.label.route}|${String(one.status)[0]}xx`
    lists[key] = [...(lists[key] ?? []), one]
  }
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  return Object.fromEntries(
    Object.entries(lists).map(([key, list]) => {
      const calls = (dependency: Dependency) =>
        list.flatMap(({ before, after }) => [...before, ...after]).filter((c) => c.dependency === dependency)
      const bounds = [Number.NEGATIVE_INFINITY, ...DURATION_BOUNDS_MS]
      return [
        key,
        [
          list.length,
          ...(['memory', 'kv', 'd1'] as const).map((from) => list.filter(({ source }) => source === from).length),
          ...DEPENDENCIES.map((dependency) => calls(dependency).length),
          sum(list.map((one) => one.durationMs)),
          Math.max(...list.map((one) => one.durationMs)),
          ...DEPENDENCIES.map((dependency) => sum(calls(dependency).map((c) => c.durationMs))),
          ...DURATION_BOUNDS_MS.map(
            (bound, at) => list.filter((one) => one.durationMs > (bounds[at] ?? 0) && one.durationMs <= bound).length,
          ),
        ],
      ]
    }),
  )
}
