/** Which answers are kept under an idempotency key: whatever is so for good, and nothing that may go well the next time. */
import { describe, expect, it } from 'vitest'
import { type Failure, isDefinite, Refused } from '../../src/registry/failures.ts'
import { type KeptAnswer, onceOnly, type Repeatable } from '../../src/registry/once.ts'

const PASSING: Failure[] = [
  { reason: 'unavailable', retryAfterMs: 1_000 },
  { reason: 'internal' },
  { reason: 'rate_limited', retryAfterMs: 1_000 },
  { reason: 'annual_limit_reached', retryAfterMs: 1_000 },
  { reason: 'idempotency_mismatch' },
  { reason: 'idempotency_in_progress', retryAfterMs: 1_000 },
]
const LASTING: Failure[] = [
  { reason: 'invalid_input', problems: [] },
  { reason: 'not_found', resource: 'endpoint' },
  { reason: 'too_many_endpoints', endpointsMax: 20 },
  { reason: 'version_conflict', currentVersion: 2 },
  { reason: 'external_id_taken', externalId: 'a', customerId: null },
]

/** Sends the same request twice, the first of which is refused; answers what the second is told. */
async function secondAfter(failure: Failure): Promise<unknown> {
  const answers = new Map<string, KeptAnswer>()
  const store = {
    keptAnswer: async (key: string) => answers.get(key) ?? null,
    keepAnswer: async (kept: KeptAnswer) => void answers.set(kept.key, kept),
  }
  const repeatable: Repeatable = {
    key: 'one',
    fingerprint: 'the same',
    seal: async (answer) => JSON.stringify(answer),
    open: async (sealed) => JSON.parse(sealed),
    replayed: false,
  }
  const send = (change: () => Promise<string>) =>
    onceOnly({ store, clock: () => 0 }, { ...repeatable }, change).catch((error) => error.failure)
  expect(await send(() => Promise.reject(new Refused(failure)))).toEqual(failure)
  return send(async () => 'made')
}

describe('a request that was refused and is sent again with its key', () => {
  it.each(LASTING)('is refused again when it was for good: $reason', async (failure) => {
    expect(isDefinite(failure)).toBe(true)
    expect(await secondAfter(failure)).toEqual(failure)
  })

  it.each(PASSING)('is tried anew when it may go well this time: $reason', async (failure) => {
    expect(isDefinite(failure)).toBe(false)
    expect(await secondAfter(failure)).toBe('made')
  })
})
