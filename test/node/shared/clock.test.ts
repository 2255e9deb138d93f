/** Times in responses, which are put together by hand, against the runtime's. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isoTime } from '../../../src/shared/clock.ts'

it('writes every time as the runtime does, whichever came before', () => {
  const time = fc.oneof(
    fc.integer({ min: -8.64e15, max: 8.64e15 }),
    fc.integer({ min: -2 * 86_400_000, max: 2 * 86_400_000 }),
    fc.double({ min: -1e12, max: 4e12, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.array(time, { maxLength: 20 }), (times) => {
      for (const timeMs of times) expect(isoTime(timeMs)).toBe(new Date(timeMs).toISOString())
    }),
  )
})

it('throws for what is no time', () => {
  for (const timeMs of [Number.NaN, Number.POSITIVE_INFINITY, 8.65e15]) expect(() => isoTime(timeMs)).toThrow()
})
