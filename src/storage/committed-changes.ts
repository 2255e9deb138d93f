/**
 * Which changes of customers were made, and what they made: told by their events, which were committed with them. For whoever
 * sent a batch and did not hear what became of it.
 */
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { EventType } from '../events/catalogue.ts'
import type { Made } from '../gate/write-store.ts'
import type { Scope } from '../registry/customer.ts'
import type { Effect } from '../registry/ports.ts'
import { customerOfDocument, erasureOfDocument } from './customer-row.ts'
import type { Database } from './database.ts'
import { events } from './tables.ts'

/** Of the events, those that are a change of a customer. */
const EVENTS = {
  'customer.created': 'created',
  'customer.updated': 'updated',
  'customer.archived': 'archived',
  'customer.restored': 'restored',
  'customer.erased': 'erased',
} as const satisfies Partial<Record<EventType, Effect>>

/** What those of the changes made that are in the log of events: committed together with them. */
export async function findChanges(db: Database, scope: Scope, changeIds: string[]): Promise<Map<string, Made>> {
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(changeIds)}))`
  const rows = await db
    .select({ changeId: events.id, type: events.type, after: events.after })
    .from(events)
    .where(and(eq(events.tenantId, scope.tenantId), eq(events.mode, scope.mode), inArray(events.id, wanted)))
  return new Map(
    rows.map(({ changeId, type, after }) => {
      const receipt = erasureOfDocument(after)
      const erased = receipt && { receipt, externalIds: [] }
      // Whoever asks has made the ids for changes.
      const effect = EVENTS[type as keyof typeof EVENTS]
      return [changeId, { ok: true, customer: customerOfDocument(scope, after), effect, changeId, erased }]
    }),
  )
}
