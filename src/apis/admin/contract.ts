/**
 * Contracts of the admin API's routes: tenants, their keys, what they have configured, the audit, and the search over all
 * tenants.
 */
import * as z from 'zod'
import { contract } from '../../http/contract.ts'
import {
  auditQuery,
  endpointSwitch,
  keyCreate,
  keyListQuery,
  keyRotate,
  searchQuery,
  tenantCreate,
  tenantListQuery,
  tenantUpdate,
} from './schema.ts'

const OPERATOR = { scope: null, touches: null } as const
const TENANTS = '/admin/customers'
const TENANT = '/admin/customers/:customer_id'
const KEYS = '/admin/customers/:customer_id/keys'
const KEY = '/admin/customers/:customer_id/keys/:key_id'
const ENDPOINTS = '/admin/customers/:customer_id/webhooks/endpoints'
const ENDPOINT = '/admin/customers/:customer_id/webhooks/endpoints/:endpoint_id'

export const adminContracts = {
  createTenant: contract({
    ...OPERATOR,
    method: 'post',
    path: TENANTS,
    body: { schema: tenantCreate },
    idempotent: true,
  }),
  listTenants: contract({ ...OPERATOR, method: 'get', path: TENANTS, query: z.strictObject(tenantListQuery) }),
  getTenant: contract({ ...OPERATOR, method: 'get', path: TENANT }),
  updateTenant: contract({ ...OPERATOR, method: 'put', path: TENANT, versioned: true, body: { schema: tenantUpdate } }),
  deleteTenant: contract({ ...OPERATOR, method: 'delete', path: TENANT }),
  getUsage: contract({ ...OPERATOR, method: 'get', path: `${TENANT}/usage` }),
  createKey: contract({
    ...OPERATOR,
    method: 'post',
    path: KEYS,
    body: { schema: keyCreate, optional: true },
    idempotent: true,
  }),
  listKeys: contract({ ...OPERATOR, method: 'get', path: KEYS, query: z.strictObject(keyListQuery) }),
  revokeKey: contract({ ...OPERATOR, method: 'delete', path: KEY }),
  rotateKey: contract({
    ...OPERATOR,
    method: 'post',
    path: `${KEY}/rotate`,
    body: { schema: keyRotate, optional: true },
    idempotent: true,
  }),
  listEndpoints: contract({ ...OPERATOR, method: 'get', path: ENDPOINTS }),
  getEndpoint: contract({ ...OPERATOR, method: 'get', path: ENDPOINT }),
  switchEndpoint: contract({
    ...OPERATOR,
    method: 'patch',
    path: ENDPOINT,
    versioned: true,
    body: { schema: endpointSwitch },
  }),
  deleteEndpoint: contract({ ...OPERATOR, method: 'delete', path: ENDPOINT, versioned: true }),
  getOnboarding: contract({ ...OPERATOR, method: 'get', path: `${TENANT}/settings/customer_onboarding` }),
  listAudit: contract({ ...OPERATOR, method: 'get', path: '/admin/audit', query: z.strictObject(auditQuery) }),
  search: contract({ ...OPERATOR, method: 'get', path: '/admin/search', query: z.strictObject(searchQuery) }),
}
