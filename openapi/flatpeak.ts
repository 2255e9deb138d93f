/**
 * The FlatPeak API in the OpenAPI document: the documentation of each of its contracts. The Worker does not import this
 * file.
 */
import { flatpeakContracts, loginContracts } from '../src/apis/flatpeak/contract.ts'
import { flatpeakApi } from '../src/apis/flatpeak/errors.ts'
import type { ApiDoc, ResponseDoc } from './build.ts'
import { documented } from './documented.ts'
import {
  flatpeakAccepted,
  flatpeakCustomer,
  flatpeakError,
  flatpeakList,
  flatpeakToken,
  flatpeakWritten,
} from './flatpeak-responses.ts'

const ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'
const WANTED = {
  reference_id: 'user_12345',
  personal_details: {
    email: 'ada@example.com',
    email_verified: true,
    phone: '+442071234567',
    timezone: 'Europe/London',
  },
  postal_address: { address_line1: '1 High Street', city: 'London', post_code: 'SW1A 1AA', country_code: 'GB' },
  geo_location: { latitude: '51.5074', longitude: '-0.1278' },
}
const SHOWN = {
  id: ID,
  object: 'customer',
  live_mode: true,
  ...WANTED,
  locations: [],
  time_created: '2026-01-20T15:00:00.000Z',
  account_id: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e',
}

const byId = { id: { description: 'The id of the customer.', examples: [ID] } }
const customerResponse = (description: string, example: object = SHOWN): ResponseDoc => ({
  description,
  schema: flatpeakCustomer,
  example,
})
/** The response to a write: a caller without `customers:read` gets only a reference. */
const writtenResponse = (description: string, example: object = SHOWN): ResponseDoc => ({
  ...customerResponse(description, example),
  schema: flatpeakWritten,
})

const common = {
  api: flatpeakApi,
  limited: true,
  error: flatpeakError,
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
} satisfies Partial<ApiDoc>

export const flatpeakDoc: ApiDoc = {
  ...common,
  tag: 'Customers (FlatPeak)',
  description: 'For systems that use FlatPeak’s API. It serves the same customers as every other API of this service.',
  credentials: ['key', 'xApiKey'],
  routes: documented(flatpeakContracts, {
    list: {
      operationId: 'flatpeakListCustomers',
      summary: 'List customers',
      description:
        'Newest first. `starting_after` the last id of a page returns the next page. A page may be short and not be the last: read on while `has_more` is true.',
      query: {
        limit: { description: 'The number of customers on a page, at most 100.', examples: [20] },
        starting_after: { description: 'Returns the page that follows the customer with this id.', examples: [ID] },
        ending_before: { description: 'Returns the page that precedes the customer with this id.', examples: [ID] },
        reference_id: { description: 'Only the customer with this reference id.', examples: ['user_12345'] },
      },
      answers: {
        200: {
          description: 'A page.',
          schema: flatpeakList,
          example: { object: 'list', url: '/customers', has_more: false, data: [SHOWN] },
        },
      },
    },
    create: {
      etag: true,
      operationId: 'flatpeakCreateCustomer',
      summary: 'Create a customer',
      description: 'The reference id must be free. Every other API shows the customer too.',
      body: { id: 'FlatpeakCustomerCreate', example: WANTED },
      answers: { 201: writtenResponse('Created.') },
      failures: ['external_id_taken', 'customer_too_large'],
    },
    get: {
      etag: true,
      elsewhere: true,
      operationId: 'flatpeakGetCustomer',
      summary: 'Get a customer',
      description: 'A group of fields is absent if none of them is set.',
      path: byId,
      answers: { 200: customerResponse('The customer.') },
      failures: ['not_found'],
    },
    update: {
      etag: true,
      elsewhere: true,
      operationId: 'flatpeakUpdateCustomer',
      summary: 'Change a customer',
      description: 'An absent field is kept; null clears a field or a whole group.',
      path: byId,
      body: {
        id: 'FlatpeakCustomerUpdate',
        example: { personal_details: { phone: '+442079876543' } },
      },
      answers: {
        202: writtenResponse('The changed customer.', {
          ...SHOWN,
          personal_details: { ...WANTED.personal_details, phone: '+442079876543' },
        }),
      },
      failures: ['not_found', 'archived', 'external_id_taken', 'customer_too_large'],
    },
    archive: {
      operationId: 'flatpeakDeleteCustomer',
      summary: 'Delete a customer',
      description: 'Archives the customer: the v1 API still shows it and can restore it.',
      path: byId,
      answers: { 202: { description: 'Deleted.', schema: flatpeakAccepted, example: { message: 'Accepted' } } },
      failures: ['not_found', 'merged', 'has_children'],
    },
  }),
}

export const loginDoc: ApiDoc = {
  ...common,
  tag: 'Login (FlatPeak)',
  description:
    'Exchanges an account id and an API key for a bearer token that is valid for one hour, but no longer than the key.',
  credentials: ['account'],
  routes: documented(loginContracts, {
    login: {
      operationId: 'flatpeakLogin',
      summary: 'Get a bearer token',
      description:
        'Send it as `Authorization: Bearer …` with the requests that follow. The API key is accepted there too.',
      answers: {
        200: {
          description: 'The token.',
          schema: flatpeakToken,
          example: {
            object: 'token',
            live_mode: true,
            bearer_token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln',
            expires_in: 3600,
          },
        },
      },
    },
  }),
}
