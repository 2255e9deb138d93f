/**
 * Contracts of the routes of the event log.
 */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { eventListQuery } from './schema.ts'

const query = () => z.strictObject(eventListQuery())

export const eventContracts = {
  list: contract({ method: 'get', path: '/v1/events', scope: 'events:read', touches: null, query }),
  listOfCustomer: contract({
    method: 'get',
    path: '/v1/customers/:id/events',
    scope: 'events:read',
    touches: null,
    query,
  }),
}
