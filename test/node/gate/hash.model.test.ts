/** Hashes whose values other isolates, gates and clients hold: they stay as they are. */
import { expect, it } from 'vitest'
import { bucketOf } from '../../../src/gate/core/freshness.ts'
import { etagHash, seededHash } from '../../../src/shared/hash.ts'

it('keeps the bucket of every tag', () => {
  const buckets = {
    list: 0,
    '': 440,
    a: 594,
    cust_01JD3VQ4X8N2M7R5T9W6YBZKCE: 613,
    'x:user_1': 21,
    'ä€😀': 668,
    '\0': 483,
  }
  expect(Object.fromEntries(Object.keys(buckets).map((tag) => [tag, bucketOf(tag)]))).toEqual(buckets)
  const all = Array.from({ length: 10_000 }, (_, at) => bucketOf(`tag ${at}`))
  expect(all.reduce((sum, bucket) => (Math.imul(sum, 31) + bucket) | 0, 0)).toBe(-1004923883)
})

it('keeps the hash of an etag, and makes another hash of another seed', () => {
  expect(etagHash('1|2|3')).toBe('1agi2ohrwrj')
  expect(seededHash('a', 0x811c9dc5)).toBe(1882373825)
  expect(seededHash('a', 0x9747b28c)).not.toBe(1882373825)
})
