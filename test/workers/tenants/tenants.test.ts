/**
 * Tenants as they are stored: the limits of the tiers, the fields that a change touches, lists, and the data that a
 * gate loads.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../../../src/storage/database.ts'
import { loadTenantForGate } from '../../../src/storage/tenants/policy.ts'
import { createKey, revokeKey } from '../../../src/tenants/keys.ts'
import { getTenant, listTenants, updateTenant } from '../../../src/tenants/operations.ts'
import type { TenantChanges } from '../../../src/tenants/ports.ts'
import { SCOPES } from '../../../src/tenants/tenant.ts'
import { limitsFor, TIER_LIMITS, TIERS } from '../../../src/tenants/tiers.ts'
import { failureOf, hand, make } from './support.ts'

const tier = fc.constantFrom(...TIERS)
const limit = fc.integer({ min: 1, max: 100_000 })
const limits = fc.record(
  {
    requestsPerSecond: limit,
    burst: limit,
    annualCommitment: limit,
    annualValidationLimit: limit,
    storageBytes: limit,
  },
  { requiredKeys: [] },
)

describe('the limits of a tenant', () => {
  it('follow its tier through any sequence of changes; custom keeps the former ones except the given', async () => {
    const { deps } = hand()
    const change = fc
      .record({ tier, limits })
      .map(({ tier, limits }) => (tier === 'custom' ? { tier, limits } : { tier }))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 6 }), async (changes) => {
        const { id } = await make(deps)
        let expected = TIER_LIMITS.starter
        for (const change of changes) {
          expected = limitsFor(change.tier, expected, 'limits' in change ? change.limits : undefined)
          const tenant = await updateTenant(deps, id, change)
          expect({ tier: tenant.tier, limits: tenant.limits }).toEqual({ tier: change.tier, limits: expected })
        }
        expect((await getTenant(deps, id)).limits).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  it('can be given to a custom tenant only, and a refused change touches no column', async () => {
    const { deps } = hand()
    const { id } = await make(deps, { tier: 'scale' })
    const before = await deps.store.get(id)
    const refused = { reason: 'invalid_input', problems: [{ field: 'limits' }] }
    for (const change of [
      { limits: { burst: 1 } },
      { tier: 'growth', limits: { burst: 1 } },
      { limits: {} },
    ] as const) {
      expect(await failureOf(updateTenant(deps, id, { ...change, companyName: 'Changed' }))).toMatchObject(refused)
    }
    expect(await failureOf(make(deps, { tier: 'scale', limits: { burst: 1 } }))).toMatchObject(refused)
    expect(await deps.store.get(id)).toEqual(before)
    await updateTenant(deps, id, { tier: 'custom' })
    expect((await updateTenant(deps, id, { limits: { burst: 1 } })).limits).toEqual({ ...TIER_LIMITS.scale, burst: 1 })
  })
})

describe('a change of a tenant', () => {
  it('touches only the named fields: concurrent changes of different fields all survive', async () => {
    const { deps } = hand()
    const { id } = await make(deps)
    const changes: TenantChanges[] = [
      { companyName: 'New Name' },
      { contactEmail: 'new@example.com' },
      { tier: 'enterprise' },
      { status: 'suspended' },
      { contractStartMs: 1_000 },
      { contractEndMs: 2_000 },
      { metadata: '{"a":[1.10,{"b":null}]}' },
    ]
    await Promise.all(changes.map((change) => updateTenant(deps, id, change)))
    expect(await getTenant(deps, id)).toMatchObject(Object.assign({}, ...changes, { limits: TIER_LIMITS.enterprise }))
  })

  it('keeps the time of the last update when nothing changes', async () => {
    const my = hand()
    const { id, ...created } = await make(my.deps, { metadata: '{"a":1}', contractStartMs: 5 })
    my.nowMs += 60_000
    const { companyName, contactEmail, tier, status, contractStartMs, contractEndMs, metadata } = created
    const same = { companyName, contactEmail, tier, status, contractStartMs, contractEndMs, metadata }
    expect(await updateTenant(my.deps, id, same)).toMatchObject({ updatedAtMs: created.updatedAtMs, policyVersion: 1 })
    expect(await updateTenant(my.deps, id, { metadata: '{}' })).toMatchObject({
      updatedAtMs: my.nowMs,
      policyVersion: 1,
    })
  })

  it('never leaves a contract that ends before it starts, also when only one end is given', async () => {
    const { deps } = hand()
    const refused = { reason: 'invalid_input', problems: [{ field: 'contract_end' }] }
    expect(await failureOf(make(deps, { contractStartMs: 2, contractEndMs: 1 }))).toMatchObject(refused)
    const { id } = await make(deps, { contractStartMs: 1_000, contractEndMs: 1_000 })
    const before = await deps.store.get(id)
    for (const change of [
      { contractEndMs: 999 },
      { contractStartMs: 1_001 },
      { contractStartMs: 9, contractEndMs: 8 },
    ]) {
      expect(await failureOf(updateTenant(deps, id, { ...change, companyName: 'Changed' }))).toMatchObject(refused)
    }
    expect(await deps.store.get(id)).toEqual(before)
    await updateTenant(deps, id, { contractStartMs: null, contractEndMs: 1 })
  })

  it('is refused for a tenant that does not exist', async () => {
    const { deps } = hand()
    const missing = { reason: 'not_found', resource: 'tenant' }
    const id = crypto.randomUUID()
    expect(await failureOf(updateTenant(deps, id, { status: 'suspended' }))).toEqual(missing)
    expect(await failureOf(updateTenant(deps, id, {}))).toEqual(missing)
    expect(await failureOf(getTenant(deps, id))).toEqual(missing)
  })
})

describe('a list of tenants', () => {
  it('pages newest first, without skipping or repeating, whatever the size of the page', async () => {
    const my = hand()
    const search = crypto.randomUUID()
    const ids: string[] = []
    for (let at = 0; at < 7; at++) {
      my.nowMs++
      ids.unshift((await make(my.deps, { companyName: `${search} ${at}` })).id)
    }
    for (const limit of [1, 2, 3, 7, 100]) {
      const seen: string[] = []
      let afterId: string | null = null
      for (let hasMore = true; hasMore; ) {
        const page = await listTenants(my.deps, { search }, { limit, afterId })
        seen.push(...page.items.map(({ id }) => id))
        afterId = seen.at(-1) ?? null
        hasMore = page.hasMore
      }
      expect(seen).toEqual(ids)
    }
  })

  it('finds by status, by tier, and by part of the name or the address in any case, where % and _ are letters', async () => {
    const { deps } = hand()
    const mark = crypto.randomUUID()
    const found = await make(deps, { companyName: `100%_${mark}`, tier: 'growth', status: 'suspended' })
    await make(deps, { companyName: `100x_${mark}`, contactEmail: `${mark}@example.com`, tier: 'scale' })
    const idsFor = async (query: Parameters<typeof listTenants>[1]) =>
      (await listTenants(deps, { search: mark, ...query }, { limit: 10, afterId: null })).items.map(({ id }) => id)
    expect(await idsFor({ status: 'suspended' })).toEqual([found.id])
    expect(await idsFor({ tier: 'growth' })).toEqual([found.id])
    expect(await idsFor({ tier: 'growth', status: 'active' })).toEqual([])
    expect(await idsFor({ search: `%_${mark.toUpperCase()}` })).toEqual([found.id])
    expect(await idsFor({ search: `${mark}@EXAMPLE` })).toHaveLength(1)
    expect(await idsFor({ search: mark })).toHaveLength(2)
  })
})

describe('the policy that a gate loads', () => {
  it('has the tenant and those of its keys that are of the gate’s mode and not revoked', async () => {
    const { deps } = hand()
    const { id } = await make(deps, { tier: 'scale' })
    const fields = { name: 'default', scopes: [...SCOPES], expiresAtMs: null }
    const [live, revoked, test] = [
      await createKey(deps, id, { ...fields, mode: 'live' }),
      await createKey(deps, id, { ...fields, mode: 'live' }),
      await createKey(deps, id, { ...fields, mode: 'test', scopes: ['events:read'] }),
    ]
    await revokeKey(deps, id, revoked.key.id)
    const load = (mode: 'live' | 'test') => loadTenantForGate(openDatabase(env.DB), id, mode)
    const { policyAppliedVersion: _, ...tenant } = Object.assign({}, await deps.store.get(id))
    const d1Ms = expect.any(Number)
    const dataEpoch = await env.DB.prepare('SELECT data_epoch FROM deployment').first<number>('data_epoch')
    expect(await load('live')).toEqual({ dataEpoch, d1Ms, tenant, keys: [live.key] })
    expect(await load('test')).toEqual({ dataEpoch, d1Ms, tenant, keys: [test.key] })
    const nobody = await loadTenantForGate(openDatabase(env.DB), crypto.randomUUID(), 'live')
    expect(nobody).toEqual({ dataEpoch, d1Ms, tenant: null, keys: [] })
  })

  it('is found by key, and the sweep finds its tenants by the index made for it', async () => {
    const plan = async (query: string) =>
      (await env.DB.prepare(`EXPLAIN QUERY PLAN ${query}`).all()).results.map((row) => row.detail).join('; ')
    const sweep =
      "select * from tenants where policy_applied_version < policy_version and id > 'a' order by id limit 50"
    expect(await plan(sweep)).toContain('tenants_policy_unapplied')
    const deleted = 'select id from tenants where deleted_at IS NOT NULL and policy_applied_version >= policy_version'
    expect(await plan(deleted)).toContain('tenants_deleted')
    expect(await plan("select * from api_keys where tenant_id = 'a' and mode = 'live'")).toContain('PRIMARY KEY')
  })
})
