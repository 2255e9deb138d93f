/** The rules of operators that need no store. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { atLeast, ROLES, SESSION_TTL_MS, sessionEndMs } from '../../../src/operators/operator.ts'
import { minuteOf } from '../../../src/shared/durations.ts'

it('orders the roles: each may do what those before it may, and no more', () => {
  expect(ROLES).toEqual(['viewer', 'support', 'admin', 'owner'])
  const allowed = ROLES.map((role) => ROLES.filter((needed) => atLeast(role, needed)))
  expect(allowed).toEqual([['viewer'], ['viewer', 'support'], ['viewer', 'support', 'admin'], [...ROLES]])
})

it('ends a session after twelve hours, and never after the key that it was made with', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 41), fc.option(fc.nat(2 ** 41)), (nowMs, keyExpiresAtMs) => {
      const endMs = sessionEndMs(nowMs, keyExpiresAtMs)
      expect(endMs).toBeLessThanOrEqual(nowMs + SESSION_TTL_MS)
      expect(endMs).toBeLessThanOrEqual(keyExpiresAtMs ?? Number.POSITIVE_INFINITY)
      expect([nowMs + SESSION_TTL_MS, keyExpiresAtMs]).toContain(endMs)
    }),
  )
})

it('notes a time to the minute', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 41), (timeMs) => {
      const minuteMs = minuteOf(timeMs)
      expect(minuteMs % 60_000).toBe(0)
      expect(timeMs - minuteMs).toBeGreaterThanOrEqual(0)
      expect(timeMs - minuteMs).toBeLessThan(60_000)
      expect(minuteOf(minuteMs)).toBe(minuteMs)
    }),
  )
})
