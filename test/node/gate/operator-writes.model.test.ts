/**
 * A write of an operator at the gate: let in without a permit, whatever the tenant's status, and nothing of the tenant's
 * limits and counts can tell that it happened.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import { NO_TENANT } from '../../../src/gate/core/no-tenant.ts'
import type { Lease } from '../../../src/gate/protocol/leases.ts'
import { DurableStore } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf, requestOf } from './samples.ts'

const WRITER = keyOf('w', { scopes: ['customers:write'] })

function gateWith(policy: Partial<Parameters<typeof policyOf>[0]> = {}) {
  const store = new DurableStore()
  const gate = new GateCore(store.open(), () => 0.5, NOON_MS)
  gate.setPolicy(policyOf(policy), [WRITER], NOON_MS)
  return { gate, store }
}

type Step = { afterMs: number; kind: 'lease' | 'write' | 'operator' | 'suspend' | 'reactivate' }

/** Returns what the tenant gets of its gate, step by step, and what the gate has counted. */
function seenByTenant(steps: readonly Step[]) {
  const { gate } = gateWith({ ratePerSecond: 5, burst: 6, annualLimit: 40 })
  let nowMs = NOON_MS
  let version = 1
  const seen = steps.flatMap(({ afterMs, kind }) => {
    nowMs += afterMs
    const sender = { sentAtMs: nowMs, isolate: 'isolate' }
    switch (kind) {
      case 'lease':
        return gate.lease(requestOf({ sentAtMs: nowMs, want: 3, waiting: 1, counted: 1 }), nowMs) as Lease
      case 'write': {
        const admission = gate.admitWrite('w', 'customers:write', sender, nowMs)
        if (admission.admitted) commit(gate, nowMs, [admission.ticket])
        return admission
      }
      case 'operator': {
        const admission = gate.admitOperator(sender, nowMs)
        expect(admission).toMatchObject({ admitted: true, ticket: null })
        return []
      }
      default: {
        const status = kind === 'suspend' ? 'suspended' : 'active'
        return gate.setPolicy(
          policyOf({ version: ++version, ratePerSecond: 5, burst: 6, annualLimit: 40, status }),
          [WRITER],
          nowMs,
        )
      }
    }
  })
  return { seen, usage: gate.usage(nowMs) }
}

function commit(gate: GateCore, atMs: number, tickets: number[]) {
  const { seq } = gate.beginWrite({ tags: ['c1'], deadlineMs: atMs + 1_000, tickets }, atMs)
  gate.settleWrite(seq, 'bookmark')
}

const kinds = fc.constantFrom('lease', 'write', 'operator', 'operator', 'suspend', 'reactivate') as fc.Arbitrary<
  Step['kind']
>
const histories = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 900 }), kind: kinds }), { maxLength: 40 })

describe('a write of an operator', () => {
  it('is admitted in every state of the tenant, and changes nothing that the tenant gets', () => {
    fc.assert(
      fc.property(histories, (steps) => {
        // The time that passes is the same: only the operator is missing.
        const without: Step[] = []
        let heldMs = 0
        for (const { afterMs, kind } of steps) {
          if (kind === 'operator') heldMs += afterMs
          else {
            without.push({ afterMs: afterMs + heldMs, kind })
            heldMs = 0
          }
        }
        const [withOperator, alone] = [seenByTenant(steps), seenByTenant(without)]
        expect(withOperator.seen).toEqual(alone.seen)
        expect(withOperator.usage.days).toEqual(alone.usage.days)
      }),
    )
  })

  it('is refused where D1 has no such tenant, at the admission and again at the commit', () => {
    const { gate } = gateWith()
    expect(gate.refusalOfOperator()).toBeNull()
    gate.setPolicy({ ...NO_TENANT, version: 2 }, [], NOON_MS)
    const sender = { sentAtMs: NOON_MS, isolate: null }
    expect(gate.admitOperator(sender, NOON_MS)).toMatchObject({ admitted: false, reason: 'no_tenant' })
    expect(gate.refusalOfOperator()).toBe('no_tenant')
  })

  it('is let in although the tenant has no permit left, and leaves it none', () => {
    const { gate } = gateWith({ ratePerSecond: 1, burst: 1 })
    const sender = { sentAtMs: NOON_MS, isolate: 'isolate' }
    gate.admitWrite('w', 'customers:write', sender, NOON_MS)
    for (let sent = 0; sent < 5; sent++) {
      expect(gate.admitOperator(sender, NOON_MS)).toMatchObject({ admitted: true, remaining: 0 })
    }
    expect(gate.admitWrite('w', 'customers:write', sender, NOON_MS)).toMatchObject({ reason: 'rate_limited' })
  })
})
