/** Tests the turns of a tenant's heavy reads, and of its imports, under virtual time: cancelled requests, pieces that hang or fail, and many at once. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inTurn, type TurnPorts, type Turns } from '../../../src/gate/isolate/turns.ts'
import { ImportTurns, pauseMsAfter, UsualTrip } from '../../../src/gate/object/import-turns.ts'
import { Agenda } from './discrete-events.ts'

/** A request with its pieces. `cancelledAtMs`: when the runtime drops it, without running another line of it. */
interface Drawn {
  startMs: number
  piecesMs: number[]
  cancelledAtMs: number | null
}

interface Ran {
  request: number
  fromMs: number
  toMs: number
}

async function simulate(requests: readonly Drawn[]) {
  const agenda = new Agenda()
  const turns: Turns = []
  const ran: Ran[] = []
  const endedAtMs = new Map<number, number>()
  let timers = 0
  const portsOf = ({ cancelledAtMs }: Drawn): TurnPorts => {
    const sleep = (ms: number) =>
      new Promise<void>((resolve) => {
        timers++
        const atMs = agenda.nowMs + ms
        if (cancelledAtMs === null || atMs < cancelledAtMs) agenda.at(atMs, resolve)
      })
    return { clock: () => agenda.nowMs, sleep, waitUntil: () => undefined }
  }
  for (const [request, drawn] of requests.entries()) {
    const ports = portsOf(drawn)
    agenda.at(drawn.startMs, async () => {
      for (const ms of drawn.piecesMs) {
        await inTurn(
          turns,
          async () => {
            ran.push({ request, fromMs: agenda.nowMs, toMs: agenda.nowMs + ms })
            await ports.sleep(ms)
          },
          ports,
        )
      }
      endedAtMs.set(request, agenda.nowMs)
    })
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  do await settle()
  while (agenda.step())
  return { ran, endedAtMs, turns, timers }
}

const request = fc.record({
  startMs: fc.integer({ min: 0, max: 300 }),
  piecesMs: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
  cancelledAtMs: fc.option(fc.integer({ min: 0, max: 500 }), { freq: 4 }),
})

it('runs one piece at a time, and every piece of a request that is not cancelled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), async (requests) => {
      const { ran, endedAtMs, turns } = await simulate(requests)
      for (const [at, { fromMs }] of ran.entries()) {
        const before = ran[at - 1]
        if (!before) continue
        const isCancelled = requests[before.request]?.cancelledAtMs !== null
        if (!isCancelled) expect(fromMs).toBeGreaterThanOrEqual(before.toMs)
      }
      const whole = requests.flatMap(({ cancelledAtMs }, at) => (cancelledAtMs === null ? [at] : []))
      for (const at of whole) expect(endedAtMs.has(at)).toBe(true)
      // Only tickets of cancelled requests are left, and the next request removes them.
      expect(turns.length).toBeLessThanOrEqual(requests.length - whole.length)
    }),
  )
})

it('serves requests one piece each in turn, not one request after the other', async () => {
  const long = { startMs: 0, piecesMs: [10, 10, 10, 10, 10, 10], cancelledAtMs: null }
  const short = { startMs: 5, piecesMs: [10], cancelledAtMs: null }
  const { ran } = await simulate([long, short])
  expect(ran.slice(0, 3).map(({ request }) => request)).toEqual([0, 1, 0])
})

it('waits for a cancelled request no longer than its ticket counts', async () => {
  const waiting = { startMs: 20, piecesMs: [10], cancelledAtMs: null }
  const cancelled = { startMs: 0, piecesMs: [50], cancelledAtMs: 10 }
  const { endedAtMs } = await simulate([cancelled, waiting])
  expect(endedAtMs.get(1)).toBeLessThanOrEqual(5_000 + 50)
  // One that was cancelled while it waited is passed over sooner.
  const before = { startMs: 0, piecesMs: [50], cancelledAtMs: null }
  const { endedAtMs: ended } = await simulate([before, { ...cancelled, startMs: 1 }, waiting])
  expect(ended.get(2)).toBeLessThanOrEqual(1_200)
})

it('takes no more timers than an invocation may have, however long a request waits', async () => {
  const before = Array.from({ length: 10 }, () => ({ startMs: 0, piecesMs: [4_000], cancelledAtMs: null }))
  const { timers, endedAtMs } = await simulate([...before, { startMs: 1, piecesMs: [1], cancelledAtMs: null }])
  expect(endedAtMs.get(10)).toBeGreaterThan(40_000)
  expect(timers / 11).toBeLessThan(40_000 / 10)
})

it('leaves D1 to others for as long as each piece of an import kept it, and runs one piece at a time', async () => {
  const drawn = fc.record({
    startMs: fc.nat(100),
    workedMs: fc.nat(30),
    waitedMs: fc.oneof(fc.constant(0), fc.integer({ min: 4, max: 60 })),
    fails: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(drawn, { minLength: 1, maxLength: 8 }), fc.nat(40), async (pieces, tripMs) => {
      const agenda = new Agenda()
      const sleep = (ms: number) => new Promise<void>((resolve) => agenda.at(agenda.nowMs + ms, resolve))
      const turns = new ImportTurns({ clock: () => agenda.nowMs, sleep })
      const first = { startMs: 0, workedMs: 1, waitedMs: 0, fails: false }
      const ran: { fromMs: number; toMs: number; pauseMs: number }[] = []
      const ended: string[] = []
      for (const { startMs, workedMs, waitedMs, fails } of [first, ...pieces]) {
        const piece = async () => {
          const fromMs = agenda.nowMs
          await sleep(tripMs + waitedMs + workedMs)
          // During the trip of the next piece D1 is free anyway.
          const keptMs = workedMs + waitedMs - tripMs - 2
          ran.push({ fromMs, toMs: agenda.nowMs, pauseMs: Math.min(20, Math.max(0, keptMs)) })
          if (fails) throw new Error('failed')
        }
        agenda.at(startMs, () => {
          turns
            .take(piece, () => workedMs)
            .then(
              () => ended.push('done'),
              () => ended.push('failed'),
            )
        })
      }
      const settle = () => new Promise((resolve) => setImmediate(resolve))
      do await settle()
      while (agenda.step())
      for (const [at, { fromMs }] of ran.entries()) {
        const before = ran[at - 1]
        if (before) expect(fromMs - before.toMs).toBeGreaterThanOrEqual(before.pauseMs)
      }
      expect(ended.toSorted()).toEqual([first, ...pieces].map(({ fails }) => (fails ? 'failed' : 'done')).toSorted())
    }),
  )
})

it('never pauses where a trip takes longer than the work: D1 is free during the trip', () => {
  const piece = fc.record({ workedMs: fc.nat(30), tripMs: fc.integer({ min: 31, max: 200 }) })
  fc.assert(
    fc.property(piece, ({ workedMs, tripMs }) => {
      expect(pauseMsAfter(tripMs + workedMs, tripMs)).toBe(0)
      expect(pauseMsAfter(workedMs, 0)).toBe(Math.min(20, workedMs))
    }),
  )
})

it('learns that its trips have become longer, but not that others are always there', () => {
  const trip = new UsualTrip()
  trip.note({ tookMs: 12, workedMs: 10 })
  for (let piece = 0; piece < 1_000; piece++) trip.note({ tookMs: 60, workedMs: 10 })
  expect(pauseMsAfter(60, trip.ms ?? 0)).toBe(20)
  for (let piece = 0; piece < 10_000; piece++) trip.note({ tookMs: 60, workedMs: 10 })
  expect(pauseMsAfter(60, trip.ms ?? 0)).toBe(0)
  trip.note({ tookMs: 12, workedMs: 10 })
  expect(pauseMsAfter(60, trip.ms ?? 0)).toBe(20)
})
