/** Tests which responses are stored under an idempotency key: those that stay true, and none that may succeed the next time. */
import { describe, expect, it } from 'vitest'
import { type IdempotentRequest, type StoredResponse, withIdempotency } from '../../../src/idempotency/idempotency.ts'
import { type Failure, isDefinite, RegistryError } from '../../../src/registry/errors.ts'

const PASSING: Failure[] = [
  { reason: 'unavailable', retryAfterMs: 1_000 },
  { reason: 'insufficient_storage' },
  { reason: 'internal' },
  { reason: 'rate_limited', retryAfterMs: 1_000 },
  { reason: 'annual_limit_reached', retryAfterMs: 1_000 },
  { reason: 'idempotency_mismatch' },
  { reason: 'idempotency_in_progress', retryAfterMs: 1_000 },
  { reason: 'invalid_input', problems: [] },
  { reason: 'invalid_option', option: 'reason', message: 'is too long', fix: 'send less' },
]
const LASTING: Failure[] = [
  { reason: 'not_found', resource: 'endpoint' },
  { reason: 'too_many_endpoints', endpointsMax: 20 },
  { reason: 'version_conflict', currentVersion: 2 },
  { reason: 'external_id_taken', externalId: 'a', customerId: null },
]

/** Sends the same request twice. The first is refused. Returns the result of the second. */
async function secondAfter(failure: Failure): Promise<unknown> {
  const answers = new Map<string, StoredResponse>()
  const store = {
    storedResponse: async (key: string) => answers.get(key) ?? null,
    storeResponse: async (kept: StoredResponse) => void answers.set(kept.key, kept),
  }
  const idempotentRequest: IdempotentRequest = {
    key: 'one',
    fingerprint: 'the same',
    seal: async (answer) => JSON.stringify(answer),
    open: async (sealed) => JSON.parse(sealed),
    replayed: false,
  }
  const send = (change: () => Promise<string>) =>
    withIdempotency({ store, clock: () => 0 }, { ...idempotentRequest }, change).catch((error) => error.failure)
  expect(await send(() => Promise.reject(new RegistryError(failure)))).toEqual(failure)
  return send(async () => 'made')
}

describe('a request that was refused and is sent again with its key', () => {
  it.each(LASTING)('is refused again when the reason lasts: $reason', async (failure) => {
    expect(isDefinite(failure)).toBe(true)
    expect(await secondAfter(failure)).toEqual(failure)
  })

  it.each(PASSING)('is executed again when it may succeed now: $reason', async (failure) => {
    expect(isDefinite(failure)).toBe(false)
    expect(await secondAfter(failure)).toBe('made')
  })
})
