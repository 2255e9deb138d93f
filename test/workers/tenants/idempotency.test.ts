/**
 * Repeatable requests of operators, below the HTTP layer: whichever part dies when, the change is made once, and no
 * answer is returned again before the change is in force.
 */
import { describe, expect, it } from 'vitest'
import type { IdempotentRequest } from '../../../src/idempotency/idempotency.ts'
import { RegistryError } from '../../../src/registry/errors.ts'
import { createKey, revokeKey, rotateKey } from '../../../src/tenants/keys.ts'
import { applyPendingPolicies } from '../../../src/tenants/operations.ts'
import { failureOf, type Hand, hand, make } from './support.ts'

const fields = { name: 'default', mode: 'live' as const, scopes: ['customers:read' as const], expiresAtMs: null }
const unavailable = { reason: 'unavailable', retryAfterMs: 1_000 }
const overlap = { overlapMs: 1_000, expiresAtMs: undefined }

/** Each call is one request with the same key; the sealing is tested at the API. */
function request(key: string = crypto.randomUUID(), fingerprint = 'the same'): () => IdempotentRequest {
  return () => ({
    key,
    fingerprint,
    seal: async (answer) => JSON.stringify(answer),
    open: async (sealed) => JSON.parse(sealed),
    replayed: false,
  })
}

async function keysOf({ deps }: Hand, tenantId: string) {
  return (await deps.store.listKeys(tenantId, { limit: 50, afterId: null }))?.items ?? []
}

describe('a keyed change whose first request died', () => {
  it('is repeated with the same answer after it died between D1 and the gates, and only once it is in force', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const nextRequest = request()
    my.live = new Error('no gate')
    expect(await failureOf(createKey(my.deps, id, fields, nextRequest()))).toEqual(unavailable)
    const [made] = await keysOf(my, id)
    // Still no gate: the key exists, and may not be returned yet.
    expect(await failureOf(createKey(my.deps, id, fields, nextRequest()))).toEqual(unavailable)

    my.live = { waitMs: 300 }
    my.steps.length = 0
    const again = nextRequest()
    const { key, text } = await createKey(my.deps, id, fields, again)
    expect([key, again.replayed]).toEqual([made, true])
    expect(text).toMatch(/^sk_live_/)
    expect(my.steps.slice(-2)).toEqual(['sleeps 300', 'applied 2'])
    expect(await keysOf(my, id)).toHaveLength(1)
    expect(await createKey(my.deps, id, fields, nextRequest())).toEqual({ key, text })
  })

  it('is brought in force by the sweep as well, and its repeat then waits for no gate', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const old = await createKey(my.deps, id, fields)
    const nextRequest = request()
    my.test = new Error('no gate')
    expect(await failureOf(rotateKey(my.deps, id, old.key.id, overlap, nextRequest()))).toEqual(unavailable)
    my.test = { waitMs: 0 }
    await applyPendingPolicies(my.deps)
    my.steps.length = 0
    const { key } = await rotateKey(my.deps, id, old.key.id, overlap, nextRequest())
    expect(key.rotatedFrom).toBe(old.key.id)
    expect(my.steps).toEqual([])
  })

  it('is repeated with the committed result when it died before it learned of the commit', async () => {
    const my = hand()
    const { store } = my.deps
    const lost = async (): Promise<never> => {
      throw new RegistryError({ reason: 'unavailable', retryAfterMs: 1_000 })
    }
    const breaking = {
      ...my.deps,
      store: { ...store, insert: (...all: Parameters<typeof store.insert>) => store.insert(...all).then(lost) },
    }
    const nextRequest = request()
    expect(await failureOf(make(breaking, {}, nextRequest()))).toEqual(unavailable)
    const [first, second] = [await make(my.deps, {}, nextRequest()), await make(my.deps, {}, nextRequest())]
    expect(second).toEqual(first)
    expect(await store.get(first.id)).toMatchObject({ id: first.id, companyName: first.companyName })
  })
})

describe('keyed requests at once', () => {
  it('make one thing and are all answered alike', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const [one, two, three] = [request(), request(), request()]
    const tenants = await Promise.all(Array.from({ length: 20 }, () => make(my.deps, {}, one())))
    expect(new Set(tenants.map((tenant) => tenant.id)).size).toBe(1)
    const keys = await Promise.all(Array.from({ length: 20 }, () => createKey(my.deps, id, fields, two())))
    expect(new Set(keys.map(({ text }) => text)).size).toBe(1)
    const old = keys[0]?.key.id ?? ''
    const rotated = await Promise.all(Array.from({ length: 20 }, () => rotateKey(my.deps, id, old, overlap, three())))
    expect(new Set(rotated.map(({ text }) => text)).size).toBe(1)
    expect((await keysOf(my, id)).map((key) => key.id)).toEqual([rotated[0]?.key.id, old])
  })

  it('report a mismatch to the one that is another request, whichever is first', async () => {
    const my = hand()
    const key = crypto.randomUUID()
    const outcomes = await Promise.allSettled([
      make(my.deps, {}, request(key, 'one')()),
      make(my.deps, {}, request(key, 'other')()),
    ])
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => reason.failure)).toEqual([{ reason: 'idempotency_mismatch' }])
  })
})

describe('a keyed request that is refused', () => {
  it('is refused again if the refusal was final, though it could be done by now', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const old = await createKey(my.deps, id, fields)
    const newer = await rotateKey(my.deps, id, old.key.id, overlap)
    const nextRequest = request()
    const rotate = (idempotentRequest: IdempotentRequest) =>
      rotateKey(my.deps, id, old.key.id, overlap, idempotentRequest)
    const refusal = await failureOf(rotate(nextRequest()))
    expect(refusal).toMatchObject({ reason: 'invalid_input' })
    await revokeKey(my.deps, id, newer.key.id)
    const again = nextRequest()
    expect([await failureOf(rotate(again)), again.replayed]).toEqual([refusal, true])
    expect((await rotate(request()())).key.rotatedFrom).toBe(old.key.id)
  })

  it('may succeed the next time if the refusal was temporary', async () => {
    const my = hand()
    const { store } = my.deps
    const { id } = await make(my.deps)
    const old = await createKey(my.deps, id, fields)
    // The old key's end is moved between the read and the change.
    const seen = { ...old.key, expiresAtMs: my.nowMs + 60_000 }
    const nextRequest = request()
    const stale = { ...my.deps, store: { ...store, getKey: async () => seen } }
    expect(await failureOf(rotateKey(stale, id, old.key.id, overlap, nextRequest()))).toEqual(unavailable)
    const { key } = await rotateKey(my.deps, id, old.key.id, overlap, nextRequest())
    expect(key.expiresAtMs).toBeNull()
  })

  it('is unavailable if its refusal cannot be stored', async () => {
    const my = hand()
    const away = () => Promise.reject(new RegistryError({ reason: 'unavailable', retryAfterMs: 1_000 }))
    const deps = { ...my.deps, store: { ...my.deps.store, storeResponse: away } }
    expect(await failureOf(createKey(deps, crypto.randomUUID(), fields, request()()))).toEqual(unavailable)
  })
})

it('treats a keyed request as the first again after a day', async () => {
  const my = hand()
  const nextRequest = request()
  const first = await make(my.deps, {}, nextRequest())
  my.nowMs += 24 * 3_600_000 - 1
  expect((await make(my.deps, {}, nextRequest())).id).toBe(first.id)
  my.nowMs += 1
  const other = await make(my.deps, {}, nextRequest())
  expect(other.id).not.toBe(first.id)
  expect((await make(my.deps, {}, nextRequest())).id).toBe(other.id)
})
