/** Messages and policies for the directed tests: whole and valid, so that a test says only what it is about. */

import type { GateKey } from '../../../src/gate/core/gate-storage.ts'
import type { Lease, LeaseRequest, Policy } from '../../../src/gate/protocol/leases.ts'

/** The 1st of June 2026, noon. */
export const NOON_MS = Date.UTC(2026, 5, 1, 12)

export function policyOf(changed: Partial<Policy> = {}): Policy {
  return {
    version: 1,
    tier: 'scale',
    status: 'active',
    ratePerSecond: 200,
    burst: 400,
    annualLimit: null,
    contractStart: '2026-01-01',
    ...changed,
  }
}

export function keyOf(name: string, changed: Partial<GateKey> = {}): GateKey {
  return {
    id: `key-${name}`,
    secretHash: name,
    scopes: ['customers:read'],
    expiresAtMs: null,
    mode: 'live',
    ...changed,
  }
}

export function requestOf(changed: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    v: 1,
    sentAtMs: 0,
    since: null,
    want: 1,
    waiting: 1,
    counted: 1,
    reports: [],
    tally: {
      id: 'isolate',
      admitted: 0,
      limited: 0,
      savedAdmitted: 0,
      savedLimited: 0,
      held: 0,
      lastLeaseEpoch: 0,
      lastLeaseOrdinal: 0,
    },
    credentials: [],
    recent: [],
    seenVersion: 0,
    seenSeq: 0,
    ...changed,
  }
}

export function leaseOf(changed: Partial<Lease> = {}): Lease {
  return {
    v: 1,
    kind: 'lease',
    epoch: 1,
    ordinal: 1,
    gateMs: 0,
    policy: policyOf(),
    policyTtlMs: 1_000,
    grant: { permits: 10, ttlMs: 950 },
    refusal: null,
    saturated: false,
    fraction: 1,
    backoffMs: 0,
    remaining: 300,
    fullInMs: 500,
    verdicts: {},
    freshness: { seq: 0, stable: 0, floor: 0, bookmark: null, since: 0, changes: [], pending: [] },
    savedAdmitted: 0,
    savedLimited: 0,
    ...changed,
  }
}
