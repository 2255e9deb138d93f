/** Hashes whose values other isolates, gates and clients hold: they stay as they are. */
import { expect, it } from 'vitest'
import { bucketOf } from '../../../src/gate/core/freshness.ts'
import { etagHash, seededHash } from '../../../src/shared/hash.ts'

it('keeps the bucket of every tag', () => {
  const buckets = {
    list: 0,
    '': 447806414,
    a: 187517517,
    cust_01JD3VQ4X8N2M7R5T9W6YBZKCE: 136024831,
    'x:user_1': 3362094636,
    'ä€😀': 1469081864,
    '\0': 1818284775,
  }
  expect(Object.fromEntries(Object.keys(buckets).map((tag) => [tag, bucketOf(tag)]))).toEqual(buckets)
  const all = Array.from({ length: 10_000 }, (_, at) => bucketOf(`tag ${at}`))
  expect(all.reduce((sum, bucket) => (Math.imul(sum, 31) + bucket) | 0, 0)).toBe(1476844514)
})

it('keeps the hash of an etag, and makes another hash of another seed', () => {
  expect(etagHash('1|2|3')).toBe('1agi2ohrwrj')
  expect(seededHash('a', 0x811c9dc5)).toBe(1882373825)
  expect(seededHash('a', 0x9747b28c)).not.toBe(1882373825)
})
