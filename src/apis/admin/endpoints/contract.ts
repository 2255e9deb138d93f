/** Contracts of the routes of what a tenant has configured. */
import { contract } from '../../../http/contract.ts'
import { TENANT } from '../paths.ts'
import { endpointSwitch } from './schema.ts'

const OPERATORS = { scope: null, touches: null } as const
const ENDPOINTS = `${TENANT}/webhooks/endpoints` as const
const ENDPOINT = `${ENDPOINTS}/:endpoint_id` as const

export const endpointContracts = {
  listEndpoints: contract({ ...OPERATORS, role: 'viewer', method: 'get', path: ENDPOINTS }),
  getEndpoint: contract({ ...OPERATORS, role: 'viewer', method: 'get', path: ENDPOINT }),
  switchEndpoint: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'patch',
    path: ENDPOINT,
    versioned: true,
    body: { schema: endpointSwitch },
  }),
  deleteEndpoint: contract({ ...OPERATORS, role: 'admin', method: 'delete', path: ENDPOINT, versioned: true }),
  getOnboarding: contract({
    ...OPERATORS,
    role: 'viewer',
    method: 'get',
    path: `${TENANT}/settings/customer_onboarding`,
  }),
}
