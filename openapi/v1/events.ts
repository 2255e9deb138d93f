/**
 * The event log in the OpenAPI document, with one example of an event. `openapi/build.ts` adds the error responses of
 * the v1 API. The Worker does not import this file.
 */
import { eventContracts } from '../../src/apis/v1/events/contract.ts'
import { documented } from '../documented.ts'
import { CURSOR_PARAMETER } from '../fields/shared.ts'
import { eventList } from './events-responses.ts'
import { CUSTOMER_EXAMPLE } from './shared-responses.ts'

const query = {
  limit: { description: 'The number of events on a page, at most 100.', examples: [20] },
  cursor: CURSOR_PARAMETER,
  type: {
    description:
      'One or more types, comma-separated. A page searches 5,000 events at most. If the types are rare, a page may be short or empty although more pages follow.',
    examples: ['customer.created'],
  },
  start_time: { description: 'Happened at this time or later.', examples: ['2026-01-01T00:00:00Z'] },
  end_time: { description: 'Happened before this time.', examples: ['2027-01-01T00:00:00Z'] },
  order: {
    description:
      'Newest first, or oldest first. Oldest first shows an event about ten seconds after it happened, when no older event can still appear. A caller that continues from `next_cursor` therefore misses no event.',
    examples: ['asc'],
  },
}

const EVENT_EXAMPLE = {
  id: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  type: 'customer.updated',
  timestamp: '2026-01-20T15:00:00.000Z',
  data: {
    customer: { ...CUSTOMER_EXAMPLE, name: 'Acme Corp.', integrations: [], profile: {} },
    previous_attributes: { name: 'Acme Corporation' },
    version: 2,
    actor: CUSTOMER_EXAMPLE.updated_by,
    request_id: 'req_7f3a',
    detail: null,
  },
}
const PAGE = { items: [EVENT_EXAMPLE], pagination: { limit: 50, next_cursor: null, has_more: false } }

export const eventRoutes = documented(eventContracts, {
  list: {
    operationId: 'listEvents',
    summary: 'List what happened',
    description:
      'Every change of a customer through any API, each with the customer as it was then. Events are kept for 400 days, or another time that the operator has set. Those that are more than some days old take longer to read, cost more permits, and are 503 while their archive is away. An event of an erased customer remains, but no longer identifies the customer.',
    query,
    answers: { 200: { description: 'A page.', schema: eventList, example: PAGE } },
  },
  listOfCustomer: {
    operationId: 'listCustomerEvents',
    summary: 'List what happened to a customer',
    description: 'The events of one customer, each with the customer as it was then.',
    path: {
      id: {
        description: 'The id of the customer.',
        examples: [CUSTOMER_EXAMPLE.id],
        pattern: '^cust_[0-9A-HJKMNP-TV-Z]{26}$',
      },
    },
    query,
    answers: { 200: { description: 'A page.', schema: eventList, example: PAGE } },
    failures: ['not_found'],
  },
})
