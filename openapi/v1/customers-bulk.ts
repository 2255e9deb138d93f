/** The import and export of customers in the OpenAPI document. The Worker does not import this file. */
import { z } from 'zod'
import { exportQueryString } from '../../src/apis/v1/customers/bulk-schema.ts'
import type { customerContracts } from '../../src/apis/v1/customers/contract.ts'
import { EXPORT_COLUMNS } from '../../src/formats/files/columns.ts'
import { csvRecord } from '../../src/formats/files/csv.ts'
import type { Documentations } from '../documented.ts'
import { v1Customer } from './customers-responses.ts'
import { CUSTOMER_EXAMPLE } from './shared-responses.ts'

/** The line of the customer of the examples, in both formats. */
const EXPORTED: Record<string, unknown> = {
  ...CUSTOMER_EXAMPLE,
  integration_entity_mapping: [],
  parent_customer_external_id: null,
  profile: {},
  old_external_ids: [],
}
const CELLS = EXPORT_COLUMNS.map((column) => {
  const value = EXPORTED[column] ?? ''
  return typeof value === 'string' ? value : JSON.stringify(value)
})
const EXPORTED_NDJSON = `${JSON.stringify(EXPORTED)}\n`
const EXPORTED_CSV = csvRecord(EXPORT_COLUMNS) + csvRecord(CELLS)
const lines = z.string().meta({ description: 'One JSON object per line.' })
const file = z
  .string()
  .meta({ description: 'One customer per line: NDJSON, or CSV whose first line names the columns.' })
type Docs = Documentations<typeof customerContracts>

export const importDoc: Docs['import'] = {
  operationId: 'importCustomers',
  summary: 'Create or change many customers',
  description:
    'Each line is the body that creates a customer, and has the effect of `PUT /v1/customers/external/{external_id}` with that body. A line may also have what an export writes: `profile`, `old_external_ids` and the `status` `archived`. With `content-type: text/csv` the file is CSV: its header decides the delimiter and the fields, a `charset` the encoding, and a header that is not understood is refused with 400. Results are returned while the file is still being sent. The last result of every some hundred lines that changed something has a `consistency_token`, and the `import_id` by which the import is undone. After a result with `stopped`, nothing more was imported. A line has at most 256 KiB. On most plans Cloudflare accepts 100 MB per request and responds with 413 to more. Split a larger file between lines, in any order that keeps parents before their children; `npm run import` does this.',
  query: {
    dry_run: {
      description: '`true` returns what would happen, and changes nothing. At most 24 MB a request.',
      examples: ['true'],
    },
    delimiter: {
      description: 'Separates the cells of a CSV file. Without it, the one that the header has.',
      examples: [','],
    },
    map: {
      description: 'Says which column of a CSV file is which field, none to leave it out: `Company=name,Notes=`.',
      examples: ['email='],
    },
  },
  body: {
    schema: file,
    examples: {
      'application/x-ndjson': '{"external_id":"user_1","name":"Acme"}\n{"external_id":"user_2","name":"Globex"}\n',
      'text/csv': 'external_id,name,email\r\nuser_1,Acme,billing@acme.com\r\nuser_2,Globex,\r\n',
    },
  },
  answers: {
    200: {
      description: 'One result per line.',
      schema: lines,
      example:
        '{"line":1,"result":"created","id":"cust_01JD3VQ4X8N2M7R5T9W6YBZKCE","external_id":"user_1","errors":[]}\n{"line":2,"result":"created","id":"cust_01JD3VQ9B6H4S1F8E2K5N7XWQT","external_id":"user_2","errors":[],"consistency_token":"MS4xLjA.aGk","import_id":"req_7f3a"}\n',
    },
  },
}

const UNDONE = [
  { result: 'reverted', id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', external_id: 'user_12345' },
  { progress: { reverted: 1, unchanged: 0, conflict: 0 }, consistency_token: 'MS4xLjA.aGk' },
  { done: true, undo_id: 'req_7f3a', dry_run: false, reverted: 1, unchanged: 0, conflict: 0 },
]

export const undoDoc: Docs['undo'] = {
  operationId: 'undoChanges',
  summary: 'Undo what a key, an operator, a Worker or an import did',
  description:
    'Takes back the changes since a moment of one `actor`, of one import (`import_id`, the `x-request-id` of its responses), or of both together. Each customer becomes what it was before the first of these changes, in a new version. One that they created is archived, one that they archived is restored, and one that is erased stays so.\n\nOne line per customer: `reverted`, `unchanged`, or `conflict`. A change that somebody else made later is never overwritten: the line names it. Fields that are not to be had any more are named too. A line with `progress` follows about every 200 customers, and a line with `done` and the sum is the last; a line with `stopped` says why an undo ended early. Send the request again after an interruption: what is undone is left unchanged.\n\nStart with `dry_run`. An undo is itself undone by its `undo_id`. It costs permits as an import does, and waits for them.\n\nChanges of the last 14 days can be undone, or of another time that the operator has set. An earlier `since` is 410 `history_expired`; [a revert](#post-/v1/customers/{id}/revert) of single customers reaches further back.',
  body: {
    id: 'V1Undo',
    example: { actor: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE', since: '2026-01-20T15:00:00Z' },
  },
  answers: {
    200: {
      description: 'One result per customer.',
      schema: lines,
      example: UNDONE.map((line) => `${JSON.stringify(line)}\n`).join(''),
    },
  },
  failures: ['history_expired'],
}

export const exportDoc: Docs['export'] = {
  operationId: 'exportCustomers',
  summary: 'Export all customers',
  description:
    'Returns each customer once, even if customers change meanwhile. An import takes the file back to the same customers, in this tenant or another.\n\nA response has at most 10,000 customers or 1 GB. If more follow, its `link` header has the URL of the request that continues after its last customer; a response without `link` is the last. The responses joined together are the whole file: a continuation in CSV has no header line. Continue a response that breaks off early in the same way: drop an incomplete last line, and send the id of the last customer as `after`.\n\nAn export costs one permit for each page of up to 2,000 customers or 4 MB, and one for each 256 KB.',
  query: z.object({
    format: exportQueryString().shape.format.meta({
      description: 'The format of the file. Without it, `accept: text/csv` selects CSV.',
      examples: ['csv'],
    }),
    status: z
      .array(v1Customer.shape.status)
      .optional()
      .meta({
        param: { style: 'form', explode: false },
        description: 'Returns only customers with these statuses.',
        examples: [['published', 'draft']],
      }),
    include_archived: exportQueryString().shape.include_archived.meta({
      description: '`true` returns archived customers too.',
      examples: ['true'],
    }),
    after: exportQueryString().shape.after.meta({
      pattern: '^cust_[0-9A-HJKMNP-TV-Z]{26}$',
      description:
        'Continues after the customer with this id: the last one that you have received. That customer need not exist any more.',
      examples: ['cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'],
    }),
  }),
  answers: {
    200: {
      description: 'One customer per line.',
      schema: z.string().meta({ description: 'One JSON object per line, or CSV with a header line.' }),
      examples: { 'application/x-ndjson': EXPORTED_NDJSON, 'text/csv': EXPORTED_CSV },
      headers: ['content-disposition'],
      sometimes: ['link'],
    },
  },
}
