/**
 * Contracts of the FlatPeak API's routes.
 */
import { contract } from '../../http/contract.ts'
import { customerCreate, customerUpdate, listQuery } from './schema.ts'

const READS = { scope: 'customers:read', touches: 'read' } as const
const WRITES = { scope: 'customers:write', touches: 'write' } as const
const CHANGES = { ...WRITES, versioned: true } as const
const CUSTOMERS = '/customers'
const CUSTOMER = '/customers/:id'

export const flatpeakContracts = {
  create: contract({
    ...WRITES,
    method: 'post',
    path: CUSTOMERS,
    body: { schema: customerCreate },
    idempotent: true,
  }),
  list: contract({ ...READS, method: 'get', path: CUSTOMERS, query: listQuery }),
  get: contract({ ...READS, method: 'get', path: CUSTOMER }),
  update: contract({ ...CHANGES, method: 'patch', path: CUSTOMER, body: { schema: customerUpdate } }),
  archive: contract({ ...CHANGES, method: 'delete', path: CUSTOMER }),
}

export const loginContracts = {
  login: contract({ method: 'get', path: '/login', scope: null, touches: null }),
}
