/**
 * The rows of a gate that grow with its tenant, at their bounds, as a Durable Object stores them. Cloudflare refuses a row of more than
 * 2 MB; local storage does not.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import type { GateKey } from '../../../src/gate/core/gate-storage.ts'
import { gateSql } from '../../../src/gate/object/gate-sql.ts'
import { TALLIES_MAX } from '../../../src/gate/protocol/constants.ts'
import type { LeaseRequest, Policy } from '../../../src/gate/protocol/leases.ts'
import { KEYS_MAX } from '../../../src/tenants/ports.ts'
import { SCOPES } from '../../../src/tenants/tenant.ts'
import { VALUE_BYTES_MAX } from '../../shared/d1-limits.ts'

const NOON_MS = Date.UTC(2026, 5, 1, 12)
const POLICY: Policy = {
  version: 1,
  tier: 'scale',
  status: 'active',
  ratePerSecond: 1_000_000,
  burst: 1_000_000,
  annualLimit: 1_000_000_000_000,
  contractStart: '2026-01-01',
}

/** Runs work in the storage of a new gate. */
function inGate<Result>(work: (storage: DurableObjectStorage) => Result): Promise<Result> {
  return runInDurableObject(env.GATE.getByName(`${crypto.randomUUID()}:live`), (_, { storage }) => work(storage))
}

function bytesOf({ sql }: DurableObjectStorage, name: string): number {
  const query = 'SELECT length(CAST(body AS BLOB)) AS bytes FROM singletons WHERE name = ?'
  return sql.exec<{ bytes: number }>(query, name).one().bytes
}

it('keeps the totals of 20,000 isolates that it hears within an hour within a row, and starts from it', async () => {
  const isolates = 20_000
  const found = await inGate((storage) => {
    const core = new GateCore(gateSql(storage), () => 0.5, NOON_MS)
    core.setPolicy(POLICY, [], NOON_MS)
    for (let at = 0; at < isolates; at++) {
      const request: LeaseRequest = {
        ...{ v: 1, sentAtMs: NOON_MS + at, since: null, want: 3, waiting: 1, counted: 3 },
        ...{ reports: [], seenSeq: 0, seenVersion: 0, credentials: [], recent: [] },
        tally: {
          ...{ id: crypto.randomUUID(), admitted: 1_000_000, limited: 100_000, errors: 10_000, held: 0 },
          ...{ savedAdmitted: 0, savedLimited: 0, savedErrors: 0, lastLeaseEpoch: 0, lastLeaseOrdinal: 0 },
        },
      } as LeaseRequest
      core.lease(request, NOON_MS + 2 * at)
    }
    const { count } = core.usage(NOON_MS + 2 * isolates)
    // A write stores the row, because the horizon is over.
    core.admitWrite(null, '', { sentAtMs: NOON_MS, isolate: null }, NOON_MS + 2 * isolates + 60_000)
    const { state } = gateSql(storage).load()
    const tallies = Object.keys(state?.annual.tallies ?? {}).length
    const next = new GateCore(gateSql(storage), () => 0.5, NOON_MS + 2 * isolates + 60_000)
    return { bytes: bytesOf(storage, 'state'), count, tallies, next: next.usage(NOON_MS + 2 * isolates).count }
  })
  expect(found.tallies).toBe(TALLIES_MAX)
  expect(found.bytes).toBeLessThan(VALUE_BYTES_MAX)
  expect(found.count).toBeGreaterThanOrEqual(1_000_000 * isolates)
  expect(found.next).toBeGreaterThanOrEqual(found.count)
})

it('keeps as many keys as a tenant may have within a row, whatever their names', async () => {
  // As many that replace others as there may be, and as many again that have just expired.
  const keys = Array.from({ length: 4 * KEYS_MAX }, (_, at) => ({
    ...{ id: `key_01JZ${String(at).padStart(22, '0')}`, tenantId: crypto.randomUUID(), mode: 'live' as const },
    // JSON needs six bytes for each of these.
    ...{ name: '\u0001'.repeat(100), secretHash: crypto.randomUUID().padEnd(43, '0'), scopes: [...SCOPES] },
    ...{ createdAtMs: NOON_MS, expiresAtMs: NOON_MS + 1_000_000, revokedAtMs: null },
    rotatedFrom: `key_01JY${String(at).padStart(22, '0')}`,
  }))
  const found = await inGate((storage) => {
    new GateCore(gateSql(storage), () => 0.5, NOON_MS).setPolicy(POLICY, keys, NOON_MS)
    return { bytes: bytesOf(storage, 'policy'), keys: gateSql(storage).load().keys }
  })
  expect(found.bytes).toBeLessThan(VALUE_BYTES_MAX / 2)
  const [first] = keys as [(typeof keys)[number]]
  const { id, secretHash, scopes, expiresAtMs, mode } = first
  expect(found.keys).toHaveLength(keys.length)
  expect(found.keys[0]).toEqual({ id, secretHash, scopes, expiresAtMs, mode } satisfies GateKey)
})
