/**
 * The documents of an event as D1 stores them, and as its readers see them.
 *
 * An event stores the customer after the change without what is null or initial, and without what its own columns have:
 * the id, the version, who changed it and when. Of the customer before the change it stores only what differed, null or
 * not. So an ordinary change is about 1 KB. The triggers write both (`scripts/customer-documents.ts` generates their
 * SQL), and so does the end of an onboarding.
 */
import { type MergeDetail, reportOfDetail } from '../formats/merge-report.ts'
import {
  CUSTOMER_FIELDS,
  documentPlaceOf,
  OPTIONAL_TEXT_FIELDS,
  type OptionalTextField,
  type TextsOfDocument,
} from '../registry/customer-fields.ts'
import type { MergeReport } from '../registry/merge.ts'
import { canonicalJson } from '../shared/canonical-json.ts'
import { type CustomerDocument, type EventRow, events, type StoredDocument } from './schema/tables.ts'

/** The columns of an event that complete its documents. */
export const DOCUMENT_COLUMNS = {
  customerId: events.customerId,
  version: events.version,
  actor: events.actor,
  createdAtMs: events.createdAtMs,
}

export type DocumentColumns = Pick<EventRow, 'customerId' | 'version' | 'actor' | 'createdAtMs'>

/** Keys of a document that hold an object of fields, whose fields are left out one by one. */
const GROUPS = new Set<string>(['stamps', ...OPTIONAL_TEXT_FIELDS.flatMap((name) => documentPlaceOf(name).group ?? [])])

/** Returns the customer after the event. */
export function documentAfter(event: DocumentColumns, stored: StoredDocument): CustomerDocument {
  return laidOver(initialDocument(event), stored)
}

/** Returns the customer before the event; null if there was none or it has been erased. */
export function documentBefore(
  event: DocumentColumns,
  stored: { before: StoredDocument | null; after: StoredDocument },
): CustomerDocument | null {
  if (stored.before === null) return null
  return laidOver(previousVersion(documentAfter(event, stored.after)), stored.before)
}

/** Returns a customer as the event with these columns stores it. */
export function storedDocument(event: DocumentColumns, document: CustomerDocument): StoredDocument {
  return { external_id: document.external_id, ...differing(initialDocument(event), document) }
}

/** Returns what the merge did, from the event of one; undefined for any other event. */
export function mergeOfEvent(type: EventRow['type'] | null, detail: EventRow['detail']): MergeReport | undefined {
  return type === 'customer.merged' && detail ? reportOfDetail(detail as unknown as MergeDetail) : undefined
}

/** Without a stored version, the version before was one less. */
function previousVersion({ erased_rows: _, ...document }: CustomerDocument): CustomerDocument {
  return { ...document, version: document.version - 1 }
}

/** Returns the document of which nothing is stored. */
function initialDocument({ customerId, version, actor, createdAtMs }: DocumentColumns): CustomerDocument {
  return {
    id: customerId,
    external_id: customerId,
    ...textsOf(() => null),
    timezone: CUSTOMER_FIELDS.timezone.initial,
    parent_id: null,
    metadata: {},
    integrations: [],
    profile: {},
    status: CUSTOMER_FIELDS.status.initial,
    archived_at: null,
    version,
    stamps: { created_at: createdAtMs, updated_at: createdAtMs, created_by: actor, updated_by: actor },
  }
}

/** Returns the texts of a document, with the address as a group. */
export function textsOf(textFor: (name: OptionalTextField) => string | null): TextsOfDocument {
  const texts: Record<string, string | null | Record<string, string | null>> = {}
  for (const name of OPTIONAL_TEXT_FIELDS) {
    const { group, key } = documentPlaceOf(name)
    if (group === null) texts[key] = textFor(name)
    else texts[group] = { ...(texts[group] as Record<string, string | null> | undefined), [key]: textFor(name) }
  }
  return texts as TextsOfDocument
}

function laidOver(base: CustomerDocument, stored: StoredDocument): CustomerDocument {
  const inside = [...GROUPS].map((group) => [group, { ...partOf(base, group), ...partOf(stored, group) }])
  return { ...base, ...stored, ...Object.fromEntries(inside) }
}

/** Returns the fields of a document that have another value than in `base`, and in each group those that do. */
function differing(base: object, document: object): StoredDocument {
  const others = Object.entries(document).flatMap(([key, value]): [string, unknown][] => {
    if (canonicalJson(value) === canonicalJson(base[key as never])) return []
    return [[key, GROUPS.has(key) ? differing(partOf(base, key), value) : value]]
  })
  return Object.fromEntries(others)
}

function partOf(document: object, group: string): object {
  return document[group as never] ?? {}
}
