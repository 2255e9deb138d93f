/** The merges of the full-text index that customers owe who are gone. */
import { env } from 'cloudflare:workers'
import { beforeEach, expect, it } from 'vitest'
import type { Scope } from '../../../src/registry/customer.ts'
import { MERGE_REST_MS, sweepRemovedWords } from '../../../src/storage/customers/removed-words.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { commit, create, insertTenant } from './support.ts'

let scope: Scope
let begunAtMs: number
beforeEach(async () => {
  scope = await insertTenant()
  await eraseOne()
  await mergeRemovedWords()
  begunAtMs = (await state()).begun_at
})

async function eraseOne() {
  const { id } = await create(scope)
  await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
}

/** The numbers of the merges that are owed, begun and done, as distances to the one that is done. */
async function state() {
  const row = await env.DB.prepare(
    'SELECT owed - done AS owed, begun - done AS begun, begun_at FROM search_merges',
  ).first<{ owed: number; begun: number; begun_at: number }>()
  if (!row) throw new Error('no customer has owed a merge')
  return row
}

it('is owed once, however many customers are gone', async () => {
  expect(await state()).toMatchObject({ owed: 0, begun: 0 })
  await eraseOne()
  await eraseOne()
  expect(await state()).toMatchObject({ owed: 1, begun: 0 })
})

it('begins a while after the one before began, and not if none is owed', async () => {
  await sweepRemovedWords(env.DB, begunAtMs + MERGE_REST_MS)
  expect(await state()).toMatchObject({ begun_at: begunAtMs })
  await eraseOne()
  await sweepRemovedWords(env.DB, begunAtMs + MERGE_REST_MS - 1)
  expect(await state()).toMatchObject({ owed: 1, begun_at: begunAtMs })
  await sweepRemovedWords(env.DB, begunAtMs + MERGE_REST_MS)
  expect(await state()).toMatchObject({ owed: 0, begun: 0, begun_at: begunAtMs + MERGE_REST_MS })
})

it('is owed again for a customer that goes while one is under way', async () => {
  await eraseOne()
  // As if the last run had stopped in the middle.
  await env.DB.prepare('UPDATE search_merges SET begun = begun + 1').run()
  expect(await state()).toMatchObject({ owed: 1, begun: 1 })
  await eraseOne()
  expect(await state()).toMatchObject({ owed: 2, begun: 1 })
  await sweepRemovedWords(env.DB, begunAtMs + 1)
  expect(await state()).toMatchObject({ owed: 1, begun: 0 })
})
