import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bucketOf,
  bucketsOf,
  isGood,
  Ledger,
  LIST_TAG,
  laterBookmark,
  stampFor,
  View,
} from '../../../src/gate/core/freshness.ts'
import { CHANGES_KEPT } from '../../../src/gate/protocol/constants.ts'

const step = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    buckets: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('settle' as const), which: fc.nat(5) }),
  fc.record({ kind: fc.constant('lease' as const), seen: fc.boolean() }),
  fc.record({ kind: fc.constant('arrive' as const), which: fc.nat(5) }),
)

describe('freshness', () => {
  it('calls a value good exactly when no write the view knows of touched its buckets after it was read', () => {
    let judged = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const ledger = new Ledger()
        const view = new View()
        const writes: number[][] = []
        const open: number[] = []
        const onTheWay: { delta: ReturnType<Ledger['deltaSince']>; order: number }[] = []
        let newest = 0
        for (const [order, one] of steps.entries()) {
          if (one.kind === 'write') {
            open.push(ledger.begin(one.buckets))
            writes.push(one.buckets)
          }
          if (one.kind === 'settle' && open.length > 0) {
            const [seq] = open.splice(one.which % open.length, 1) as [number]
            ledger.settle(seq, String(seq).padStart(4, '0'))
          }
          if (one.kind === 'lease') onTheWay.push({ delta: ledger.deltaSince(view.seq), order: order + 1 })
          const arriving = one.kind === 'arrive' ? onTheWay[one.which % onTheWay.length] : undefined
          if (!arriving) continue
          expect(view.merge(arriving.delta, arriving.order > newest)).toBe(true)
          newest = Math.max(newest, arriving.order)
          for (let bucket = 0; bucket < 8; bucket++) {
            for (let asof = 0; asof <= view.seq; asof++) {
              const touched = writes.slice(asof, view.seq).some((buckets) => buckets.includes(bucket))
              expect(isGood(view, [bucket], asof)).toBe(!touched)
              judged++
            }
          }
          expect(stampFor(view).asof).toBeLessThanOrEqual(view.seq)
        }
      }),
      { numRuns: 400, seed: 7 },
    )
    expect(judged).toBeGreaterThan(10_000)
  })

  it('stamps with the number up to which nothing is under way, in whatever order writes end', () => {
    const ledger = new Ledger()
    for (let write = 1; write <= 3; write++) ledger.begin([write])
    expect(ledger.stable).toBe(0)
    ledger.settle(2, '02')
    expect(ledger.stable).toBe(0)
    ledger.settle(1, '01')
    expect(ledger.stable).toBe(2)
    expect(ledger.bookmark, 'the later of the two').toBe('02')
    ledger.settle(3, null)
    expect(ledger.stable).toBe(3)
    expect(ledger.bookmark, 'a write that never came to be has no bookmark').toBe('02')
  })

  it('knows from its log what it knew before, and cannot judge what is older than the log', () => {
    const row = (seq: number, pending: boolean) => ({
      seq,
      buckets: [seq % 5],
      pending,
      bookmark: pending ? null : `b${seq}`,
    })
    const ledger = Ledger.fromLog([row(7, false), row(8, true), row(9, false)])
    expect(ledger.deltaSince(0)).toEqual({
      seq: 9,
      stable: 7,
      floor: 6,
      bookmark: 'b9',
      since: 0,
      changes: [2, 7, 3, 8, 4, 9],
      pending: [3],
    })
    expect(ledger.begin([1])).toBe(10)
    const view = new View()
    view.merge(ledger.deltaSince(0), true)
    expect(isGood(view, [0], 5)).toBe(false)
    expect(isGood(view, [0], 6)).toBe(true)
  })

  it('lets a view that missed nothing judge beyond the floor', () => {
    const before = new Ledger()
    before.begin([1])
    before.settle(1, 'a')
    before.begin([2])
    before.settle(2, 'b')
    const view = new View()
    view.merge(before.deltaSince(0), true)
    const after = Ledger.fromLog([{ seq: 2, buckets: [2], pending: false, bookmark: 'b' }])
    after.begin([3])
    view.merge(after.deltaSince(view.seq), true)
    expect(after.deltaSince(0).floor).toBe(1)
    expect(isGood(view, [4], 0)).toBe(true)
    expect(isGood(view, [1], 0)).toBe(false)
  })

  it('does not take in changes that start after what it knows', () => {
    const ledger = new Ledger()
    ledger.begin([1])
    ledger.begin([2])
    const view = new View()
    expect(view.merge(ledger.deltaSince(1), true)).toBe(false)
    expect(view.seq).toBe(0)
  })

  it('tells a new isolate the customers that changed last, and that it knows of no earlier change', () => {
    const ledger = new Ledger()
    for (let write = 0; write < CHANGES_KEPT + 600; write++)
      ledger.begin([0, bucketOf(`${write % (CHANGES_KEPT + 500)}`)])
    const { changes, floor, seq } = ledger.deltaSince(0)
    expect(changes).toHaveLength(2 * CHANGES_KEPT)
    expect(changes.slice(-4)).toEqual([0, seq, bucketOf('99'), seq])
    const view = new View()
    view.merge(ledger.deltaSince(0), true)
    // The first bucket of those that were dropped last, and the first that is left.
    const [dropped, left] = [[bucketOf('600')], [bucketOf('601')]]
    expect([isGood(view, dropped, floor - 1), isGood(view, dropped, floor), isGood(view, left, floor)]).toEqual([
      false,
      true,
      false,
    ])
    const upToDate = new View()
    upToDate.merge({ ...ledger.deltaSince(0), floor: 0 }, true)
    ledger.begin([0, 9_999])
    upToDate.merge(ledger.deltaSince(seq), true)
    expect(isGood(upToDate, [77_777], 1), 'a view that missed nothing judges beyond what the gate has').toBe(true)
  })

  it('sends nothing to an isolate that knows everything', () => {
    const ledger = new Ledger()
    ledger.begin([1])
    expect(ledger.deltaSince(1).changes).toEqual([])
  })

  it('spreads tags evenly, and keeps the bucket of the lists to itself', () => {
    const load = new Map<number, number>()
    for (let tag = 0; tag < 50_000; tag++) {
      const bucket = bucketOf(`cust_01JD${tag.toString(36).toUpperCase().padStart(8, '0')}`)
      load.set(bucket, (load.get(bucket) ?? 0) + 1)
    }
    expect(load.has(bucketOf(LIST_TAG))).toBe(false)
    // Among so many, one or two of 2 ** 32 buckets are shared.
    expect(load.size).toBeGreaterThan(49_990)
    const lowest = [...load.keys()].filter((bucket) => bucket < 2 ** 29).length
    expect(lowest / load.size).toBeCloseTo(1 / 8, 2)
    expect(bucketsOf(['a', 'b', 'a'])).toHaveLength(2)
  })

  it('takes the later of two bookmarks, and any before none', () => {
    expect(laterBookmark('a', 'b')).toBe('b')
    expect(laterBookmark('b', 'a')).toBe('b')
    expect(laterBookmark(null, 'a')).toBe('a')
    expect(laterBookmark('a', null)).toBe('a')
    expect(laterBookmark(null, null)).toBeNull()
  })

  it('takes no earlier bookmark from a late reply once the gate has begun a new log', () => {
    const view = new View()
    view.merge({ seq: 5, stable: 5, floor: 0, bookmark: 'gone', since: 0, changes: [1, 5], pending: [] }, true)
    view.merge({ seq: 7, stable: 7, floor: 6, bookmark: null, since: 5, changes: [], pending: [] }, true)
    view.learn(1, 5, 'gone too')
    expect([view.bookmark, isGood(view, [1], 5), isGood(view, [1], 7)]).toEqual([null, false, true])
    view.learn(1, 8, 'now')
    expect([view.bookmark, isGood(view, [1], 7)]).toEqual(['now', false])
  })
})
