/**
 * The source of an unmerge, from the two events that it left: `customer.unmerged` of the survivor, whose detail has the
 * report, and `customer.restored` of the source. Both have the same version.
 */
import { type SQL, sql } from 'drizzle-orm'
import { reportOfUnmergeDetail, type UnmergeDetail } from '../formats/merge-report.ts'
import type { Unmerged } from '../gate/protocol/write-store.ts'
import type { Scope } from '../registry/customer.ts'
import { customerOfDocument } from './customer-row.ts'
import { type DocumentColumns, documentAfter } from './event-documents.ts'
import type { EventRow, StoredDocument } from './schema/tables.ts'

/** The event of the source, as far as it tells what the source is again. */
export interface SourceEvent {
  createdAtMs: number
  after: StoredDocument
}

/** Selects the event of the source as JSON, beside an event of the table `events`. Null unless that is one of an unmerge. */
export function unmergedSource(): SQL {
  return sql`iif(events.type = 'customer.unmerged', (
    SELECT json_object('createdAtMs', s.created_at, 'after', json(s.after))
    FROM events s INDEXED BY events_customer_version
    WHERE s.customer_id = events.detail ->> '$.source_id' AND s.tenant_id = events.tenant_id AND s.mode = events.mode
      AND s.version = events.version AND s.type = 'customer.restored'
    LIMIT 1
  ), NULL)`
}

export function unmergedSourceOf(text: string | null): SourceEvent | null {
  return text === null ? null : JSON.parse(text)
}

/** Returns the source, and the report in the detail of the event of the survivor. */
export function unmergedOfEvent(
  scope: Scope,
  { version, actor }: Pick<DocumentColumns, 'version' | 'actor'>,
  detail: EventRow['detail'],
  { createdAtMs, after }: SourceEvent,
): Unmerged | undefined {
  // An erasure of the survivor has emptied it.
  if (!detail) return undefined
  const report = reportOfUnmergeDetail(detail as unknown as UnmergeDetail)
  const columns = { customerId: report.sourceId, version, actor, createdAtMs }
  return { source: customerOfDocument(scope, documentAfter(columns, after)), report }
}
