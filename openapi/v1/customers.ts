/**
 * The customers of the v1 API in the OpenAPI document: the documentation of each contract. The Worker does not import
 * this file.
 */
import { z } from 'zod'
import { customerContracts } from '../../src/apis/v1/customers/contract.ts'
import { listFields } from '../../src/apis/v1/customers/list-schema.ts'
import { readQueryString } from '../../src/apis/v1/customers/schema.ts'
import { v1Api } from '../../src/apis/v1/errors.ts'
import { EXPANSIONS } from '../../src/registry/operations.ts'
import { externalId } from '../../src/validation/fields.ts'
import type { ApiDoc, ResponseDoc } from '../build.ts'
import { describedQuery, documented } from '../documented.ts'
import { listParameters, momentParameters } from '../fields/customers.ts'
import { field } from '../fields/field.ts'
import { envelopedError } from '../values.ts'
import { exportDoc, importDoc, undoDoc } from './customers-bulk.ts'
import { mergeDoc, unmergeDoc } from './customers-merging.ts'
import { v1Customer, v1Duplicates, v1Erasure, v1List, v1Reverted, v1Written } from './customers-responses.ts'
import { CUSTOMER_EXAMPLE, CUSTOMER_WANTED } from './shared-responses.ts'

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

const byId = { id: { description: 'The id of the customer.', examples: [ID] } }
const byExternalId = {
  external_id: externalId.meta({
    description: 'Your own id of the customer, percent-encoded.',
    examples: ['user_12345'],
  }),
}
const COMMA_SEPARATED = { param: { style: 'form', explode: false } } as const
const expand = z.array(z.enum(EXPANSIONS)).optional().meta(COMMA_SEPARATED)
/**
 * The query of the list. In a query string, lists are comma-separated and structures are JSON text. The same schema
 * validates them and the body of a search.
 */
const listQuery = describedQuery(
  {
    ...Object.fromEntries(Object.entries(listFields()).map(([name, field]) => [name, withoutNull(field)])),
    customer_ids: withoutNull(listFields().customer_ids).meta(COMMA_SEPARATED),
    external_ids: withoutNull(listFields().external_ids).meta(COMMA_SEPARATED),
    parent_customer_ids: withoutNull(listFields().parent_customer_ids).meta(COMMA_SEPARATED),
    status: listFields().status.unwrap().unwrap().out.optional().meta(COMMA_SEPARATED),
    metadata: z
      .record(z.string(), z.string())
      .optional()
      .meta({ param: { style: 'deepObject', explode: true } }),
    filters: z.string().optional(),
    sort: z.string().optional(),
    expand,
  },
  {
    ...listParameters,
    metadata: field(
      'Only customers with these metadata: every pair must match. Send `metadata[plan_tier]=pro`, or one JSON text with all pairs.',
      { plan_tier: 'enterprise' },
    ),
    filters: field(
      'Further conditions, as JSON text in the form of `filters` in the body of a search.',
      '[{"field":"name","operator":"contains","value":{"string":"acme"}}]',
    ),
    sort: field(
      'The order, such as `-created_at,name:asc`, or JSON text in the form of `sort` in the body of a search.',
      '-created_at,name:asc',
    ),
  },
)
const { as_of: asOf, version } = readQueryString().shape
const readQuery = describedQuery({ expand, as_of: asOf, version }, { ...listParameters, ...momentParameters })
/** Why a read of a customer as it was may fail besides. */
const PAST_FAILURES = ['not_found', 'history_expired'] as const
const PAST =
  'With `as_of` or `version`, the response is what a read answered then, to the byte, with the `etag` of then. It is 404 if there was no such customer yet, and 410 `history_expired` if what it was is no longer kept: changes are kept for 400 days, or another time that the operator has set. Those that are more than some days old are in an archive, and 503 while it is away. An erased customer has no past.'

/** Returns the schema without null, because a query string cannot contain null. */
function withoutNull(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return withoutNull(schema.unwrap() as z.ZodType).optional()
  if (schema instanceof z.ZodNullable) return withoutNull(schema.unwrap() as z.ZodType)
  return schema instanceof z.ZodPipe && schema.in instanceof z.ZodOptional ? withoutNull(schema.in) : schema
}

const EXPAND_CREATED = {
  description:
    '`duplicates`: if a customer is created, the response says which others may be the same. Nothing is refused, and without this nothing is read.',
  examples: ['duplicates'],
}

const customerResponse = (description: string, changed: object = {}): ResponseDoc => ({
  description,
  schema: v1Customer,
  example: { ...CUSTOMER_EXAMPLE, ...changed },
})
/** The response to a write: a caller without `customers:read` gets only a reference. */
const writtenResponse = (description: string, changed: object = {}): ResponseDoc => ({
  ...customerResponse(description, changed),
  schema: v1Written,
})
const PARENT_FAILURES = ['parent_not_found', 'parent_cycle', 'parent_too_deep', 'archived'] as const
const WRITE_FAILURES = ['external_id_taken', 'integration_taken', ...PARENT_FAILURES, 'customer_too_large'] as const
const CHANGE_FAILURES = [...WRITE_FAILURES, 'too_many_descendants', 'not_found', 'metadata_too_many_keys'] as const

export const v1Doc: ApiDoc = {
  tag: 'Customers (v1)',
  description: 'For billing systems that use FlexPrice’s API.',
  api: v1Api,
  credentials: ['key', 'xApiKey', 'adminKey'],
  limited: true,
  actedAs: true,
  failures: [
    'invalid_input',
    'unauthorized',
    'missing_scope',
    'tenant_suspended',
    'rate_limited',
    'annual_limit_reached',
    'unavailable',
    'insufficient_storage',
    'internal',
  ],
  error: envelopedError,
  routes: documented(customerContracts, {
    list: {
      operationId: 'listCustomers',
      summary: 'List customers',
      description:
        'Newest first unless `sort` is sent. While customers change, pages by `cursor` neither skip nor repeat one; pages by `offset` may.\n\nA page looks at no more than 10,000 customers, or 2,000 if it filters by metadata or more than five fields, and has at most about 1 MB. So it may be short or even empty and not be the last: read on until `has_more` is false. Each 5,000 rows that it reads and each 256 KB of the response cost one more permit.',
      query: listQuery,
      answers: { 200: { description: 'A page.', schema: v1List, example: LISTED } },
    },
    create: {
      etag: true,
      operationId: 'createCustomer',
      summary: 'Create a customer',
      description:
        'The external id must be free. The onboarding of the customer starts, if the tenant has one. To create or change in one request, use `PUT /v1/customers/external/{external_id}`.',
      query: {
        if_exists: {
          description:
            'With `return`, the response is 200 with the customer that already has the external id, unchanged.',
          examples: ['return'],
        },
        expand: EXPAND_CREATED,
      },
      body: { id: 'V1CustomerCreate', example: CUSTOMER_WANTED },
      answers: {
        201: writtenResponse('Created.'),
        200: writtenResponse('The customer already existed (`if_exists=return`).'),
      },
      failures: [...WRITE_FAILURES, 'unknown_workflow'],
    },
    search: {
      operationId: 'searchCustomers',
      summary: 'Search customers',
      description:
        'The same as the list, with the parameters in the body. `contains` and `not_contains` ignore case and accents in all of Unicode. An unknown field is refused.',
      body: {
        id: 'V1Search',
        example: {
          filters: [{ field: 'name', operator: 'contains', data_type: 'string', value: { string: 'acme' } }],
          sort: [{ field: 'created_at', direction: 'desc' }],
          limit: 20,
        },
      },
      answers: { 200: { description: 'A page.', schema: v1List, example: LISTED } },
    },
    get: {
      etag: true,
      elsewhere: true,
      operationId: 'getCustomer',
      summary: 'Get a customer',
      description: `Returns archived customers too. ${PAST} Paths of FlexPrice’s API that Roster is not for, such as \`usage\` or \`wallets\` in place of the id or behind it, are 501 \`not_supported\` and say what to use instead.`,
      path: byId,
      query: readQuery,
      answers: { 200: customerResponse('The customer.') },
      failures: [...PAST_FAILURES, 'not_supported'],
    },
    getByExternalId: {
      etag: true,
      elsewhere: true,
      operationId: 'getCustomerByExternalId',
      summary: 'Get a customer by your own id',
      description: `A former external id finds its customer until another customer takes it. Archived customers are not found. With \`as_of\`, the response is the customer that had this external id then; with \`version\`, that version of the customer that the id finds now. ${PAST}`,
      path: byExternalId,
      query: readQuery,
      answers: { 200: customerResponse('The customer.') },
      failures: [...PAST_FAILURES],
    },
    lookup: {
      etag: true,
      elsewhere: true,
      operationId: 'lookupCustomer',
      summary: 'Get a customer by your own id (older path)',
      description: 'The same as `GET /v1/customers/external/{external_id}`, for older FlexPrice clients.',
      path: byExternalId,
      query: readQuery,
      answers: { 200: customerResponse('The customer.') },
      failures: [...PAST_FAILURES],
    },
    duplicates: {
      operationId: 'listDuplicates',
      summary: 'List the customers that may be the same',
      description:
        'At most 20, best first: those with the same e-mail address, and those with the same name and postal code, archived ones too. Of many with the same address or name, the newest are looked at. `merge` makes one of two.',
      path: byId,
      answers: {
        200: {
          description: 'The candidates.',
          schema: v1Duplicates,
          example: { items: [{ customer: CUSTOMER_EXAMPLE, reasons: ['same_email'] }] },
        },
      },
      failures: ['not_found'],
    },
    updateByQuery: {
      etag: true,
      elsewhere: true,
      operationId: 'updateCustomerByQuery',
      summary: 'Change the customer that the query names',
      description:
        'One of the two parameters is required. If they name different customers, the request is refused. An absent field is kept, and null or `""` clears a field.',
      query: {
        id: { description: 'The id of the customer.', examples: [ID] },
        external_customer_id: { description: 'The external id of the customer.', examples: ['user_12345'] },
      },
      body: { id: 'V1CustomerUpdate', example: { name: 'Acme Corp.' } },
      answers: { 200: writtenResponse('The changed customer.', { name: 'Acme Corp.' }) },
      failures: [...CHANGE_FAILURES, 'targets_disagree'],
    },
    update: {
      etag: true,
      elsewhere: true,
      operationId: 'updateCustomer',
      summary: 'Change a customer',
      description:
        'An absent field is kept, and null or `""` clears a field. `metadata` replaces all metadata. The query may repeat the id of the path as `id`, as FlexPrice clients do.',
      path: byId,
      query: {
        id: 'hidden',
        external_customer_id: {
          description: 'The external id of the same customer. It may be left out.',
          examples: ['user_12345'],
        },
      },
      body: { id: 'V1CustomerUpdate', example: { name: 'Acme Corp.', metadata: { plan_tier: 'pro' } } },
      answers: {
        200: writtenResponse('The changed customer.', { name: 'Acme Corp.', metadata: { plan_tier: 'pro' } }),
      },
      failures: [...CHANGE_FAILURES, 'targets_disagree'],
    },
    upsert: {
      etag: true,
      elsewhere: true,
      operationId: 'upsertCustomer',
      summary: 'Create or change the customer with this external id',
      description:
        'An upsert: the response is 201 if the customer was created, and 200 if it was changed. A hundred such requests at once create one customer.',
      path: byExternalId,
      query: { expand: EXPAND_CREATED },
      body: {
        id: 'V1CustomerUpsert',
        example: { name: 'Acme Corporation', email: 'billing@acme.com' },
      },
      answers: { 200: writtenResponse('Changed.'), 201: writtenResponse('Created.') },
      failures: [...CHANGE_FAILURES, 'unknown_workflow'],
    },
    patch: {
      etag: true,
      elsewhere: true,
      operationId: 'patchCustomer',
      summary: 'Change a customer by a merge patch',
      description:
        'A merge patch (RFC 7396): an absent field is kept, null clears a field, `metadata` is merged, and null removes a key of it.',
      path: byId,
      body: { id: 'V1CustomerUpdate', example: { metadata: { plan_tier: 'pro', account_manager: null } } },
      answers: { 200: writtenResponse('The changed customer.', { metadata: { plan_tier: 'pro' } }) },
      failures: [...CHANGE_FAILURES],
    },
    archive: {
      operationId: 'archiveCustomer',
      summary: 'Archive a customer',
      description:
        'Refused while the customer has children that are not archived. Another customer can then take its external id.',
      path: byId,
      answers: { 204: { description: 'Archived.' } },
      failures: ['not_found', 'merged', 'has_children'],
    },
    restore: {
      etag: true,
      operationId: 'restoreCustomer',
      summary: 'Restore an archived customer',
      description:
        'The body is optional. Its fields are applied in the same step, so that every archived customer can be restored: send another `external_id` if another customer has it by now, `parent_customer_id: null` if the parent is archived, and `integration_entity_mapping` without entities that another customer has. A parent that was erased is cleared. Former external ids do not come back. A customer that is not archived is updated.',
      path: byId,
      body: { id: 'V1CustomerRestore', example: { external_id: 'user_12345_old', parent_customer_id: null } },
      answers: {
        200: writtenResponse('The customer with these fields; the others are as they were before.', {
          external_id: 'user_12345_old',
        }),
      },
      failures: [
        'not_found',
        'merged',
        'not_archived',
        'external_id_taken',
        ...PARENT_FAILURES,
        'integration_taken',
        'metadata_too_many_keys',
        'customer_too_large',
      ],
    },
    merge: mergeDoc,
    unmerge: unmergeDoc,
    revert: {
      etag: true,
      operationId: 'revertCustomer',
      summary: 'Make a customer what it was',
      description:
        'Makes a new version with all fields, the parent, the integrations and the status (archived or not) of a moment: send `version` or `as_of`. Former external ids do not come back. If some of it is not to be had any more, because another customer has the external id or an entity, or the parent is archived, the response is 409 and names each field; `partial=true` reverts the rest. A customer that is what it was gets no new version.',
      path: byId,
      query: {
        partial: {
          description:
            '`true` reverts what can be had. `left` in the response names the fields that are not what they were.',
          examples: ['true'],
        },
      },
      body: { id: 'V1CustomerRevert', example: { version: 1 } },
      answers: {
        200: {
          description: 'The customer as it was then, in a new version.',
          schema: v1Reverted,
          example: CUSTOMER_EXAMPLE,
        },
      },
      failures: [...PAST_FAILURES, 'revert_conflict', 'customer_too_large'],
    },
    erase: {
      operationId: 'eraseCustomer',
      summary: 'Erase a customer',
      description:
        'Erases permanently: personal data is removed from the customer, its events, the audit log, the stored responses of webhook endpoints, its onboarding and the caches. From then on the customer does not exist. Archived customers can be erased too. Refused while the customer has children that are not archived. A repeat returns the same receipt. The `x-reason` of the erasure itself is kept, so put no personal data into it.',
      path: byId,
      answers: { 200: { description: 'The receipt.', schema: v1Erasure, example: ERASED } },
      failures: ['not_found', 'merged', 'has_children'],
    },
    undo: undoDoc,
    import: importDoc,
    export: exportDoc,
  }),
}
