/**
 * Promise C2, the operator's half: a change is answered only when both gates have it and no lease under the old policy
 * is left. The gates' half is in test/node/gate; here stand-ins return how long to wait for them.
 */
import { describe, expect, it } from 'vitest'
import { createKey, revokeKey, rotateKey } from '../../../src/tenants/keys.ts'
import { applyPendingPolicies, updateTenant } from '../../../src/tenants/operations.ts'
import { failureOf, hand, loggedIn, make } from './support.ts'

const keyFields = { name: 'default', mode: 'live' as const, scopes: ['customers:read' as const], expiresAtMs: null }
const unavailable = { reason: 'unavailable', retryAfterMs: 1_000 }

describe('a change of policy', () => {
  it('is in D1 before a gate receives it, is waited for as long as the slower gate says, and is marked last', async () => {
    const { deps, steps } = hand()
    const tenant = await make(deps)
    expect(steps).toEqual([])
    await updateTenant(deps, tenant.id, { status: 'suspended' })
    expect(steps.toSorted()).toEqual(['applied 2', 'live reads 2', 'test reads 2'])
    expect(steps.at(-1)).toBe('applied 2')
  })

  it('sends what has waited for a suspended tenant when the reactivation is in force, and at no other change', async () => {
    const { deps, steps } = hand()
    const resuming = { ...deps, resumeDeliveries: async (tenantId: string) => void steps.push(`resumes ${tenantId}`) }
    const { id } = await make(deps)
    await updateTenant(resuming, id, { status: 'suspended' })
    await updateTenant(resuming, id, { tier: 'scale' })
    expect(steps).not.toContain(`resumes ${id}`)
    await updateTenant(resuming, id, { status: 'active' })
    expect(steps.slice(-2)).toEqual(['applied 4', `resumes ${id}`])
  })

  it('sleeps once, for the larger of the two waits', async () => {
    const my = hand()
    const tenant = await make(my.deps)
    my.live = { waitMs: 120 }
    my.test = { waitMs: 870 }
    await updateTenant(my.deps, tenant.id, { tier: 'scale' })
    expect(my.steps.slice(2)).toEqual(['sleeps 870', 'applied 2'])
  })

  it('raises the version once for each change of tier, status, limits, contract start or keys', async () => {
    const { deps } = hand()
    const { id } = await make(deps)
    const changes = [
      { tier: 'custom' },
      { limits: { burst: 7 } },
      { status: 'suspended' },
      { contractStartMs: 0 },
      { contractStartMs: null },
    ] as const
    for (const [at, change] of changes.entries()) {
      expect((await updateTenant(deps, id, change)).policyVersion).toBe(at + 2)
    }
    const { key } = await createKey(deps, id, keyFields)
    const rotated = await rotateKey(deps, id, key.id, { overlapMs: 1_000, expiresAtMs: undefined })
    await revokeKey(deps, id, rotated.key.id)
    expect(await deps.store.get(id)).toMatchObject({ policyVersion: 9, policyAppliedVersion: 9 })
  })

  it('calls no gate when it changes nothing, or nothing that a gate enforces', async () => {
    const { deps, steps } = hand()
    const { id } = await make(deps, { tier: 'scale' })
    await updateTenant(deps, id, {})
    await updateTenant(deps, id, { tier: 'scale', status: 'active', contractStartMs: null })
    await updateTenant(deps, id, {
      companyName: 'Other',
      contactEmail: 'a@b.co',
      contractEndMs: 5,
      metadata: '{"a":1}',
    })
    expect(steps).toEqual([])
  })

  it('is answered only once both of two concurrent changes are in force', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const wake: (() => void)[] = []
    const sleeping = { ...my.deps, sleep: () => new Promise<void>((resolve) => wake.push(resolve)) }
    my.live = { waitMs: 900 }
    const answered: string[] = []
    const first = updateTenant(sleeping, id, { status: 'suspended' }).then(() => answered.push('first'))
    while (wake.length < 1) await new Promise((resolve) => setTimeout(resolve, 1))
    // The same request again finds D1 as it wants it, but leases of before are still out.
    const second = updateTenant(sleeping, id, { status: 'suspended' }).then(() => answered.push('second'))
    while (wake.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(answered).toEqual([])
    for (const resolve of wake) resolve()
    await Promise.all([first, second])
    expect(answered).toHaveLength(2)
  })
})

describe('a change whose gate is unreachable', () => {
  it('is refused as unavailable, is in D1, and is completed by a repeat of the request', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    my.test = new Error('gate is away')
    const lines = await loggedIn(async () => {
      expect(await failureOf(updateTenant(my.deps, id, { status: 'suspended' }))).toEqual(unavailable)
    })
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'policy_not_applied', tenantId: id, version: 2 },
    ])
    expect(await my.deps.store.get(id)).toMatchObject({
      status: 'suspended',
      policyVersion: 2,
      policyAppliedVersion: 1,
    })
    my.test = { waitMs: 3 }
    my.steps.length = 0
    await updateTenant(my.deps, id, { status: 'suspended' })
    expect(my.steps.slice(2)).toEqual(['sleeps 3', 'applied 2'])
  })

  it('is completed by the sweep for one page of tenants after the other, up to a number that a run of the cron can bear', async () => {
    const my = hand()
    const all = Array.from({ length: 400 }, (_, at) => String(at).padStart(3, '0'))
    const tenant = await my.deps.store.get((await make(my.deps)).id)
    const store = {
      ...my.deps.store,
      unapplied: async (afterId: string, limit: number) =>
        all
          .filter((id) => id > afterId)
          .slice(0, limit)
          .map((id) => ({ ...Object.assign({}, tenant), id, policyVersion: 2 })),
      markApplied: async () => undefined,
    }
    const reloaded: string[] = []
    const gates = {
      ...my.deps.gates,
      reload: async (id: string, mode: string) => {
        if (mode === 'live') reloaded.push(id)
        // One tenant of the first page stays behind.
        if (id === '007') throw new Error('the gate is away')
        return { waitMs: 0 }
      },
    }
    await loggedIn(() => applyPendingPolicies({ ...my.deps, store, gates }))
    expect(reloaded).toEqual(all.slice(0, 250))
  })

  it('is completed by the sweep, which finds it without reading the others and continues past a gate that is still unreachable', async () => {
    const my = hand()
    const [stuck, waiting] = [await make(my.deps), await make(my.deps)]
    my.live = new Error('gate is away')
    await loggedIn(async () => {
      for (const { id } of [stuck, waiting]) await failureOf(updateTenant(my.deps, id, { tier: 'growth' }))
    })
    my.live = { waitMs: 0 }
    const { reload } = my.deps.gates
    const halfAway = {
      ...my.deps,
      gates: {
        ...my.deps.gates,
        reload: (id: string, mode: 'live' | 'test') =>
          id === stuck.id ? Promise.reject(new Error('away')) : reload(id, mode),
      },
    }
    await loggedIn(() => applyPendingPolicies(halfAway))
    expect(await my.deps.store.get(waiting.id)).toMatchObject({ policyAppliedVersion: 2 })
    expect((await my.deps.store.unapplied('', 50)).map(({ id }) => id)).toEqual([stuck.id])
    await loggedIn(() => applyPendingPolicies(my.deps))
    expect(await my.deps.store.unapplied('', 50)).toEqual([])
  })

  it('revokes no key twice, but answers a repeated revocation only when it is in force', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const { key } = await createKey(my.deps, id, keyFields)
    my.live = new Error('gate is away')
    await loggedIn(async () => {
      expect(await failureOf(revokeKey(my.deps, id, key.id))).toEqual(unavailable)
      my.nowMs += 5_000
      expect(await failureOf(revokeKey(my.deps, id, key.id))).toEqual(unavailable)
    })
    my.live = { waitMs: 0 }
    await revokeKey(my.deps, id, key.id)
    const [revoked] = (await my.deps.store.listKeys(id, { limit: 10, afterId: null }))?.items ?? []
    expect(revoked).toMatchObject({ id: key.id, revokedAtMs: my.nowMs - 5_000 })
    expect(await my.deps.store.get(id)).toMatchObject({ policyVersion: 3, policyAppliedVersion: 3 })
  })

  it('is still answered when only the mark could not be set, because it is in force', async () => {
    const my = hand()
    const { id } = await make(my.deps)
    const { store } = my.deps
    const unmarked = { ...my.deps, store: { ...store, markApplied: () => Promise.reject(new Error('D1 is away')) } }
    await loggedIn(async () => {
      expect(await updateTenant(unmarked, id, { status: 'suspended' })).toMatchObject({ status: 'suspended' })
    })
    expect((await store.unapplied('', 50)).map((tenant) => tenant.id)).toContain(id)
  })
})
