/**
 * `GET /v1/customers/export`: every customer once, as NDJSON or CSV, streamed. It walks by id, which never changes, so that
 * no customer is skipped or repeated whatever is written meanwhile; each is as it was when its page was read.
 */
import { stringify } from 'csv-stringify/browser/esm/sync'
import * as z from 'zod'
import { answer } from '../../http/answer.ts'
import type { HttpContext } from '../../http/door.ts'
import { readQuery } from '../../http/validate.ts'
import { BULK_BOUNDS } from '../../registry/bulk.ts'
import type { Customer } from '../../registry/customer.ts'
import { listCustomers } from '../../registry/operations.ts'
import type { Filter, ListQuery, PageStart } from '../../registry/query.ts'
import { escapeFormula } from '../../shared/spreadsheet.ts'
import { issue } from '../fields.ts'
import { toV1 } from '../flexprice-customer.ts'

const STATUSES = ['published', 'draft', 'archived'] as const

/** One or several, comma-separated. */
const statuses = z.string().transform((value, context) =>
  value.split(',').map((name) => {
    const status = STATUSES.find((known) => known === name.trim())
    if (!status) context.issues.push(issue(name, `is none of ${STATUSES.join(', ')}`, 'send some of them'))
    return status ?? 'published'
  }),
)

export const exportQueryString = z.strictObject({
  format: z.enum(['ndjson', 'csv']).optional(),
  status: statuses.optional(),
  include_archived: z.enum(['true', 'false']).default('false'),
})

/** The columns of the CSV, in their order. New ones are added at the end. */
const COLUMNS = [
  'id',
  'external_id',
  'name',
  'email',
  'contact',
  'address_line1',
  'address_line2',
  'address_city',
  'address_state',
  'address_postal_code',
  'address_country',
  'timezone',
  'parent_customer_id',
  'status',
  'metadata',
  'integration_entity_mapping',
  'created_at',
  'updated_at',
  'created_by',
  'updated_by',
] as const

const FORMATS = {
  ndjson: {
    contentType: 'application/x-ndjson',
    head: '',
    write: (customers: Customer[]) => customers.map((customer) => `${JSON.stringify(lineOf(customer))}\n`).join(''),
  },
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    head: csv([[...COLUMNS]]),
    write: (customers: Customer[]) => csv(customers.map(rowOf)),
  },
} as const

const CSV_TYPE = /\btext\/csv\b/i

export async function exportCustomers(c: HttpContext): Promise<Response> {
  const { format, status, include_archived: archived } = readQuery(c, exportQueryString)
  const { contentType, head, write } =
    FORMATS[format ?? (CSV_TYPE.test(c.req.header('accept') ?? '') ? 'csv' : 'ndjson')]
  const filters: Filter[] = status ? [{ field: 'status', operator: 'in', value: status }] : []
  const query = { filters, includeArchived: archived === 'true', sort: [{ field: 'id', direction: 'asc' }] } as const
  const registry = c.get('registry')
  const readFrom = (start: PageStart) =>
    listCustomers(
      registry,
      { ...query, sort: [...query.sort], start, limit: BULK_BOUNDS.exportPageCustomers } satisfies ListQuery,
      { total: false },
    )

  // Read before the answer begins: whoever may not read gets a status that says so.
  let page = await readFrom({ kind: 'after', position: [''] })
  let isFirst = true
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const last = page.customers.at(-1)
        if (!isFirst && last) {
          await registry.readmit()
          page = await readFrom({ kind: 'after', position: [last.id] })
        }
        const text = (isFirst ? head : '') + write(page.customers)
        isFirst = false
        if (text !== '') controller.enqueue(encoder.encode(text))
        if (!page.hasMore) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  const filename = contentType.startsWith('text/csv') ? 'customers.csv' : 'customers.ndjson'
  return answer(c, 200, stream, {
    'content-type': contentType,
    'content-disposition': `attachment; filename="${filename}"`,
  })
}

/** What an import takes again: the same file, sent back, changes nothing. */
function lineOf(customer: Customer): Record<string, unknown> {
  return { ...toV1(customer), integration_entity_mapping: customer.integrations }
}

function rowOf(customer: Customer): string[] {
  const line = lineOf(customer)
  return COLUMNS.map((column) => {
    const value = line[column] ?? ''
    return escapeFormula(typeof value === 'string' ? value : JSON.stringify(value))
  })
}

function csv(rows: string[][]): string {
  // A lone carriage return ends a line for some readers, so it is quoted too.
  return stringify(rows, { record_delimiter: '\r\n', quoted_match: /[\r\n]/ })
}
