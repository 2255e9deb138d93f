/** The log of events of one customer, and its invariants. */
import { and, eq } from 'drizzle-orm'
import { expect } from 'vitest'
import type { Scope } from '../../../src/registry/customer.ts'
import { documentAfter, documentBefore } from '../../../src/storage/event-documents.ts'
import { customers, events } from '../../../src/storage/schema/tables.ts'
import { db } from './support.ts'

/** Returns the events of a customer, with the customer before and after each as a whole. */
export async function eventsOf({ tenantId, mode }: Scope, customerId: string) {
  const rows = await db
    .select()
    .from(events)
    .where(and(eq(events.tenantId, tenantId), eq(events.mode, mode), eq(events.customerId, customerId)))
    .orderBy(events.version)
  return rows.map((row) => ({ ...row, before: documentBefore(row, row), after: documentAfter(row, row.after) }))
}

/** Checks that the events of a customer are a chain: one for each version, each beginning where the one before ended. */
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
    ...textsOf(row),
    timezone: row?.timezone,
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

/** Columns that a document has under another name or not at all; the others are texts. */
const NO_TEXTS =
  /^(tenantId|mode|id|externalId|emailAscii|folded|archiveKey|timezone|parentId|metadata|integrations|profile|status|mergedInto|version)$|AtMs$|By$|^change/

function textsOf(row: object = {}) {
  const texts = Object.entries(row).filter(([name]) => !NO_TEXTS.test(name))
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const inAddress = texts.filter(([name]) => name.startsWith('address'))
  return {
    ...Object.fromEntries(texts.filter((text) => !inAddress.includes(text)).map(([name, text]) => [snake(name), text])),
    address: Object.fromEntries(inAddress.map(([name, text]) => [snake(name).slice('address_'.length), text])),
  }
}
