/** The chain of deliveries in one module, from the draining of a chain to the SQL, so that the explorer can build it with one rule broken. */
import type { OutboxMessage } from '../../../src/events/messages.ts'
import type { drainChain, Outbox } from '../../../src/events/outbox.ts'
import type { SLOTS } from '../../../src/events/slots.ts'
import type { Scope } from '../../../src/registry/customer.ts'

export interface DeliveriesCore {
  drainChain: typeof drainChain
  SLOTS: typeof SLOTS
  DELIVERY_ATTEMPTS_MAX: number
  openDatabase(d1: unknown): unknown
  webhookOutbox(d1: unknown, newId: () => string): Outbox
  pendingMessagesOf(d1: unknown, scope: Scope, customerIds: readonly string[]): Promise<OutboxMessage[]>
  overdueDeliveries(d1: unknown, nowMs: number): Promise<OutboxMessage[]>
  resumedDeliveries(d1: unknown, tenantId: string, nowMs: number): Promise<OutboxMessage[]>
  redeliver(
    db: unknown,
    scope: Scope,
    endpoint: { id: string; eventTypes: null },
    which: { kind: 'event'; eventId: string },
    eventsMax: number,
    nowMs: number,
  ): Promise<{ customerIds: string[] } | null>
  hurry(
    db: unknown,
    scope: Scope,
    endpointId: string,
    which: { kind: 'all' },
    nowMs: number,
  ): Promise<{ customerIds: string[] } | null>
}

export const DELIVERIES_ENTRY = `
  export { DELIVERY_ATTEMPTS_MAX } from './src/events/attempts.ts'
  export { drainChain } from './src/events/outbox.ts'
  export { SLOTS } from './src/events/slots.ts'
  export { openDatabase } from './src/storage/database.ts'
  export { pendingMessagesOf } from './src/storage/events/pending-messages.ts'
  export { webhookOutbox } from './src/storage/webhooks/claims.ts'
  export { redeliver } from './src/storage/webhooks/deliveries.ts'
  export { hurry } from './src/storage/webhooks/hurry.ts'
  export { overdueDeliveries, resumedDeliveries } from './src/storage/webhooks/overdue.ts'
`
