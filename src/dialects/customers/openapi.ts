/**
 * FlatPeak's door in the OpenAPI document: an entry for each of its routes. Documentation only. A route without an entry,
 * or an entry without a route, fails `test/openapi/routes.test.ts`.
 */
import { z } from 'zod'
import type { AnswerDoc, DoorDoc, RouteDoc } from '../../http/openapi.ts'
import { flatpeakAccepted, flatpeakCustomer, flatpeakError, flatpeakList, flatpeakToken } from './answers.ts'
import { flatpeakDoor } from './failures.ts'
import { customerCreate, customerUpdate, listQuery } from './schema.ts'

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

const byId = z.object({ id: z.string().meta({ description: 'The id of the customer.', examples: [ID] }) })
const customerAnswer = (description: string): AnswerDoc => ({ description, schema: flatpeakCustomer, example: SHOWN })
const READS = { touches: 'read', scope: 'customers:read' } as const
const WRITES = { touches: 'write', scope: 'customers:write', etag: true } as const
const CHANGES = { ...WRITES, headers: ['if-match'] } satisfies Partial<RouteDoc>

const common = {
  door: flatpeakDoor,
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
    'internal',
  ],
} satisfies Partial<DoorDoc>

export const flatpeakDoc: DoorDoc = {
  ...common,
  tag: 'Customers (FlatPeak)',
  description: 'For systems that speak FlatPeak’s API. The same customers as at every other door.',
  credentials: ['key', 'xApiKey'],
  routes: {
    'POST /customers': {
      ...WRITES,
      operationId: 'flatpeakCreateCustomer',
      headers: ['idempotency-key'],
      summary: 'Create a customer',
      body: { schema: customerCreate.meta({ id: 'FlatpeakCustomerCreate' }), example: WANTED },
      answers: { 201: customerAnswer('Created.') },
      failures: ['external_id_taken'],
    },
    'GET /customers': {
      ...READS,
      operationId: 'flatpeakListCustomers',
      summary: 'List customers',
      description: 'Newest first.',
      query: z.object({
        limit: listQuery.limit,
        starting_after: listQuery.starting_after.meta({ description: 'The page behind the customer with this id.' }),
        ending_before: listQuery.ending_before.meta({ description: 'The page before the customer with this id.' }),
        reference_id: listQuery.reference_id.meta({ description: 'Only the customer with this reference id.' }),
      }),
      answers: {
        200: {
          description: 'A page.',
          schema: flatpeakList,
          example: { object: 'list', url: '/customers', has_more: false, data: [SHOWN] },
        },
      },
    },
    'GET /customers/:id': {
      ...READS,
      etag: true,
      operationId: 'flatpeakGetCustomer',
      summary: 'Get a customer',
      path: byId,
      answers: { 200: customerAnswer('The customer.') },
      failures: ['not_found'],
    },
    'PATCH /customers/:id': {
      ...CHANGES,
      operationId: 'flatpeakUpdateCustomer',
      summary: 'Change a customer',
      description: 'An absent field is kept; null clears a field or a whole group.',
      path: byId,
      body: {
        schema: customerUpdate.meta({ id: 'FlatpeakCustomerUpdate' }),
        example: { personal_details: { phone: '+442079876543' } },
      },
      answers: { 202: customerAnswer('As it is now.') },
      failures: ['not_found', 'archived', 'external_id_taken', 'version_conflict'],
    },
    'DELETE /customers/:id': {
      ...CHANGES,
      etag: false,
      operationId: 'flatpeakDeleteCustomer',
      summary: 'Delete a customer',
      description: 'It is archived: v1 still shows it, and can restore it.',
      path: byId,
      answers: { 202: { description: 'Deleted.', schema: flatpeakAccepted, example: { message: 'Accepted' } } },
      failures: ['not_found', 'version_conflict', 'has_children'],
    },
  },
}

export const loginDoc: DoorDoc = {
  ...common,
  tag: 'Login (FlatPeak)',
  description: 'An account id and a key for a bearer token of one hour. It dies with its key.',
  credentials: ['account'],
  routes: {
    'GET /login': {
      touches: null,
      operationId: 'flatpeakLogin',
      summary: 'Get a bearer token',
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
  },
}
