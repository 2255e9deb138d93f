import { beforeEach, expect, it } from 'vitest'
import { WallClock } from '../../../src/gate/core/wall-clock.ts'
import { CLOCK_LEAD_MAX_MS } from '../../../src/gate/protocol/constants.ts'
import { NOON_MS as T } from './samples.ts'

let clock: WallClock
const observe = (sentAtMs: number, ownMs: number, isolate: string | null = 'a') =>
  clock.observe({ sentAtMs, isolate }, ownMs)

beforeEach(() => {
  clock = new WallClock()
})

it('goes by the latest clock that anyone showed, and never goes back', () => {
  observe(T + 5_000, T)
  expect(clock.at(T)).toBe(T + 5_000)
  observe(T + 1_000, T, 'b')
  observe(T + 3_000, T, null)
  expect(clock.at(T + 10)).toBe(T + 5_010)
})

it('is moved by ten minutes at most', () => {
  observe(T + 86_400_000, T)
  expect(clock.at(T)).toBe(T + CLOCK_LEAD_MAX_MS)
})

it('goes on by the time that passes at an isolate that was late when it was heard first', () => {
  observe(T - 300_000, T)
  expect(clock.at(T)).toBe(T)
  // The own clock stands still; at the isolate a minute passes. A second is what the first message may have travelled.
  observe(T - 240_000, T)
  expect(clock.at(T)).toBe(T + 59_000)
})

it('takes nothing that is late from a sender that is no isolate', () => {
  observe(T - 300_000, T, null)
  observe(T - 240_000, T, null)
  expect(clock.at(T)).toBe(T)
})

it('remembers a bounded number of isolates, and measures the others again', () => {
  observe(T - 300_000, T)
  for (let isolate = 0; isolate < 2_000; isolate++) observe(T, T, `isolate ${isolate}`)
  observe(T - 240_000, T)
  expect(clock.at(T)).toBe(T)
})
