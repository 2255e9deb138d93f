/** Import and export of the v1 door in the OpenAPI document. Documentation only; the door's other routes are in `openapi.ts`. */
import { z } from 'zod'
import type { RouteDoc } from '../../http/openapi.ts'
import { v1Customer } from './answers.ts'
import { exportQueryString } from './export.ts'
import { importQueryString } from './import.ts'

const NDJSON = 'application/x-ndjson'
const lines = z.string().meta({ description: 'A JSON object a line.' })

export const bulkRoutes: Record<string, RouteDoc> = {
  'POST /v1/customers/import': {
    touches: null,
    scope: 'customers:write',
    operationId: 'importCustomers',
    summary: 'Create or change many customers',
    description:
      'A line is the body of a creation, and does what `PUT /v1/customers/external/{external_id}` does with it. Results come back while the file is still being sent; after one with `stopped` nothing more was imported.',
    query: z.object({
      dry_run: importQueryString.shape.dry_run.meta({
        description: '`true` says what would happen, and does nothing.',
      }),
    }),
    body: {
      schema: lines,
      mediaType: NDJSON,
      example: '{"external_id":"user_1","name":"Acme"}\n{"external_id":"user_2","name":"Globex"}\n',
    },
    answers: {
      200: {
        description: 'A result a line.',
        schema: lines,
        mediaTypes: [NDJSON],
        example:
          '{"line":1,"result":"created","id":"cust_01JD3VQ4X8N2M7R5T9W6YBZKCE","external_id":"user_1","errors":[]}\n',
      },
    },
  },
  'GET /v1/customers/export': {
    touches: 'read',
    scope: 'customers:read',
    operationId: 'exportCustomers',
    summary: 'Export all customers',
    description: 'Each once, whatever is written meanwhile. An import takes the same file again.',
    query: z.object({
      format: exportQueryString.shape.format.meta({ description: 'Without it, `accept: text/csv` asks for CSV.' }),
      status: z
        .array(v1Customer.shape.status)
        .optional()
        .meta({ param: { style: 'form', explode: false }, description: 'Only these.' }),
      include_archived: exportQueryString.shape.include_archived,
    }),
    answers: {
      200: {
        description: 'A customer a line.',
        schema: z.string().meta({ description: 'A JSON object a line, or CSV with a first line of names.' }),
        mediaTypes: [NDJSON, 'text/csv'],
        headers: ['content-disposition'],
      },
    },
  },
}
