/**
 * Finds which changes of customers were committed, and their results, by the events that were committed with them. For
 * a gate that sent a batch to D1 and got no response.
 */
import { and, inArray, sql } from 'drizzle-orm'
import type { EventType } from '../../events/catalogue.ts'
import type { Found } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import type { Effect } from '../../registry/ports.ts'
import { customerOfDocument, erasureOfDocument } from '../customer-row.ts'
import { D1_NOW, type Database } from '../database.ts'
import { DOCUMENT_COLUMNS, documentAfter, mergeOfEvent } from '../event-documents.ts'
import { events } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { unmergedOfEvent, unmergedSource, unmergedSourceOf } from '../unmerge-events.ts'

/** The types of events that are a change of a customer, with the effect of each. */
const EVENTS = {
  'customer.created': 'created',
  'customer.updated': 'updated',
  'customer.archived': 'archived',
  'customer.restored': 'restored',
  'customer.merged': 'merged',
  'customer.unmerged': 'unmerged',
  'customer.erased': 'erased',
} as const satisfies Partial<Record<EventType, Effect>>

/**
 * Returns the results of those changes that have an event, because an event is committed together with its change.
 * `d1Ms` is the time by D1's clock in the same transaction: a change that is missing and whose deadline is past by then
 * is never made.
 */
export async function findChanges(db: Database, scope: Scope, changeIds: string[]): Promise<Omit<Found, 'bookmark'>> {
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(changeIds)}))`
  const [[now], rows] = await db.batch([
    db.all<{ d1Ms: number }>(sql.raw(`SELECT ${D1_NOW} AS "d1Ms"`)),
    db
      .select({
        ...DOCUMENT_COLUMNS,
        changeId: events.id,
        type: events.type,
        after: events.after,
        detail: events.detail,
        source: unmergedSource().mapWith(unmergedSourceOf).as('source'),
      })
      .from(events)
      .where(and(inScope(events, scope), inArray(events.id, wanted))),
  ])
  const found: Found['found'] = new Map(
    rows.map((row) => {
      const { changeId, type, detail, source } = row
      const document = documentAfter(row, row.after)
      const receipt = erasureOfDocument(document)
      const erased = receipt && { receipt, externalIds: [] }
      // The gate made these ids for changes of customers, so no other type of event has one of them.
      const effect = EVENTS[type as keyof typeof EVENTS]
      const customer = customerOfDocument(scope, document)
      const merge = mergeOfEvent(type, detail)
      const unmerged = source ? unmergedOfEvent(scope, row, detail, source) : undefined
      return [changeId, { ok: true as const, customer, effect, changeId, erased, merge, unmerged }]
    }),
  )
  return { found, d1Ms: now?.d1Ms ?? 0 }
}
