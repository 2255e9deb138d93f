/** Lets the merges of the full-text index that are owed come to their end, as the sweeps of the next half hour do. */
import { env } from 'cloudflare:workers'
import { MERGE_REST_MS, sweepRemovedWords } from '../../../src/storage/customers/removed-words.ts'

const RUNS_MAX = 100

type State = Record<'owed' | 'begun' | 'done', number>

export async function mergeRemovedWords(d1: D1Database = env.DB): Promise<void> {
  for (let run = 1; run < RUNS_MAX; run++) {
    const state = await d1.prepare('SELECT owed, begun, done FROM search_merges').first<State>()
    if (!state || (state.done === state.begun && state.owed <= state.done)) return
    await sweepRemovedWords(d1, Date.now() + run * MERGE_REST_MS)
  }
  throw new Error('a merge of the full-text index does not end')
}
