/** Costs of a gate's own storage, in rows as Cloudflare bills them: measured in the SQLite of a real Durable Object. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import type { StateRow, WriteRow } from '../../../src/gate/core/gate-storage.ts'
import { gateSql } from '../../../src/gate/object/gate-sql.ts'
import { GATE_ROWS } from '../../shared/rows-written.ts'

it('writes one row to insert and to prune a batch of changes, one for what is settled, for its state, and for the use of a key', async () => {
  const rows = await runInDurableObject(env.GATE.getByName(`${crypto.randomUUID()}:live`), (_, { storage }) => {
    let written = 0
    const exec: SqlStorage['exec'] = (...given) => {
      const cursor = storage.sql.exec(...given)
      // For a statement that returns no rows the count is complete at once.
      written += cursor.rowsWritten
      return cursor as never
    }
    const transactionSync: DurableObjectStorage['transactionSync'] = (work) => storage.transactionSync(work)
    const gate = gateSql({ sql: { exec }, transactionSync } as unknown as DurableObjectStorage)
    const priced = (work: () => void) => {
      written = 0
      work()
      return written
    }
    const write = (seq: number) =>
      ({ seq, stable: 0, bookmark: null, buckets: [1], deadlineMs: 1, uncounted: 0 }) satisfies WriteRow
    return {
      insert: priced(() => gate.insertWrite(write(1))),
      prune: priced(() => gate.pruneWrites(2)),
      stable: priced(() => gate.saveStable({ seq: 1, bookmark: 'bookmark' })),
      state: priced(() => gate.saveState({ epoch: 1, horizonMs: 1 } as unknown as StateRow)),
      use: priced(() => gate.saveKeyUse({ keyId: 'key_1', usedAtMs: 60_000 })),
    }
  })
  expect(rows).toEqual(GATE_ROWS)
})
