/**
 * Contracts of the routes of webhook endpoints and their deliveries.
 */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { secretRotate } from '../../../validation/fields.ts'
import { deliveryListQuery, deliveryRetry, endpointCreate, endpointTest, endpointUpdate, redelivery } from './schema.ts'

const COMMON = { scope: 'webhooks', touches: null } as const
const ENDPOINT = '/v1/webhooks/endpoints/:endpoint_id'

export const webhookContracts = {
  create: contract({
    ...COMMON,
    method: 'post',
    path: '/v1/webhooks/endpoints',
    body: { schema: endpointCreate },
    idempotent: true,
  }),
  list: contract({ ...COMMON, method: 'get', path: '/v1/webhooks/endpoints' }),
  get: contract({ ...COMMON, method: 'get', path: ENDPOINT }),
  update: contract({ ...COMMON, method: 'patch', path: ENDPOINT, versioned: true, body: { schema: endpointUpdate } }),
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
    ...COMMON,
    method: 'get',
    path: `${ENDPOINT}/deliveries`,
    query: z.strictObject(deliveryListQuery),
  }),
  retry: contract({
    ...COMMON,
    method: 'post',
    path: `${ENDPOINT}/retry`,
    body: { schema: deliveryRetry, optional: true },
    idempotent: true,
  }),
  redeliver: contract({
    ...COMMON,
    method: 'post',
    path: `${ENDPOINT}/redeliver`,
    body: { schema: redelivery },
    idempotent: true,
  }),
}
