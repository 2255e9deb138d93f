/**
 * The log of events of one customer, and what must be true of it whatever was done.
 */
import { and, eq } from 'drizzle-orm'
import { expect } from 'vitest'
import type { Scope } from '../../src/registry/customer.ts'
import { customers, events } from '../../src/storage/tables.ts'
import { db } from './support.ts'

export function eventsOf({ tenantId, mode }: Scope, customerId: string) {
  return db
    .select()
    .from(events)
    .where(and(eq(events.tenantId, tenantId), eq(events.mode, mode), eq(events.customerId, customerId)))
    .orderBy(events.version)
}

/** The events of a customer are a chain: one for each version, each beginning where the one before ended. */
export async function expectOneEventForEachVersion(scope: Scope, id: string, version: number): Promise<void> {
  const log = await eventsOf(scope, id)
  expect(log.map((event) => event.version)).toEqual(Array.from({ length: version }, (_, at) => at + 1))
  for (const [at, event] of log.entries()) expect(event.before).toEqual(log[at - 1]?.after ?? null)
  const [row] = await db
    .select()
    .from(customers)
    .where(and(eq(customers.tenantId, scope.tenantId), eq(customers.id, id)))
  expect(log.at(-1)).toMatchObject({ id: row?.changeId, createdAtMs: row?.updatedAtMs })
  expect(log.at(-1)?.after).toEqual({
    id,
    external_id: row?.externalId,
    name: row?.name,
    email: row?.email,
    contact: row?.contact,
    timezone: row?.timezone,
    address: {
      line1: row?.addressLine1,
      line2: row?.addressLine2,
      city: row?.addressCity,
      state: row?.addressState,
      postal_code: row?.addressPostalCode,
      country: row?.addressCountry,
    },
    parent_id: row?.parentId,
    metadata: row?.metadata,
    integrations: row?.integrations,
    profile: row?.profile,
    status: row?.status,
    archived_at: row?.archivedAtMs,
    version: row?.version,
    stamps: {
      created_at: row?.createdAtMs,
      updated_at: row?.updatedAtMs,
      created_by: row?.createdBy,
      updated_by: row?.updatedBy,
    },
  })
}
