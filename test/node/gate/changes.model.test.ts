import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Changes } from '../../../src/gate/core/changes.ts'
import { bucketOf } from '../../../src/gate/core/freshness.ts'

/** Where a gate begins to count. */
const BEGIN = 1_790_000_000_000
const hashOf = (tag: number) => bucketOf(`cust_${tag}`)

/** Hashes of one set that differ in their fingerprints, and some that share a fingerprint. */
const crowded = fc.tuple(fc.nat(11), fc.nat(2)).map(([fingerprint, between]) => (fingerprint << 16) | (between << 8))
const change = fc.record({
  hash: fc.oneof({ weight: 5, arbitrary: crowded }, { weight: 1, arbitrary: fc.nat(2 ** 32 - 1) }),
  // Most follow each other. Some are late, and some come after a long pause.
  by: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 2 }) },
    { weight: 2, arbitrary: fc.integer({ min: -90, max: -1 }) },
    { weight: 1, arbitrary: fc.constantFrom(30_000, 65_535, 65_536, 200_000) },
  ),
  times: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(40, 900) }),
})

describe('what a view remembers of changes', () => {
  it('never calls a tag unchanged that has changed since', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 250, size: 'max' }),
        fc.array(fc.integer({ min: 2, max: 300 }), { maxLength: 8 }),
        (all, ages) => {
          const changes = new Changes()
          const last = new Map<number, number>()
          let seq = BEGIN
          let other = 0
          // More than a map holds.
          for (; other < 120; other++) changes.note(hashOf(other), seq)
          for (const { hash, by, times } of all) {
            for (let time = 0; time < times; time++) {
              seq += Math.max(by, time === 0 ? by : 1)
              const changed = time === 0 ? hash : hashOf(other++)
              changes.note(changed, seq)
              last.set(changed, Math.max(last.get(changed) ?? 0, seq))
            }
          }
          const missed = [...last].filter(([hash, changed]) => {
            return [...ages, 1].some((age) => !changes.isChangedSince(hash, changed - age))
          })
          expect(missed).toEqual([])
        },
      ),
      { numRuns: 150 },
    )
  })

  it('knows the last thousand exactly: a tag that is read after its change counts as unchanged', () => {
    const changes = new Changes()
    for (let write = 1; write <= 3_000; write++) {
      const tag = write % 500
      changes.note(hashOf(tag), BEGIN + write)
      expect(changes.isChangedSince(hashOf(tag), BEGIN + write)).toBe(false)
      expect(changes.isChangedSince(hashOf(tag), BEGIN + write - 1)).toBe(true)
    }
    for (let tag = 0; tag < 500; tag++) expect(changes.isChangedSince(hashOf(tag), BEGIN + 3_000)).toBe(false)
  })

  it.each([
    [1_000, 0.95],
    [10_000, 0.85],
  ])('calls most others unchanged after %i changes', (writes, share) => {
    const shares = [1, 2, 3, 4, 5].map((round) => {
      const changes = new Changes()
      // Read in the middle of all writes.
      const before = 7_777 * round
      for (let write = 1; write <= before + writes; write++) changes.note(hashOf(write), BEGIN + write)
      const good = Array.from({ length: 2_000 }, (_, at) => hashOf(1_000_000 + at)).filter(
        (hash) => !changes.isChangedSince(hash, BEGIN + before),
      )
      return good.length / 2_000
    })
    expect(Math.min(...shares)).toBeGreaterThan(share)
  })

  it('takes no more than 16 KB for a tenant', () => {
    let bytes = 0
    const counted = <Array extends typeof Uint16Array | typeof Uint32Array>(array: Array) =>
      new Proxy(array, {
        construct(target, [length]) {
          bytes += length * target.BYTES_PER_ELEMENT
          return new target(length)
        },
      })
    vi.stubGlobal('Uint16Array', counted(Uint16Array))
    vi.stubGlobal('Uint32Array', counted(Uint32Array))
    const changes = new Changes()
    // More than all filters hold at once. One that is given up is no longer there.
    for (let write = 1; write <= 13_000; write++) changes.note(hashOf(write), BEGIN + write)
    vi.unstubAllGlobals()
    expect(bytes).toBeGreaterThan(14 * 1024)
    expect(bytes).toBeLessThanOrEqual(16 * 1024)
    expect(changes.isChangedSince(hashOf(12_999), BEGIN)).toBe(true)
  })
})
