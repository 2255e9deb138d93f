import fc from 'fast-check'
import { expect, it } from 'vitest'
import { D1Clock } from '../../../src/gate/core/d1-clock.ts'

it('shows the own time until D1 has answered once, and then D1’s, however far it is from the own', () => {
  const clock = new D1Clock()
  expect(clock.now(1_000)).toBe(1_000)
  clock.observe(400, 1_000)
  expect([clock.now(1_000), clock.now(1_250)]).toEqual([400, 650])
})

it('is only raised by later answers', () => {
  const clock = new D1Clock()
  clock.observe(5_000, 1_000)
  clock.observe(4_000, 1_100)
  expect(clock.now(1_100)).toBe(5_100)
  clock.observe(9_000, 1_200)
  expect(clock.now(1_300)).toBe(9_100)
})

it('never goes back, and is never behind the latest answer', () => {
  const step = fc.record({ passesMs: fc.nat(5_000), d1Ms: fc.option(fc.integer({ min: -10_000, max: 60_000 })) })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      const clock = new D1Clock()
      let ownMs = 0
      let latestMs = Number.NEGATIVE_INFINITY
      let isHeard = false
      for (const { passesMs, d1Ms } of steps) {
        ownMs += passesMs
        const beforeMs = clock.now(ownMs)
        if (d1Ms !== null) {
          clock.observe(d1Ms, ownMs)
          latestMs = Math.max(latestMs, d1Ms)
        }
        if (isHeard) expect(clock.now(ownMs)).toBeGreaterThanOrEqual(beforeMs)
        isHeard ||= d1Ms !== null
        if (isHeard) expect(clock.now(ownMs)).toBeGreaterThanOrEqual(latestMs)
      }
    }),
    { seed: 7 },
  )
})
