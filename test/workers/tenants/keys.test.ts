/** The life of an API key: shown once, rotated with or without overlap, revoked for good. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { readKey } from '../../../src/tenants/key-format.ts'
import { createKey, listKeys, revokeKey, rotateKey } from '../../../src/tenants/keys.ts'
import { KEYS_MAX, type TenantDeps } from '../../../src/tenants/ports.ts'
import { SCOPES } from '../../../src/tenants/tenant.ts'
import { admin, newTenant } from '../support/roster.ts'
import { failureOf, hand, make, SIGNING_SECRET } from './support.ts'

const fields = { name: 'billing', mode: 'test' as const, scopes: [...SCOPES.slice(0, 2)], expiresAtMs: null }
const noKey = { reason: 'not_found', resource: 'key' }
const rotate = { overlapMs: 0, expiresAtMs: undefined }

async function keysOf(deps: TenantDeps, tenantId: string) {
  return (await deps.store.listKeys(tenantId, { limit: 100, afterId: null }))?.items ?? []
}

describe('a new key', () => {
  it('belongs to its tenant and mode, and its text is nowhere in the database', async () => {
    const { deps } = hand()
    const { id } = await make(deps)
    const { key, text } = await createKey(deps, id, fields)
    expect(await readKey(text, [SIGNING_SECRET])).toEqual({ tenantId: id, mode: 'test', secretHash: key.secretHash })
    const { results } = await env.DB.prepare('SELECT * FROM api_keys WHERE id = ?').bind(key.id).all()
    expect(JSON.stringify(results)).not.toContain(text.slice('sk_test_'.length))
    expect(await keysOf(deps, id)).toEqual([key])
  })

  it('needs a tenant and an end that lies ahead', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const missing = { reason: 'not_found', resource: 'tenant' }
    expect(await failureOf(createKey(my.deps, crypto.randomUUID(), fields))).toEqual(missing)
    expect(await failureOf(listKeys(my.deps, crypto.randomUUID(), { limit: 1, afterId: null }))).toEqual(missing)
    for (const expiresAtMs of [my.nowMs, my.nowMs - 1, 0]) {
      const refused = { reason: 'invalid_input', problems: [{ field: 'expires_at' }] }
      expect(await failureOf(createKey(my.deps, id, { ...fields, expiresAtMs }))).toMatchObject(refused)
    }
    expect(await keysOf(my.deps, id)).toEqual([])
  })
})

describe('the keys of a tenant', () => {
  it('are listed with their last use by the gates of their modes, and not at all while one of these is away', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const page = { limit: 100, afterId: null }
    expect(await listKeys(my.deps, id, page)).toEqual({ items: [], hasMore: false })
    const { key } = await createKey(my.deps, id, fields)
    expect(await failureOf(listKeys(my.deps, id, page))).toMatchObject({ reason: 'unavailable' })
    const counts = { yearStart: '', count: 0, outstanding: 0, days: {} }
    my.deps.gates.usage = async () => ({ ...counts, keyUses: { [key.id]: 60_000, other: 120_000 } })
    expect(await listKeys(my.deps, id, page)).toEqual({ items: [{ ...key, lastUsedAtMs: 60_000 }], hasMore: false })
    my.deps.gates.usage = async () => counts
    expect((await listKeys(my.deps, id, page)).items, 'a gate that runs older code').toEqual([
      { ...key, lastUsedAtMs: null },
    ])
  })
})

describe('a rotated key', () => {
  it('has a successor of the same name, mode and scopes, and is dead at once without an overlap', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const old = await createKey(my.deps, id, fields)
    my.nowMs += 1_000
    const { key, text } = await rotateKey(my.deps, id, old.key.id, rotate)
    expect(key).toEqual({
      ...old.key,
      id: key.id,
      secretHash: (await readKey(text, [SIGNING_SECRET]))?.secretHash,
      createdAtMs: my.nowMs,
      rotatedFrom: old.key.id,
    })
    expect(key.secretHash).not.toBe(old.key.secretHash)
    const dead = { ...old.key, expiresAtMs: my.nowMs, revokedAtMs: my.nowMs }
    expect(await keysOf(my.deps, id)).toEqual([key, dead])
  })

  it('works on for the overlap, but never beyond its own end', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const endless = await createKey(my.deps, id, fields)
    const ending = await createKey(my.deps, id, { ...fields, expiresAtMs: my.nowMs + 5_000 })
    const overlap = { ...rotate, overlapMs: 60_000 }
    const [one, two] = [
      await rotateKey(my.deps, id, endless.key.id, overlap),
      await rotateKey(my.deps, id, ending.key.id, overlap),
    ]
    const byId = new Map((await keysOf(my.deps, id)).map((key) => [key.id, key]))
    expect(byId.get(endless.key.id)).toMatchObject({ expiresAtMs: my.nowMs + 60_000, revokedAtMs: null })
    expect(byId.get(ending.key.id)).toMatchObject({ expiresAtMs: my.nowMs + 5_000, revokedAtMs: null })
    // The successor ends when the old one was to end, so that a rotation lengthens nothing.
    expect(one.key.expiresAtMs).toBeNull()
    expect(two.key.expiresAtMs).toBe(my.nowMs + 5_000)
  })

  it('has a successor with another end when one is given', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const { key } = await createKey(my.deps, id, { ...fields, expiresAtMs: my.nowMs + 5_000 })
    const refused = rotateKey(my.deps, id, key.id, { overlapMs: 0, expiresAtMs: my.nowMs })
    expect(await failureOf(refused)).toMatchObject({ reason: 'invalid_input' })
    const longer = await rotateKey(my.deps, id, key.id, { overlapMs: 1, expiresAtMs: my.nowMs + 9_000 })
    expect(longer.key.expiresAtMs).toBe(my.nowMs + 9_000)
    expect(
      (await rotateKey(my.deps, id, longer.key.id, { overlapMs: 1, expiresAtMs: null })).key.expiresAtMs,
    ).toBeNull()
  })

  it('has one successor, however many rotations race, and the others receive its id', async () => {
    const { deps } = hand()
    const { id } = await make(deps)
    const { key } = await createKey(deps, id, fields)
    const overlap = { ...rotate, overlapMs: 60_000 }
    const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map(() => rotateKey(deps, id, key.id, overlap)))
    const made = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    expect(made).toHaveLength(1)
    const successorId = made[0]?.value.key.id
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason.failure.problems[0].message).toContain(successorId)
    }
    expect(await keysOf(deps, id)).toHaveLength(2)
    // Once the successor is revoked, the old one may get another.
    await revokeKey(deps, id, successorId ?? '')
    expect((await rotateKey(deps, id, key.id, overlap)).key.rotatedFrom).toBe(key.id)
  })

  it('must be valid: unknown, revoked and expired ones get no successor', async () => {
    const my = hand()
    const [mine, other] = [await make(my.deps), await make(my.deps)]
    const revoked = await createKey(my.deps, mine.id, fields)
    await revokeKey(my.deps, mine.id, revoked.key.id)
    const expired = await createKey(my.deps, mine.id, { ...fields, expiresAtMs: my.nowMs + 1 })
    const foreign = await createKey(my.deps, other.id, fields)
    my.nowMs += 1
    for (const { key } of [revoked, expired, foreign]) {
      expect(await failureOf(rotateKey(my.deps, mine.id, key.id, rotate))).toEqual(noKey)
    }
    expect(await failureOf(rotateKey(my.deps, mine.id, 'key_unknown', rotate))).toEqual(noKey)
    const nobody = rotateKey(my.deps, crypto.randomUUID(), foreign.key.id, rotate)
    expect(await failureOf(nobody)).toEqual({ reason: 'not_found', resource: 'tenant' })
    expect(await keysOf(my.deps, mine.id)).toHaveLength(2)
    expect(await keysOf(my.deps, other.id)).toEqual([foreign.key])
  })
})

describe('a revoked key', () => {
  it('stays revoked, stays listed, and belongs to its own tenant only', async () => {
    const my = hand()
    const [mine, other] = [await make(my.deps), await make(my.deps)]
    const { key } = await createKey(my.deps, mine.id, fields)
    expect(await failureOf(revokeKey(my.deps, other.id, key.id))).toEqual(noKey)
    expect(await failureOf(revokeKey(my.deps, mine.id, 'key_unknown'))).toEqual(noKey)
    expect(await failureOf(revokeKey(my.deps, crypto.randomUUID(), key.id))).toMatchObject({ resource: 'tenant' })
    await revokeKey(my.deps, mine.id, key.id)
    my.nowMs += 1_000
    await revokeKey(my.deps, mine.id, key.id)
    expect(await keysOf(my.deps, mine.id)).toEqual([{ ...key, revokedAtMs: my.nowMs - 1_000 }])
  })
})

describe('the keys of a tenant and mode', () => {
  it('are at most a thousand in use, with a clear refusal, and can still be rotated', async () => {
    const { tenantId, live } = await newTenant()
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
       INSERT INTO api_keys (tenant_id, id, mode, name, secret_hash, scopes, created_at)
       SELECT ?1, printf('key_%026d', i), 'live', '', printf('h%d', i), '[]', 0 FROM n`,
    )
      .bind(tenantId, KEYS_MAX - 1)
      .run()
    const refused = await admin('POST', `/${tenantId}/keys`, { mode: 'live' })
    expect([refused.status, refused.body.code]).toEqual([400, 'validation_error'])
    expect(refused.body.details.errors[0]).toMatchObject({
      field: 'mode',
      message: 'has 1,000 keys in use, which is the most',
    })
    expect((await admin('POST', `/${tenantId}/keys`, { mode: 'test' })).status).toBe(201)
    expect((await admin('POST', `/${tenantId}/keys/${live.keyId}/rotate`, { overlap_seconds: 60 })).status).toBe(201)
    await admin('DELETE', `/${tenantId}/keys/key_${String(1).padStart(26, '0')}`)
    await admin('DELETE', `/${tenantId}/keys/key_${String(2).padStart(26, '0')}`)
    expect((await admin('POST', `/${tenantId}/keys`, { mode: 'live' })).status).toBe(201)
  })
})
