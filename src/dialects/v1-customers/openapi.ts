/**
 * The v1 door in the OpenAPI document: an entry for each of its routes. Documentation only. A route without an entry, or
 * an entry without a route, fails `test/openapi/routes.test.ts`.
 */
import { z } from 'zod'
import type { AnswerDoc, DoorDoc, RouteDoc } from '../../http/openapi.ts'
import { EXPANSIONS } from '../../registry/operations.ts'
import { envelopedError } from '../answers.ts'
import { externalId } from '../fields.ts'
import { CUSTOMER_EXAMPLE, CUSTOMER_WANTED } from '../flexprice-answers.ts'
import { v1Customer, v1Erasure, v1List } from './answers.ts'
import { v1Door } from './failures.ts'
import { listFields, searchBody } from './list-schema.ts'
import { bulkRoutes } from './openapi-bulk.ts'
import { createQueryString, customerCreate, customerUpdate, customerUpsert, targetQueryString } from './schema.ts'

const ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'
const LISTED = {
  items: [CUSTOMER_EXAMPLE],
  pagination: { total: 1, limit: 50, offset: 1, next_cursor: null, has_more: false },
}

const ERASED = {
  id: ID,
  status: 'erased',
  erased_at: '2026-01-20T15:00:00.000Z',
  erased_by: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  rows: {
    customers: 1,
    events: 3,
    aliases: 1,
    integrations: 1,
    idempotency_records: 1,
    webhook_attempts: 0,
    onboarding_runs: 0,
  },
  rows_total: 7,
}

const update = customerUpdate.meta({ id: 'V1CustomerUpdate' })

const byId = z.object({ id: z.string().meta({ description: 'The id of the customer.', examples: [ID] }) })
const byExternalId = z.object({
  external_id: externalId.meta({
    description: 'Your own id of the customer, percent-encoded.',
    examples: ['user_12345'],
  }),
})
const COMMA_SEPARATED = { param: { style: 'form', explode: false } } as const
const expand = z
  .array(z.enum(EXPANSIONS))
  .optional()
  .meta({ ...COMMA_SEPARATED, description: 'What to show along with each customer.' })
/** In a query string, lists are comma-separated and structures are JSON text; one schema judges them and the search body. */
const listQuery = z.object({
  ...Object.fromEntries(Object.entries(listFields).map(([name, field]) => [name, withoutNull(field)])),
  customer_ids: withoutNull(listFields.customer_ids).meta(COMMA_SEPARATED),
  external_ids: withoutNull(listFields.external_ids).meta(COMMA_SEPARATED),
  parent_customer_ids: withoutNull(listFields.parent_customer_ids).meta(COMMA_SEPARATED),
  status: listFields.status
    .unwrap()
    .unwrap()
    .out.optional()
    .meta({ ...COMMA_SEPARATED, description: 'Archived customers only when asked for.' }),
  start_time: withoutNull(listFields.start_time).meta({ description: 'Created at this time or later.' }),
  end_time: withoutNull(listFields.end_time).meta({ description: 'Created before this time.' }),
  metadata: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      description: 'Every pair must match: `metadata[plan]=pro`, or all of it as JSON text.',
      param: { style: 'deepObject', explode: true },
    }),
  filters: z.string().optional().meta({
    description:
      'JSON text, of the form it has in the body of a search: `[{"field":"name","operator":"contains","value":{"string":"acme"}}]`.',
  }),
  sort: z.string().optional().meta({
    description: 'As `-created_at,name:asc`, or as JSON text of the form it has in the body of a search.',
  }),
  cursor: withoutNull(listFields.cursor).meta({ description: '`next_cursor` of the page before.' }),
  expand,
})

/** A query string has no null to send. */
function withoutNull(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return withoutNull(schema.unwrap() as z.ZodType).optional()
  if (schema instanceof z.ZodNullable) return withoutNull(schema.unwrap() as z.ZodType)
  return schema instanceof z.ZodPipe && schema.in instanceof z.ZodOptional ? withoutNull(schema.in) : schema
}

const customerAnswer = (description: string): AnswerDoc => ({
  description,
  schema: v1Customer,
  example: CUSTOMER_EXAMPLE,
})
const READS = { touches: 'read', scope: 'customers:read' } as const
const WRITES = { touches: 'write', scope: 'customers:write', etag: true } as const
const CHANGES = { ...WRITES, headers: ['if-match'] } satisfies Partial<RouteDoc>
const PARENT_FAILURES = ['parent_not_found', 'parent_cycle', 'parent_too_deep', 'archived'] as const
const WRITE_FAILURES = ['external_id_taken', 'integration_taken', ...PARENT_FAILURES] as const
const CHANGE_FAILURES = [...WRITE_FAILURES, 'not_found', 'version_conflict', 'metadata_too_many_keys'] as const

export const v1Doc: DoorDoc = {
  tag: 'Customers (v1)',
  description: 'For billing systems that speak FlexPrice’s API.',
  door: v1Door,
  credentials: ['key', 'xApiKey'],
  limited: true,
  failures: [
    'invalid_input',
    'unauthorized',
    'missing_scope',
    'tenant_suspended',
    'rate_limited',
    'annual_limit_reached',
    'unavailable',
    'internal',
  ],
  error: envelopedError,
  routes: {
    ...bulkRoutes,
    'POST /v1/customers': {
      ...WRITES,
      operationId: 'createCustomer',
      headers: ['idempotency-key'],
      summary: 'Create a customer',
      query: z.object({
        if_exists: createQueryString.shape.if_exists.meta({
          description: '`return` answers 200 with the customer that has the external id, unchanged.',
        }),
      }),
      body: { schema: customerCreate.meta({ id: 'V1CustomerCreate' }), example: CUSTOMER_WANTED },
      answers: { 201: customerAnswer('Created.'), 200: customerAnswer('It was there already (`if_exists=return`).') },
      failures: [...WRITE_FAILURES, 'unknown_workflow'],
    },
    'GET /v1/customers': {
      ...READS,
      operationId: 'listCustomers',
      summary: 'List customers',
      description: 'Newest first unless sorted. `cursor` neither skips nor repeats under writes; `offset` may.',
      query: listQuery,
      answers: { 200: { description: 'A page.', schema: v1List, example: LISTED } },
    },
    'POST /v1/customers/search': {
      ...READS,
      operationId: 'searchCustomers',
      summary: 'Search customers',
      description: 'The same as the list, with the question in the body.',
      body: {
        schema: searchBody.meta({ id: 'V1Search' }),
        optional: true,
        example: {
          filters: [{ field: 'name', operator: 'contains', data_type: 'string', value: { string: 'acme' } }],
          sort: [{ field: 'created_at', direction: 'desc' }],
          limit: 20,
        },
      },
      answers: { 200: { description: 'A page.', schema: v1List, example: LISTED } },
    },
    'GET /v1/customers/:id': {
      ...READS,
      etag: true,
      operationId: 'getCustomer',
      summary: 'Get a customer',
      description: 'Archived ones too.',
      path: byId,
      query: z.object({ expand }),
      answers: { 200: customerAnswer('The customer.') },
      failures: ['not_found'],
    },
    'GET /v1/customers/external/:external_id': {
      ...READS,
      etag: true,
      operationId: 'getCustomerByExternalId',
      summary: 'Get a customer by your own id',
      description: 'A former external id finds its customer until another takes it. Archived ones are not found.',
      path: byExternalId,
      query: z.object({ expand }),
      answers: { 200: customerAnswer('The customer.') },
      failures: ['not_found'],
    },
    'GET /v1/customers/lookup/:external_id': {
      ...READS,
      etag: true,
      operationId: 'lookupCustomer',
      summary: 'Get a customer by your own id (older path)',
      path: byExternalId,
      query: z.object({ expand }),
      answers: { 200: customerAnswer('The customer.') },
      failures: ['not_found'],
    },
    'PUT /v1/customers': {
      ...CHANGES,
      operationId: 'updateCustomerByQuery',
      summary: 'Change the customer that the query names',
      description: 'One of the two parameters is required; two that name different customers are refused.',
      query: targetQueryString,
      body: { schema: update, example: { name: 'Acme Corp.' } },
      answers: { 200: customerAnswer('As it is now.') },
      failures: [...CHANGE_FAILURES, 'targets_disagree'],
    },
    'PUT /v1/customers/:id': {
      ...CHANGES,
      operationId: 'updateCustomer',
      summary: 'Change a customer',
      description: 'An absent field is kept, null or `""` clears it, `metadata` replaces the whole.',
      path: byId,
      query: z.object({
        id: targetQueryString.shape.id.meta({ description: 'May repeat the id of the path.' }),
        external_customer_id: targetQueryString.shape.external_customer_id.meta({
          description: 'May name the same customer by its external id.',
        }),
      }),
      body: { schema: update, example: { name: 'Acme Corp.', metadata: { plan_tier: 'pro' } } },
      answers: { 200: customerAnswer('As it is now.') },
      failures: [...CHANGE_FAILURES, 'targets_disagree'],
    },
    'PUT /v1/customers/external/:external_id': {
      ...CHANGES,
      operationId: 'upsertCustomer',
      summary: 'Create or change the customer with this external id',
      description: 'A hundred at once make one customer.',
      path: byExternalId,
      body: {
        schema: customerUpsert.meta({ id: 'V1CustomerUpsert' }),
        example: { name: 'Acme Corporation', email: 'billing@acme.com' },
      },
      answers: { 200: customerAnswer('Changed.'), 201: customerAnswer('Created.') },
      failures: [...CHANGE_FAILURES, 'unknown_workflow'],
    },
    'PATCH /v1/customers/:id': {
      ...CHANGES,
      operationId: 'patchCustomer',
      summary: 'Change a customer by a merge patch',
      description: 'RFC 7396: `metadata` is merged, and null removes a key of it.',
      path: byId,
      body: { schema: update, example: { metadata: { plan_tier: 'pro', account_manager: null } } },
      answers: { 200: customerAnswer('As it is now.') },
      failures: [...CHANGE_FAILURES],
    },
    'DELETE /v1/customers/:id': {
      ...CHANGES,
      etag: false,
      operationId: 'archiveCustomer',
      summary: 'Archive a customer',
      description: 'Refused while customers that are not archived belong to it. Its external id is free again.',
      path: byId,
      answers: { 204: { description: 'Archived.' } },
      failures: ['not_found', 'version_conflict', 'has_children'],
    },
    'POST /v1/customers/:id/restore': {
      ...CHANGES,
      operationId: 'restoreCustomer',
      headers: ['if-match', 'idempotency-key'],
      summary: 'Restore an archived customer',
      path: byId,
      answers: { 200: customerAnswer('As it was before it was archived.') },
      failures: [
        'not_found',
        'not_archived',
        'external_id_taken',
        'version_conflict',
        ...PARENT_FAILURES,
        'integration_taken',
      ],
    },
    'POST /v1/customers/:id/erase': {
      ...CHANGES,
      etag: false,
      operationId: 'eraseCustomer',
      headers: ['if-match', 'idempotency-key'],
      summary: 'Erase a customer',
      description:
        'For good: personal data goes from the customer, its events, the audit, what receivers of webhooks answered, its onboarding and the caches, and from then on there is no such customer. Archived ones can be erased too. Refused while customers that are not archived belong to it. A repeat answers the same receipt. The `x-reason` of the erasure itself is kept: put no personal data into it.',
      path: byId,
      answers: { 200: { description: 'The receipt.', schema: v1Erasure, example: ERASED } },
      failures: ['not_found', 'version_conflict', 'has_children'],
    },
  },
}
