import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChangeLines } from '../../../src/gate/object/change-lines.ts'
import type { LoggedChange } from '../../../src/gate/object/deps.ts'

const SECOND_MS = 1_000
const LINE_CHANGES_MAX = 56

interface Line {
  atMs: number
  changes: readonly LoggedChange[]
}

/** Adds batches of so many changes, each some time after the one before, and lets two seconds pass after the last. */
async function linesOf(batches: readonly { afterMs: number; changes: number }[]): Promise<Line[]> {
  let nowMs = 0
  const timers: { atMs: number; wake: () => void }[] = []
  const written: Line[] = []
  const lines = new ChangeLines(
    (changes) => written.push({ atMs: nowMs, changes }),
    (ms) => new Promise<void>((wake) => timers.push({ atMs: nowMs + ms, wake })),
  )
  const passUntil = async (untilMs: number) => {
    for (;;) {
      const due = timers.findIndex(({ atMs }) => atMs <= untilMs)
      if (due === -1) break
      const [timer] = timers.splice(due, 1)
      nowMs = timer?.atMs ?? nowMs
      timer?.wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
    nowMs = untilMs
  }
  let number = 0
  for (const { afterMs, changes } of batches) {
    await passUntil(nowMs + afterMs)
    lines.add(Array.from({ length: changes }, () => changeOf(number++)))
  }
  await passUntil(nowMs + 2 * SECOND_MS)
  return written
}

function changeOf(number: number): LoggedChange {
  return { requestId: `req_${number}`, customerId: 'cust_1', effect: 'updated', actor: 'key_1' }
}

describe('the lines of changes', () => {
  it('have each change once, in order, a second late at most, in few lines of bounded length', async () => {
    const batch = fc.record({ afterMs: fc.integer({ min: 0, max: 1_500 }), changes: fc.integer({ min: 1, max: 130 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 20 }), async (batches) => {
        const written = await linesOf(batches)
        const [addedAtMs, all] = [[] as number[], written.flatMap(({ changes }) => changes)]
        let nowMs = 0
        for (const { afterMs, changes } of batches) {
          nowMs += afterMs
          for (let at = 0; at < changes; at++) addedAtMs.push(nowMs)
        }
        expect(all.map(({ requestId }) => requestId)).toEqual(addedAtMs.map((_, number) => `req_${number}`))
        let number = 0
        for (const { atMs, changes } of written) {
          expect(changes.length).toBeGreaterThan(0)
          expect(changes.length).toBeLessThanOrEqual(LINE_CHANGES_MAX)
          for (const _ of changes) {
            const lateMs = atMs - (addedAtMs[number++] as number)
            expect(lateMs).toBeGreaterThanOrEqual(0)
            expect(lateMs).toBeLessThanOrEqual(SECOND_MS)
          }
        }
        // Lines are written once a second at most, and all of them but the last are full.
        for (const [at, { atMs, changes }] of written.slice(0, -1).entries()) {
          const nextAtMs = written[at + 1]?.atMs as number
          if (nextAtMs === atMs) expect(changes).toHaveLength(LINE_CHANGES_MAX)
          else expect(nextAtMs - atMs).toBeGreaterThanOrEqual(SECOND_MS)
        }
      }),
    )
  })

  it('come at once after a quiet second, and once a second under a stream of single changes', async () => {
    const stream = Array.from({ length: 100 }, () => ({ afterMs: 100, changes: 1 }))
    const written = await linesOf([...stream, { afterMs: 5_000, changes: 1 }])
    const [first, last] = [written[0], written.at(-1)]
    expect([first?.atMs, first?.changes.length]).toEqual([100, 1])
    expect([last?.atMs, last?.changes.length]).toEqual([15_000, 1])
    expect(written).toHaveLength(12)
  })
})
