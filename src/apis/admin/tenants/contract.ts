/** Contracts of the routes of tenants. */
import { contract } from '../../../http/contract.ts'
import { TENANT, TENANTS } from '../paths.ts'
import { tenantCreate, tenantListQuery, tenantMove, tenantUpdate } from './schema.ts'

const OPERATORS = { scope: null, touches: null } as const

export const tenantContracts = {
  createTenant: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'post',
    path: TENANTS,
    body: { schema: tenantCreate },
    idempotent: true,
  }),
  listTenants: contract({
    ...OPERATORS,
    role: 'viewer',
    method: 'get',
    path: TENANTS,
    query: tenantListQuery,
  }),
  getTenant: contract({ ...OPERATORS, role: 'viewer', method: 'get', path: TENANT }),
  updateTenant: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'put',
    path: TENANT,
    versioned: true,
    body: { schema: tenantUpdate },
  }),
  deleteTenant: contract({ ...OPERATORS, role: 'owner', method: 'delete', path: TENANT }),
  getUsage: contract({ ...OPERATORS, role: 'viewer', method: 'get', path: `${TENANT}/usage` }),
  moveTenant: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'post',
    path: `${TENANT}/move`,
    body: { schema: tenantMove },
  }),
  getMove: contract({ ...OPERATORS, role: 'viewer', method: 'get', path: `${TENANT}/move` }),
  abortMove: contract({ ...OPERATORS, role: 'admin', method: 'delete', path: `${TENANT}/move` }),
}
