import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admit, charge, isRequesting, restMs, shouldRenew } from '../../../src/gate/isolate/lease.ts'
import { absorb, absorbFailure, nextRequest } from '../../../src/gate/isolate/lease-exchange.ts'
import { LeaseState, remaining, resetMs } from '../../../src/gate/isolate/lease-state.ts'
import {
  FLIGHT_TAKEOVER_MS,
  HELD_GRANTS_MAX,
  TALLY_SILENCE_MS,
  VERDICTS_MAX,
} from '../../../src/gate/protocol/constants.ts'
import type { Lease } from '../../../src/gate/protocol/leases.ts'
import { leaseOf, policyOf } from './samples.ts'

const T = 1_000_000

/** Returns a state that received `lease` as the reply to a request at T, after a round trip of 20 ms. */
function holding(lease: Partial<Lease> = {}, state = new LeaseState('tally')): LeaseState {
  nextRequest(state, T, 0)
  absorb(state, leaseOf(lease), T, T + 20, 0)
  return state
}

/** The same after a hundred requests a second for a while: hot enough to ask ahead. */
function hotHolding(lease: Partial<Lease>): LeaseState {
  const state = new LeaseState('tally')
  for (let atMs = T - 3_000; atMs < T; atMs += 10) admit(state, atMs, null)
  return holding(lease, state)
}

const known = { known: true as const, keyId: 'k', scopes: ['customers:read'], expiresInMs: null }

const step = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant('requests' as const), count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    kind: fc.constant('needs_lease' as const),
    permits: fc.nat(12),
    ttlMs: fc.integer({ min: 60, max: 1_000 }),
  }),
  fc.record({ kind: fc.constant('answer' as const), which: fc.nat(3) }),
)

describe('edge lease', () => {
  it('spends no permit twice, none after its life, and reports each exactly', () => {
    let admissions = 0
    fc.assert(
      fc.property(fc.array(fc.noBias(step), { minLength: 20, maxLength: 80, size: 'max' }), (steps) => {
        const state = new LeaseState('tally')
        const answers: { lease: Lease; sentAtMs: number }[] = []
        const absorbed = new Map<number, { granted: number; permits: number; lastMs: number }>()
        const reported = new Map<number, { spent: number; unspent: number }>()
        let nowMs = T
        let ordinal = 0
        for (const one of steps) {
          if (one.kind === 'wait') nowMs += one.ms
          if (one.kind === 'needs_lease') {
            const request = nextRequest(state, nowMs, 0)
            for (const { ordinal: grant, spent, unspent } of request.reports) {
              const before = reported.get(grant) ?? { spent: 0, unspent: 0 }
              expect(spent).toBeGreaterThanOrEqual(before.spent)
              expect(unspent).toBeGreaterThanOrEqual(before.unspent)
              expect(spent + unspent).toBeLessThanOrEqual(absorbed.get(grant)?.granted ?? 0)
              reported.set(grant, { spent, unspent })
            }
            const grant = one.permits > 0 ? { permits: one.permits, ttlMs: one.ttlMs } : null
            answers.push({ lease: leaseOf({ ordinal: ++ordinal, grant }), sentAtMs: nowMs })
          }
          const answer = one.kind === 'answer' ? answers[one.which % answers.length] : undefined
          if (answer) {
            const { lease, sentAtMs } = answer
            const isNewest = lease.ordinal > state.ordinal
            absorb(state, lease, sentAtMs, nowMs, 0.5)
            if (isNewest && lease.grant) {
              const granted = lease.grant.permits
              absorbed.set(lease.ordinal, { granted, permits: granted, lastMs: sentAtMs + lease.grant.ttlMs - 50 })
            }
          }
          for (let count = one.kind === 'requests' ? one.count : 0; count > 0; count--) {
            const spendable = [...absorbed.values()].filter(({ permits, lastMs }) => permits > 0 && nowMs < lastMs)
            const leased = nowMs < state.leasedUntilMs
            const decision = admit(state, nowMs, null)
            expect(decision === 'admitted').toBe(leased && spendable.length > 0)
            if (decision !== 'admitted') continue
            admissions++
            const first = [...absorbed.values()].find(({ permits, lastMs }) => permits > 0 && nowMs < lastMs)
            if (first) first.permits--
          }
        }
        expect(state.grants.length).toBeLessThanOrEqual(HELD_GRANTS_MAX)
      }),
      { numRuns: 200, seed: 7 },
    )
    expect(admissions).toBeGreaterThan(1_000)
  })

  it('asks when it holds nothing, and admits without asking when it does', () => {
    expect(admit(new LeaseState('tally'), T, null)).toBe('needs_lease')
    const state = holding()
    for (let request = 0; request < 10; request++) expect(admit(state, T + 30, null)).toBe('admitted')
    expect(admit(state, T + 30, null)).toBe('needs_lease')
  })

  it('stops a guard before the gate does, counted from when it asked', () => {
    expect(admit(holding(), T + 899, null)).toBe('admitted')
    expect(admit(holding(), T + 900, null), 'the permits').toBe('needs_lease')
    const longer = { grant: { permits: 10, ttlMs: 5_000 } }
    expect(admit(holding(longer), T + 949, null)).toBe('admitted')
    expect(admit(holding(longer), T + 950, null), 'the policy').toBe('needs_lease')
  })

  it('lets one ask at a time, until it takes too long', () => {
    const state = new LeaseState('tally')
    nextRequest(state, T, 1)
    expect(isRequesting(state, T + FLIGHT_TAKEOVER_MS - 1)).toBe(true)
    expect(isRequesting(state, T + FLIGHT_TAKEOVER_MS)).toBe(false)
    nextRequest(state, T + 400, 1)
    absorb(state, leaseOf(), T, T + 410, 0)
    expect(isRequesting(state, T + 420), 'the later ask is still under way').toBe(true)
    absorbFailure(state, T + 400, T + 420, 0)
    expect(isRequesting(state, T + 420)).toBe(false)
  })

  it('asks ahead when it is hot, before a permit is missing and before the policy ends', () => {
    const state = hotHolding({ grant: { permits: 1_000, ttlMs: 5_000 } })
    expect(shouldRenew(state, T + 100)).toBe(false)
    expect(shouldRenew(state, T + 480), 'half of its life is over').toBe(true)
    const request = nextRequest(holding(), T + 100, 0)
    expect(request.want, 'a cold isolate wants nothing ahead').toBe(0)

    const short = hotHolding({ grant: { permits: 3, ttlMs: 950 } })
    expect(shouldRenew(short, T + 100)).toBe(true)
    const { want } = nextRequest(short, T + 100, 2)
    expect(want).toBeGreaterThan(60)
    expect(want).toBeLessThan(120)
    expect(shouldRenew(short, T + 110), 'while one is under way').toBe(false)
  })

  it('refuses at once when it is saturated and hot, and asks when it is saturated and cold', () => {
    const refused = { grant: null, saturated: true, fraction: 0.5 }
    expect(admit(hotHolding(refused), T + 110, null)).toBe('rate_limited')
    expect(admit(holding(refused), T + 110, null)).toBe('needs_lease')
  })

  it('takes the further permits of a request from those at hand, and owes the rest', () => {
    const state = holding()
    charge(state, T + 30, 4)
    expect([state.owed, state.admitted, remaining(state, T + 30)]).toEqual([0, 4, remaining(holding(), T + 30) - 4])
    charge(state, T + 30, 8)
    expect([state.owed, state.admitted]).toEqual([2, 10])
    expect(admit(state, T + 30, null), 'nothing is admitted before it is paid').toBe('needs_lease')
    const request = nextRequest(state, T + 40, 1)
    expect([request.want, request.waiting, request.counted]).toEqual([3, 3, 13])
    expect(request.reports.map(({ spent, unspent }) => [spent, unspent])).toEqual([[10, 0]])
    absorb(state, leaseOf({ ordinal: 2, grant: { permits: 2, ttlMs: 950 } }), T + 40, T + 60, 0)
    expect([state.owed, state.admitted], 'the reply pays it').toEqual([0, 12])
    expect(admit(state, T + 60, null), 'with the permits that came for it').toBe('needs_lease')
  })

  it('pays nothing with permits that have expired', () => {
    const state = holding()
    charge(state, T + 900, 3)
    expect([state.owed, state.admitted]).toEqual([3, 0])
    expect(remaining(state, T + 900)).toBe(Math.max(0, remaining(holding(), T + 900) - 3))
  })

  it('refuses until it may ask again', () => {
    const state = holding({ grant: null, backoffMs: 60 })
    expect(admit(state, T + 50, null)).toBe('rate_limited')
    expect(state.retryAfterMs).toBe(30)
    expect(admit(state, T + 80, null)).toBe('needs_lease')
  })

  it('refuses a suspended tenant for the life of the lease, and unknown keys of one', () => {
    const policy = policyOf({ status: 'suspended' })
    const state = holding({
      policy,
      grant: null,
      refusal: 'suspended',
      verdicts: { good: known, bad: { known: false } },
    })
    expect(admit(state, T + 30, 'good')).toBe('suspended')
    expect(admit(state, T + 30, 'bad')).toBe('unknown_key')
    expect(admit(state, T + 30, null)).toBe('suspended')
    expect(admit(state, T + 950, 'good')).toBe('needs_lease')
  })

  it('spends what it has of a year that is full, then refuses', () => {
    const state = holding({ grant: { permits: 1, ttlMs: 950 }, refusal: null })
    absorb(state, leaseOf({ ordinal: 2, grant: null, refusal: 'annual_limit' }), T + 100, T + 120, 0)
    expect(admit(state, T + 130, null)).toBe('admitted')
    expect(admit(state, T + 130, null)).toBe('annual_limit')
    expect(state.limited).toBe(1)
  })

  it('lives on what it has when the gate cannot be reached, then says so', () => {
    const state = holding()
    absorbFailure(state, T + 100, T + 400, 0)
    expect(admit(state, T + 500, null)).toBe('admitted')
    expect(admit(state, T + 500, 'new key')).toBe('unavailable')
    absorbFailure(state, T + 600, T + 900, 0)
    expect(admit(state, T + 1_000, null)).toBe('unavailable')
    expect(state.retryAfterMs).toBe(150)
    expect(admit(state, T + 1_150, null)).toBe('needs_lease')
    expect(state.limited, 'nobody was over a limit').toBe(0)
  })

  it('leaves a busy gate alone, and takes an answer of another version for none', () => {
    const busy = holding({ grant: null })
    absorb(busy, { v: 1, kind: 'busy', backoffMs: 300 }, T + 100, T + 120, 0)
    expect(admit(busy, T + 130, null)).toBe('unavailable')
    const other = holding({ grant: null })
    absorb(other, { ...leaseOf({ ordinal: 9 }), v: 2 } as unknown as Lease, T + 100, T + 120, 0)
    expect(admit(other, T + 130, null)).toBe('unavailable')
    expect(other.ordinal).toBe(1)
  })

  it('knows a key as long as the policy lasts, and asks again for those in use when it changes', () => {
    const state = holding({ verdicts: { a: known, b: { known: false } } })
    expect(admit(state, T + 30, 'a')).toBe('admitted')
    expect(state.verdict).toEqual(known)
    expect(admit(state, T + 30, 'b')).toBe('unknown_key')
    expect(admit(state, T + 30, 'c')).toBe('needs_lease')
    const request = nextRequest(state, T + 40, 1)
    expect(request).toMatchObject({ credentials: ['c'], recent: ['a', 'b'], seenVersion: 1 })
    absorb(
      state,
      leaseOf({ ordinal: 2, policy: policyOf({ version: 2 }), verdicts: { a: { known: false } } }),
      T + 40,
      T + 60,
      0,
    )
    expect(admit(state, T + 70, 'a')).toBe('unknown_key')
    expect(admit(state, T + 70, 'b'), 'not in the answer').toBe('needs_lease')
  })

  it('stops knowing a key when it expires', () => {
    const state = holding({ verdicts: { a: { ...known, expiresInMs: 100 } } })
    expect(admit(state, T + 99, 'a')).toBe('admitted')
    expect(admit(state, T + 100, 'a')).toBe('unknown_key')
  })

  it('remembers a bounded number of keys', () => {
    const state = holding({ verdicts: Object.fromEntries(Array.from({ length: 500 }, (_, key) => [`k${key}`, known])) })
    expect(state.verdicts.size).toBe(VERDICTS_MAX)
    for (let key = 0; key < 500; key++) admit(state, T + 30, `unknown-${key}`)
    expect(state.unknown.length).toBeLessThanOrEqual(VERDICTS_MAX)
  })

  it('loses no report to a failed call, and repeats none that was answered', () => {
    const state = holding({ grant: { permits: 2, ttlMs: 300 } })
    admit(state, T + 30, null)
    const lost = nextRequest(state, T + 400, 0)
    expect(lost.reports).toEqual([{ epoch: 1, ordinal: 1, spent: 1, unspent: 1 }])
    absorbFailure(state, T + 400, T + 700, 0)
    const again = nextRequest(state, T + 1_000, 0)
    expect(again.reports).toEqual(lost.reports)
    expect(again.tally).toMatchObject({ admitted: 1, held: 0, lastLeaseEpoch: 1, lastLeaseOrdinal: 1 })
    absorb(state, leaseOf({ ordinal: 2, grant: null }), T + 1_000, T + 1_020, 0)
    expect(nextRequest(state, T + 1_100, 0).reports).toEqual([])
  })

  it('takes nothing from a lease that was overtaken or came twice', () => {
    const state = holding({ ordinal: 5, grant: { permits: 1, ttlMs: 950 } })
    absorb(state, leaseOf({ ordinal: 5, grant: { permits: 1, ttlMs: 950 } }), T, T + 30, 0)
    absorb(state, leaseOf({ ordinal: 4, policy: policyOf({ version: 0 }) }), T, T + 30, 0)
    expect(state.policy?.version).toBe(1)
    expect(admit(state, T + 40, null)).toBe('admitted')
    expect(admit(state, T + 40, null)).toBe('needs_lease')
    absorb(state, leaseOf({ epoch: 2, ordinal: 1 }), T + 50, T + 70, 0)
    expect(admit(state, T + 80, null), 'a newer epoch is newer').toBe('admitted')
  })

  it('counts a request once, however often it asks, and an answer that it did not give never', () => {
    const state = new LeaseState('tally')
    admit(state, T, null)
    admit(state, T + 10, null, true)
    admit(state, T + 20, null, true)
    expect(nextRequest(state, T + 20, 1).counted).toBe(1)
    expect(nextRequest(state, T + 400, 1).counted).toBe(0)
    expect([state.admitted, state.limited]).toEqual([0, 0])
  })

  it('counts no request that the last lease refused, in force or not, unless the next one admits it', () => {
    const state = holding({ verdicts: { bad: { known: false }, reader: known } })
    expect(admit(state, T + 30, 'bad')).toBe('unknown_key')
    expect(admit(state, T + 30, 'reader', false, ['customers:read', 'customers:write'])).toBe('missing_scope')
    expect(admit(state, T + 960, 'bad')).toBe('needs_lease')
    expect(state.isCounted).toBe(false)
    expect(nextRequest(state, T + 970, 0)).toMatchObject({ want: 0, waiting: 0, counted: 0 })
    absorb(
      state,
      leaseOf({ ordinal: 2, policy: policyOf({ version: 2 }), verdicts: { bad: known } }),
      T + 970,
      T + 980,
      0,
    )
    expect(admit(state, T + 990, 'bad', state.isCounted)).toBe('admitted')
    expect([state.isCounted, state.counted]).toEqual([true, 1])
  })

  it('takes its totals as counted after a long silence, for the gate may have forgotten it', () => {
    const state = holding()
    admit(state, T + 30, null)
    expect(nextRequest(state, T + TALLY_SILENCE_MS, 0).tally.savedAdmitted).toBe(0)
    expect(nextRequest(state, T + TALLY_SILENCE_MS + 30, 0).tally.savedAdmitted).toBe(1)
  })

  it('ends what it holds when the clock goes back by more than the guard, and asks anew', () => {
    const state = holding({ verdicts: { a: known }, backoffMs: 500 })
    expect(admit(state, T + 30, 'a')).toBe('admitted')
    expect(admit(state, T - 20, 'a'), 'by the guard').toBe('admitted')
    nextRequest(state, T + 40, 0)
    expect(admit(state, T - 60_000, 'a')).toBe('needs_lease')
    expect([isRequesting(state, T - 60_000), restMs(state, T - 60_000)]).toEqual([false, 0])
    absorb(state, leaseOf({ ordinal: 2 }), T + 40, T - 60_000, 0)
    expect(admit(state, T - 60_000, null), 'a lease that was asked for before').toBe('needs_lease')
    const request = nextRequest(state, T - 60_000, 1)
    expect(request).toMatchObject({ since: null, reports: [{ ordinal: 1, spent: 2, unspent: 8 }] })
    absorb(state, leaseOf({ ordinal: 3 }), T - 60_000, T - 59_990, 0)
    expect(admit(state, T - 59_980, null)).toBe('admitted')
  })

  it('tells the gate how long ago a reply arrived, less a guard and a thousandth, and keeps that reply for 3 s', () => {
    const state = holding({ gateMs: 7_000 })
    expect(nextRequest(state, T + 70, 0).since, 'nothing is sure yet').toBeNull()
    expect(nextRequest(state, T + 1_020, 0).since).toEqual({ epoch: 1, gateMs: 7_000, elapsedMs: 949 })
    absorb(state, leaseOf({ ordinal: 2, gateMs: 8_000 }), T + 1_020, T + 1_040, 0)
    expect(nextRequest(state, T + 3_020, 0).since).toEqual({ epoch: 1, gateMs: 7_000, elapsedMs: 2_947 })
    absorb(state, leaseOf({ ordinal: 3, gateMs: 10_000 }), T + 3_020, T + 3_040, 0)
    expect(nextRequest(state, T + 4_040, 0).since).toEqual({ epoch: 1, gateMs: 10_000, elapsedMs: 949 })
    absorb(state, leaseOf({ epoch: 2, gateMs: 50 }), T + 4_040, T + 4_050, 0)
    expect(nextRequest(state, T + 5_050, 0).since).toEqual({ epoch: 2, gateMs: 50, elapsedMs: 949 })
  })

  it('shows what may still be had, never more than the burst', () => {
    const state = holding({ remaining: 395, fullInMs: 400 })
    expect(remaining(state, T + 20)).toBe(400)
    expect(resetMs(state, T + 120)).toBe(300)
    expect(resetMs(state, T + 5_000)).toBe(0)
    const low = holding({ remaining: 0 })
    admit(low, T + 30, null)
    expect(remaining(low, T + 30)).toBe(9)
    expect(remaining(new LeaseState('tally'), T)).toBe(0)
  })
})
