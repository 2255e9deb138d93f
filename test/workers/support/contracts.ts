/** The contracts of all routes, for tests that go through all of them. `http/scopes.test.ts` checks that none is missing. */
import { templateOf } from '../../../openapi/build.ts'
import document from '../../../public/openapi.json'
import { adminContracts } from '../../../src/apis/admin/contract.ts'
import { flatpeakContracts, loginContracts } from '../../../src/apis/flatpeak/contract.ts'
import { serviceContracts } from '../../../src/apis/service/contract.ts'
import { customerContracts } from '../../../src/apis/v1/customers/contract.ts'
import { eventContracts } from '../../../src/apis/v1/events/contract.ts'
import { onboardingContracts } from '../../../src/apis/v1/onboarding/contract.ts'
import { tenantContracts } from '../../../src/apis/v1/tenant/contract.ts'
import { webhookContracts } from '../../../src/apis/v1/webhooks/contract.ts'
import type { AnyContract } from '../../../src/http/contract-types.ts'
import { ADMIN_KEY } from './roster.ts'

export const contracts: AnyContract[] = [
  ...Object.values(customerContracts),
  ...Object.values(eventContracts),
  ...Object.values(webhookContracts),
  ...Object.values(onboardingContracts),
  ...Object.values(tenantContracts),
  ...Object.values(flatpeakContracts),
  ...Object.values(loginContracts),
  ...Object.values(adminContracts),
  ...Object.values(serviceContracts),
]

export const nameOf = ({ method, path }: { method: string; path: string }) => `${method.toUpperCase()} ${path}`

/** Well formed ids that do not exist. */
const NAMES: Record<string, string> = {
  id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  external_id: 'user_12345',
  endpoint_id: 'whe_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  customer_id: '00000000-0000-4000-8000-000000000000',
  key_id: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  operator_id: 'op_01JD3VQ4X8N2M7R5T9W6YBZKCE',
}
/** The query of the one route that names its customer there. */
const QUERIES: Record<string, string> = { 'PUT /v1/customers': '?external_customer_id=user_12345' }

interface RequestBodies {
  [path: string]: { [method: string]: { requestBody?: { content: Record<string, { example: unknown }> } } }
}

/** Returns the documented example of a request of the route. Its path names nothing that exists, unless `names` does. */
export function exampleOf({ method, path }: AnyContract, names: Record<string, string> = {}) {
  const content = (document.paths as unknown as RequestBodies)[templateOf(path)]?.[method]?.requestBody?.content
  const [type, { example }] = Object.entries(content ?? {})[0] ?? ['', { example: undefined }]
  const url =
    path.replaceAll(/:(\w+)/g, (_whole, name: string) => names[name] ?? NAMES[name] ?? '') +
    (QUERIES[nameOf({ method, path })] ?? '')
  const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
  return { method: method.toUpperCase(), url, headers, body: example }
}

/** Returns the headers with the right credentials for a path: the operator's, or those of a tenant's key. */
export function credentialsFor(path: string, key: string): Record<string, string> {
  return path.startsWith('/admin') ? { 'x-api-key': ADMIN_KEY } : { authorization: `Bearer ${key}` }
}
