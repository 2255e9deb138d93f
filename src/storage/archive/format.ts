/**
 * The format of an archived object: a line of JSON for each event, in the order of their ids, compressed. What an erasure leaves
 * of an event is in clear, so an object can be searched without keys; the rest is sealed with the keys of the customers that the
 * event is about. Texts of JSON stay as D1 had them, so numbers keep their digits. Pure.
 */
import type { EventType } from '../../events/catalogue.ts'
import type { Scope } from '../../registry/customer.ts'
import type { EventRow, StoredDocument } from '../schema/tables.ts'
import type { Sealer } from './seal.ts'

/** An event as D1 has it, its documents as texts, with the role and session of an operator who made the change. */
export interface StoredEvent {
  id: string
  /** Its rowid in D1, which says where the audit of all tenants had it. */
  rowid: number
  type: EventType
  customerId: string
  version: number
  actor: string
  requestId: string | null
  reason: string | null
  before: string | null
  after: string
  detail: string | null
  createdAtMs: number
  role: string | null
  sessionId: string | null
}

/** A line of an object. */
export interface Line extends Omit<StoredEvent, 'before' | 'after' | 'detail' | 'reason'> {
  /** The clear part of an event that concerns a customer: as much as an erasure leaves. */
  left: StoredDocument
  /** The customers whose keys open the rest, in the order of the keys. Empty: nothing is sealed. */
  owners: string[]
  /** The sealed rest; of an event without owners the rest in clear, null if it has been erased. */
  rest: string | null
}

/** `before`, `after`, `detail` and `reason` as a JSON text. */
type Rest = [before: string | null, after: string, detail: string | null, reason: string | null]

/** An event out of the archive, as its readers in D1 see it. */
export interface ArchivedEvent extends EventRow {
  role: string | null
  sessionId: string | null
  /** Bytes of its documents, as D1 counts them. */
  bytes: number
}

/** Names an event for its seal. */
export function placeOf({ tenantId, mode }: Scope, id: string): string {
  return `${tenantId}/${mode}/${id}`
}

/**
 * Returns the line of an event. `owners`: the customers that it is about; none for an event without a customer, which has no
 * personal data. Without a sealer, what the owners have in it is left out: one of them is erased.
 */
export async function lineOf(scope: Scope, event: StoredEvent, owners: string[], sealer: Sealer | null): Promise<Line> {
  const { before, after, detail, reason, ...clear } = event
  const document = JSON.parse(after) as StoredDocument
  const rest = JSON.stringify([before, after, detail, reason] satisfies Rest)
  if (event.customerId === '') return { ...clear, left: {}, owners: [], rest }
  const left = leftOf(event.customerId, document)
  if (sealer === null) return { ...clear, left, owners: [], rest: null }
  return { ...clear, left, owners, rest: await sealer.seal(placeOf(scope, event.id), rest) }
}

/** Returns the event of a line. Without the sealer of its owners, it is as an erasure leaves it. */
export async function eventOf(scope: Scope, line: Line, sealer: Sealer | null): Promise<ArchivedEvent> {
  const { left, owners, rest, rowid: _, ...clear } = line
  const isClear = rest !== null && owners.length === 0
  const text = isClear ? rest : rest !== null && sealer ? await sealer.open(placeOf(scope, line.id), rest) : null
  const [before, after, detail, reason] = text === null ? erased(left) : (JSON.parse(text) as Rest)
  return {
    ...scope,
    ...clear,
    reason,
    before: before === null ? null : JSON.parse(before),
    after: JSON.parse(after),
    detail: detail === null ? null : JSON.parse(detail),
    deliveries: 0,
    bytes: after.length + (before?.length ?? 0) + (detail?.length ?? 0),
  }
}

function erased(left: StoredDocument): Rest {
  return [null, JSON.stringify(left), null, null]
}

/** Returns of a document what the trigger `customers_erased` leaves. */
function leftOf(customerId: string, { status, archived_at: archivedAt, stamps }: StoredDocument): StoredDocument {
  return {
    external_id: customerId,
    ...(status != null && { status }),
    ...(archivedAt != null && { archived_at: archivedAt }),
    ...(stamps !== undefined && { stamps }),
  }
}

/** Returns the bytes of an object. The same lines have the same bytes. */
export async function packed(lines: readonly Line[]): Promise<Uint8Array> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Returns the lines of an object that have the text, if one is given, in the order of their ids. */
export async function unpacked(bytes: ReadableStream | Uint8Array<ArrayBuffer>, having?: string): Promise<Line[]> {
  const stream = bytes instanceof Uint8Array ? new Blob([bytes]).stream() : bytes
  // Without the type, the runtime warns that these bytes may be no text.
  const headers = { 'content-type': 'application/x-ndjson; charset=utf-8' }
  const text = await new Response(stream.pipeThrough(new DecompressionStream('gzip')), { headers }).text()
  const lines = text.split('\n').filter((line) => line !== '' && (having === undefined || line.includes(having)))
  return lines.map((line) => JSON.parse(line) as Line)
}
