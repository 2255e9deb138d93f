/**
 * `GET /v1/customers/export`: streams customers in the order of their ids, as NDJSON or CSV. An id never changes, so a
 * concurrent write makes the export neither skip nor repeat a customer. Each customer is as it was when its page was
 * read. The size of a response is bounded; its `link` header says where the next one continues.
 */
import { EXPORT_COLUMNS, GUARD_COLUMN } from '../../../formats/files/columns.ts'
import { csvRecord } from '../../../formats/files/csv.ts'
import { shownProfile } from '../../../formats/profile.ts'
import { toIntegrationInput, toV1 } from '../../../formats/v1-customer.ts'
import { acceptedType } from '../../../http/accept.ts'
import type { HttpContext } from '../../../http/api.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { BULK_BOUNDS } from '../../../registry/bulk.ts'
import { exportCustomers, namingAnchor } from '../../../registry/operations.ts'
import type { ExportedCustomer, Filter } from '../../../registry/query.ts'
import { escapeFormula } from '../../../shared/spreadsheet.ts'
import { CSV, type ExportQuery, NDJSON } from './bulk-schema.ts'

/** Tells a spreadsheet that the file is UTF-8. */
const BOM = '\ufeff'

const FORMATS = {
  ndjson: {
    contentType: () => NDJSON,
    head: '',
    write: (customers: ExportedCustomer[]) =>
      customers.map((customer) => `${JSON.stringify(lineOf(customer))}\n`).join(''),
  },
  csv: {
    contentType: (hasHead: boolean) => `${CSV}; charset=utf-8; header=${hasHead ? 'present' : 'absent'}`,
    head: BOM + csvRecord(EXPORT_COLUMNS),
    write: (customers: ExportedCustomer[]) => customers.map((customer) => csvRecord(rowOf(customer))).join(''),
  },
} as const

export async function exportRoute(c: HttpContext, services: Services, given: ExportQuery) {
  const { status, include_archived: archived, after } = given
  const format =
    given.format ?? (acceptedType(c.req.raw.headers.get('accept'), [NDJSON, CSV]) === CSV ? 'csv' : 'ndjson')
  const { contentType, head, write } = FORMATS[format]
  const filters: Filter[] = status ? [{ field: 'status', operator: 'in', value: status }] : []
  const registry = c.get('registry')
  const readAfter = (afterId: string, lastId: string | null, anchorId?: string) =>
    exportCustomers(registry, { filters, includeArchived: archived === 'true', afterId, anchorId, lastId })

  // Reads the first page before the response begins, so that a refused caller gets an error status.
  const fix = 'send the id of the last customer you have, with the key that exported it'
  const first = await namingAnchor('after', fix, () => readAfter(after ?? '', null, after))
  const { lastId = null, hasMore = false } = first.end ?? {}
  let page = first
  let pages = 0
  const encoder = new TextEncoder()
  let bytesPaid = 0
  /** Sends customers in pieces, between which other requests go on. Returns false if there was nothing to send. */
  async function send(customers: ExportedCustomer[], head: string, controller: ReadableStreamDefaultController) {
    let isSent = false
    for (let at = 0; at === 0 || at < customers.length; at += BULK_BOUNDS.exportPieceCustomers) {
      if (at > 0) await services.sleep(0)
      const piece = customers.slice(at, at + BULK_BOUNDS.exportPieceCustomers)
      const bytes = encoder.encode((at === 0 ? head : '') + write(piece))
      bytesPaid += bytes.length
      for (; bytesPaid >= BULK_BOUNDS.exportBytesPerPermit; bytesPaid -= BULK_BOUNDS.exportBytesPerPermit) {
        await registry.reader.readmit()
      }
      if (bytes.length > 0) controller.enqueue(bytes)
      isSent ||= bytes.length > 0
    }
    return isSent
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // The runtime does not ask again after an answer without bytes, and a page may have no customer.
        for (let isSent = false; !isSent; ) {
          if (pages > 0 && page.nextAfterId !== null) {
            await registry.reader.readmit()
            page = await readAfter(page.nextAfterId, lastId)
          }
          // Bounds the reads in case customers grow while they are sent. The caller continues after the last one it got.
          if (++pages > BULK_BOUNDS.exportPagesMax) throw new Error('the customers of an export have grown')
          // A caller appends a continuation to the part before, which already has the column names.
          const text = pages === 1 && after === undefined ? head : ''
          isSent = await send(page.customers, text, controller)
          if (page.nextAfterId === null) controller.close()
          isSent ||= page.nextAfterId === null
        }
      },
    },
    { highWaterMark: 0 },
  )
  return respond(c, 200, stream, {
    'content-type': contentType(after === undefined),
    'content-disposition': `attachment; filename="customers.${format}"`,
    ...(hasMore && lastId !== null && { link: nextLink(c, format, lastId) }),
  })
}

/** Returns the `link` header for the rest of the same query: the customers after `lastId`. */
function nextLink(c: HttpContext, format: string, lastId: string): string {
  const { pathname, searchParams } = new URL(c.req.raw.url)
  searchParams.set('format', format)
  searchParams.set('after', lastId)
  return `<${pathname}?${searchParams}>; rel="next"`
}

/** Returns a line that an import accepts. Importing the exported file unchanged changes nothing. */
function lineOf(customer: ExportedCustomer): Record<string, unknown> {
  return {
    ...toV1(customer),
    integration_entity_mapping: customer.integrations.map(toIntegrationInput),
    parent_customer_external_id: customer.parentExternalId,
    profile: shownProfile(customer.profile),
    old_external_ids: customer.formerIds,
  }
}

/**
 * Returns a row of the CSV. If a spreadsheet would run one of its cells as a formula, an apostrophe stands before it and the
 * last cell says so: then an import takes it away again, and only then.
 */
function rowOf(customer: ExportedCustomer): string[] {
  const line = lineOf(customer)
  const cells = EXPORT_COLUMNS.filter((column) => column !== GUARD_COLUMN).map((column) => {
    const value = line[column] ?? ''
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
  const guarded = cells.map(escapeFormula)
  return [...guarded, guarded.some((cell, at) => cell !== cells[at]) ? '1' : '']
}
