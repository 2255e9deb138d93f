/** The batches of a gate's writes: in order, as many as may share a transaction, and no more. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { WriteQueue } from '../../../src/gate/object/write-queue.ts'

const ITEMS_MAX = 56
const BYTES_MAX = 32 * 1024

it('fills each batch in the order of arrival up to its items or bytes, and takes an item that is larger alone', async () => {
  const bytes = fc.oneof(fc.constant(100), fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 70_000 }))
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 150, size: 'max' }), async (sizes) => {
      const batches: number[][] = []
      const queue = new WriteQueue<number, number>(async (items) => {
        batches.push(items)
        return items
      })
      // The first goes at once, so all others wait for the same moment.
      const results = await Promise.all([0, ...sizes].map((size, at) => queue.add(at, size)))
      expect(results).toEqual([0, ...sizes].map((_, at) => at))
      const [first, ...later] = batches
      expect(first).toEqual([0])
      expect(later.flat()).toEqual(sizes.map((_, at) => at + 1))
      const sizeOf = (item: number) => sizes[item - 1] as number
      for (const [at, batch] of later.entries()) {
        const sum = batch.reduce((all, item) => all + sizeOf(item), 0)
        expect(batch.length === 1 || sum <= BYTES_MAX).toBe(true)
        const [next] = later[at + 1] ?? []
        if (next !== undefined) expect(batch.length === ITEMS_MAX || sum + sizeOf(next) > BYTES_MAX).toBe(true)
        expect(batch.length).toBeLessThanOrEqual(ITEMS_MAX)
      }
    }),
  )
})
