/**
 * Contracts of the routes of webhook endpoints and their deliveries.
 */
import { contract } from '../../../http/contract.ts'
import { secretRotate } from '../../../validation/fields.ts'
import { deliveryListQuery, deliveryRetry, endpointCreate, endpointTest, endpointUpdate, redelivery } from './schema.ts'

const COMMON = { scope: 'webhooks:manage', touches: null } as const
/** For what makes events go to a URL that the caller chooses, or shows which there were. */
const WITH_EVENTS = { scope: ['webhooks:manage', 'events:read'], touches: null } as const
const ENDPOINT = '/v1/webhooks/endpoints/:endpoint_id'

export const webhookContracts = {
  create: contract({
    ...WITH_EVENTS,
    method: 'post',
    path: '/v1/webhooks/endpoints',
    body: { schema: endpointCreate },
    idempotent: true,
  }),
  list: contract({ ...COMMON, method: 'get', path: '/v1/webhooks/endpoints' }),
  get: contract({ ...COMMON, method: 'get', path: ENDPOINT }),
  update: contract({
    ...WITH_EVENTS,
    method: 'patch',
    path: ENDPOINT,
    versioned: true,
    body: { schema: endpointUpdate },
  }),
  delete: contract({ ...COMMON, method: 'delete', path: ENDPOINT, versioned: true }),
  rotate: contract({
    ...COMMON,
    method: 'post',
    path: `${ENDPOINT}/rotate`,
    body: { schema: secretRotate, optional: true },
    idempotent: true,
  }),
  test: contract({
    ...COMMON,
    method: 'post',
    path: `${ENDPOINT}/test`,
    body: { schema: endpointTest, optional: true },
    idempotent: true,
  }),
  listDeliveries: contract({
    ...WITH_EVENTS,
    method: 'get',
    path: `${ENDPOINT}/deliveries`,
    query: deliveryListQuery,
  }),
  retry: contract({
    ...COMMON,
    role: 'support',
    method: 'post',
    path: `${ENDPOINT}/retry`,
    body: { schema: deliveryRetry, optional: true },
    idempotent: true,
  }),
  redeliver: contract({
    ...WITH_EVENTS,
    role: 'support',
    method: 'post',
    path: `${ENDPOINT}/redeliver`,
    body: { schema: redelivery },
    idempotent: true,
  }),
}
