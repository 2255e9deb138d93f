/**
 * Messages of the queue: each says that there is work, and for which customer. The work itself is in D1, so a message
 * may come late, twice or never. Messages are versioned: those of another version are ignored, and the sweep sends them
 * again.
 */
import type { Scope } from '../registry/customer.ts'

const VERSION = 1

/** `customerId` is empty for work that concerns no customer. */
export type OutboxMessage =
  /** Deliveries of this customer's events to this endpoint are pending. */
  | ({ v: typeof VERSION; kind: 'deliver'; endpointId: string; customerId: string } & Scope)
  /** The onboarding of this customer has not been started. */
  | ({ v: typeof VERSION; kind: 'onboard'; customerId: string } & Scope)

/** The sweeps of a database other than the directory are due. */
export interface SweepMessage {
  v: typeof VERSION
  kind: 'sweep'
  /** The number of the database. */
  database: number
}

/** A move of a tenant to another database is to be continued. */
export interface MoveMessage {
  v: typeof VERSION
  kind: 'move'
  tenantId: string
}

export function moveMessage(tenantId: string): MoveMessage {
  return { v: VERSION, kind: 'move', tenantId }
}

export function sweepMessage(database: number): SweepMessage {
  return { v: VERSION, kind: 'sweep', database }
}

export function deliverMessage({ tenantId, mode }: Scope, endpointId: string, customerId: string): OutboxMessage {
  return { v: VERSION, kind: 'deliver', tenantId, mode, endpointId, customerId }
}

export function onboardMessage({ tenantId, mode }: Scope, customerId: string): OutboxMessage {
  return { v: VERSION, kind: 'onboard', tenantId, mode, customerId }
}

/** Returns null for anything that this version did not write. */
export function readMessage(body: unknown): OutboxMessage | SweepMessage | MoveMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { v, kind, tenantId, mode, endpointId, customerId, database } = body as Record<string, unknown>
  if (v !== VERSION) return null
  if (kind === 'sweep') return Number.isSafeInteger(database) ? sweepMessage(database as number) : null
  if (kind === 'move') return typeof tenantId === 'string' ? moveMessage(tenantId) : null
  if (typeof tenantId !== 'string' || (mode !== 'live' && mode !== 'test')) return null
  if (typeof customerId !== 'string') return null
  if (kind === 'onboard') return onboardMessage({ tenantId, mode }, customerId)
  if (kind === 'deliver' && typeof endpointId === 'string') {
    return deliverMessage({ tenantId, mode }, endpointId, customerId)
  }
  return null
}
