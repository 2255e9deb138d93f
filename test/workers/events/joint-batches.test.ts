/** The batches of one invocation that come at the same time are one transaction of D1, and none of them suffers from another. */
import { sql } from 'drizzle-orm'
import { beforeEach, expect, it } from 'vitest'
import { rowsStatement } from '../../../src/storage/statement-texts.ts'
import { JointBatches } from '../../../src/storage/webhooks/joint-batches.ts'
import { db } from '../storage/support.ts'

/** True while D1's answers get lost on their way. */
let isLost: boolean
let trips: number
let batches: JointBatches
beforeEach(() => {
  isLost = false
  trips = 0
  batches = new JointBatches({
    batch: async (statements) => {
      trips++
      const answers = await db.batch(statements)
      if (isLost) throw new Error('Network connection lost.')
      return answers
    },
  })
})

const given = (value: number) => rowsStatement(db, sql`SELECT ${value} AS value`)
const broken = () => rowsStatement(db, sql`SELECT json_extract('no JSON', '$')`)

it('takes one trip for those that come at once, one for those that come meanwhile, and answers each', async () => {
  const first = [batches.run([given(1), given(2)]), batches.run([given(3)])]
  await Promise.resolve()
  await Promise.resolve()
  const later = [batches.run([given(4)]), batches.run([given(5), given(6)])]
  expect(await Promise.all([...first, ...later])).toEqual(
    [[1, 2], [3], [4], [5, 6]].map((values) => values.map((value) => [{ value }])),
  )
  expect(trips).toBe(2)
})

it('runs the others alone when one of them has a fault', async () => {
  const settled = await Promise.allSettled([batches.run([given(1)]), batches.run([broken()]), batches.run([given(2)])])
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(trips).toBe(4)
})

it('repeats nothing when D1 may have done it', async () => {
  isLost = true
  const settled = await Promise.allSettled([batches.run([given(1)]), batches.run([given(2)])])
  expect([settled.map(({ status }) => status), trips]).toEqual([['rejected', 'rejected'], 1])
  isLost = false
  expect(await batches.run([given(3)])).toEqual([[{ value: 3 }]])
})

it('keeps a transaction short, however many come', async () => {
  await Promise.all(Array.from({ length: 40 }, () => batches.run([given(1), given(2), given(3)])))
  expect(trips).toBe(7)
})
