/** The cost of an import in rows of D1: one row more for each change than one by one, however many customers exist. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { planImport } from '../../../src/gate/object/import-plan.ts'
import type { ImportLine } from '../../../src/registry/bulk.ts'
import { newId } from '../../../src/shared/ids.ts'
import { importStore } from '../../../src/storage/customers/import.ts'
import { CHANGE_ROWS } from '../../shared/rows-written.ts'
import { metered, spent } from '../storage/support.ts'
import { newTenant } from '../support/roster.ts'
import { importLines } from './support.ts'

it('reads by key only and writes the rows of its changes', async () => {
  const { tenantId, live } = await newTenant()
  const scope = { tenantId, mode: 'live' as const }
  const many = Array.from({ length: 4_000 }, (_, at) => ({ external_id: `c_${at}`, email: `c${at}@example.com` }))
  await importLines(live.key, many)
  const { d1, costs } = metered(env.DB)
  const store = importStore(d1)
  const lineOf = (externalId: string): ImportLine => {
    const parent = { externalId: 'c_0' }
    return { id: newId('customer', Date.now()), externalId, fields: { name: 'New', parent } }
  }
  const lines = Array.from({ length: 20 }, (_, at) => lineOf(at < 10 ? `c_${at + 1}` : `new_${at}`))
  const facts = await store.lookUpLines(scope, lines, 'req')
  const { segments, refused } = planImport(lines, facts, () => newId('event', Date.now()))
  expect(refused).toEqual([])
  expect(segments.map((segment) => segment.length)).toEqual([10, 10])
  const nowMs = Date.now()
  const stamp = { actor: 'key', requestId: 'req', reason: null, nowMs, deadlineMs: nowMs + 10_000 }
  const done = await store.commitSegments(scope, segments, stamp)
  expect(done).toMatchObject({ ok: true })
  const { rowsRead, rowsWritten } = spent(costs)
  expect(rowsRead).toBeLessThan(20 * 60)
  // SQLite buffers the rows of one statement before it writes them, and D1 counts that too: one more for each change.
  const each = CHANGE_ROWS['create with e-mail, parent, integration'] + CHANGE_ROWS['update of the parent']
  expect(rowsWritten).toBeLessThanOrEqual(10 * (each + 2))
})
