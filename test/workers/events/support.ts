/** Shared by the tests of webhooks: endpoints straight in D1, and a receiver inside of the test. */
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import type { Posted } from '../../../src/events/deliver.ts'
import type { Chain } from '../../../src/events/outbox.ts'
import type { Endpoint, EndpointStore } from '../../../src/events/ports.ts'
import { secretVault } from '../../../src/events/secret-vault.ts'
import { newSecret } from '../../../src/events/signature.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { webhookAttempts, webhookDeliveries } from '../../../src/storage/schema/webhook-tables.ts'
import { endpointStore } from '../../../src/storage/webhooks/endpoints.ts'
import { db } from '../storage/support.ts'

/** The vault of the signing secret that vitest.config.ts sets. */
export const vault = secretVault(['test-signing-secret-0123456789abcdef'])

export async function newEndpoint(scope: Scope, fields: Partial<Endpoint> = {}, d1 = env.DB): Promise<Endpoint> {
  const nowMs = Date.now()
  const endpoint: Endpoint = {
    id: newId('webhookEndpoint', nowMs),
    url: 'https://hooks.example.com/roster',
    description: '',
    eventTypes: null,
    enabled: true,
    disabledReason: null,
    failingSinceMs: null,
    secrets: [{ secret: newSecret(), expiresAtMs: null }],
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    createdBy: 'key_1',
    version: 1,
    ...fields,
  }
  await storeOf(scope, d1).insert(endpoint, null)
  return endpoint
}

export function storeOf(scope: Scope, d1 = env.DB): EndpointStore {
  return endpointStore(d1, scope, vault)
}

export function chainOf({ tenantId, mode }: Scope, { id }: Endpoint, customerId: string): Chain {
  return { tenantId, mode, endpointId: id, customerId }
}

/** Returns the deliveries of an endpoint, in the order in which they are sent. */
export function deliveriesTo({ id }: Endpoint) {
  return db.select().from(webhookDeliveries).where(eq(webhookDeliveries.endpointId, id)).orderBy(webhookDeliveries.id)
}

export function attemptsAt(deliveryId: number) {
  return db
    .select()
    .from(webhookAttempts)
    .where(eq(webhookAttempts.deliveryId, deliveryId))
    .orderBy(webhookAttempts.number)
}

export function answered(statusCode: number | null, fields: Partial<Posted> = {}): Posted {
  return {
    statusCode,
    error: statusCode === null ? 'timeout' : null,
    answer: statusCode === null ? null : 'as it is',
    isCut: false,
    durationMs: 5,
    retryAfterMs: null,
    ...fields,
  }
}
