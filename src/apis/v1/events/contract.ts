/**
 * Contracts of the routes of the event log.
 */
import { contract } from '../../../http/contract.ts'
import { eventListQuery } from './schema.ts'

export const eventContracts = {
  list: contract({ method: 'get', path: '/v1/events', scope: 'events:read', touches: null, query: eventListQuery }),
  listOfCustomer: contract({
    method: 'get',
    path: '/v1/customers/:id/events',
    scope: 'events:read',
    touches: null,
    query: eventListQuery,
  }),
}
