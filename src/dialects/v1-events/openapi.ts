/**
 * The log of events in the OpenAPI document, and one example of an event. Documentation only; failures are in the words of
 * the v1 door, which `http/openapi-document.ts` adds.
 */
import { z } from 'zod'
import type { RouteDoc } from '../../http/openapi.ts'
import { customerIdOut } from '../answers.ts'
import { CUSTOMER_EXAMPLE } from '../flexprice-answers.ts'
import { eventList } from './answers.ts'
import { eventListQuery } from './schema.ts'

const { cursor, type, start_time: startTime, end_time: endTime, order } = eventListQuery

const query = z.object({
  ...eventListQuery,
  cursor: cursor.meta({ description: '`next_cursor` of the page before.' }),
  type: type.meta({
    description:
      'One or more types, comma-separated. A page looks at 5,000 events at most: where they are rare it may be short, or empty, and have more behind it.',
    examples: ['customer.created'],
  }),
  start_time: startTime.meta({ description: 'Happened at this time or later.' }),
  end_time: endTime.meta({ description: 'Happened before this time.' }),
  order: order.meta({
    description:
      'Newest first, or oldest first. Oldest first shows an event some ten seconds after it happened, when none older can come before it any more: whoever goes on from `next_cursor` misses none.',
  }),
})

const EVENT_EXAMPLE = {
  id: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  type: 'customer.updated',
  timestamp: '2026-01-20T15:00:00.000Z',
  data: {
    customer: { ...CUSTOMER_EXAMPLE, integrations: [] },
    previous_attributes: { name: 'Acme Inc.' },
    version: 2,
    actor: CUSTOMER_EXAMPLE.updated_by,
    request_id: 'req_7f3a',
    detail: null,
  },
}
const PAGE = { items: [EVENT_EXAMPLE], pagination: { limit: 50, next_cursor: null, has_more: false } }

export const eventRoutes: Record<string, RouteDoc> = {
  'GET /v1/events': {
    touches: null,
    operationId: 'listEvents',
    summary: 'List what happened',
    description:
      'Every change of a customer through whichever door, each with the customer as it then was. Kept for 90 days. Of an erased customer an event tells that it happened, no longer to whom.',
    scope: 'events:read',
    query,
    answers: { 200: { description: 'A page.', schema: eventList, example: PAGE } },
  },
  'GET /v1/customers/:id/events': {
    touches: null,
    operationId: 'listCustomerEvents',
    summary: 'List what happened to a customer',
    scope: 'events:read',
    path: z.object({ id: customerIdOut.meta({ description: 'The id of the customer.' }) }),
    query,
    answers: { 200: { description: 'A page.', schema: eventList, example: PAGE } },
    failures: ['not_found'],
  },
}
