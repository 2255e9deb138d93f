/**
 * Error responses of the admin API, in v1's shape, about tenants.
 */

import type { Api } from '../../http/api.ts'
import { headerProblem } from '../../http/request-options.ts'
import { adminCredentialText, bodyProblem, contentTypeProblem } from '../../http/request-problems.ts'
import { codingProblem, conflictText, decodingProblem } from '../../http/request-texts.ts'
import type {
  CallerFailure,
  FailureTable,
  IdempotencyFailure,
  InputFailure,
  RequestFailure,
  ServiceFailure,
  TenantFailure,
  WebhookFailure,
} from '../../registry/errors.ts'
import { type ErrorText, errorResponse, invalid } from '../error-body.ts'
import { NO_SUCH_ROUTE } from '../error-texts.ts'

export const adminApi: Api = {
  name: 'admin',
  toErrorResponse: (failure) => errorResponse(TEXTS, failure),
}

type AdminFailure =
  | InputFailure
  | RequestFailure
  | IdempotencyFailure
  | Extract<CallerFailure, { reason: 'rate_limited' }>
  | TenantFailure
  | Extract<WebhookFailure, { reason: 'not_found' | 'version_conflict' }>
  | ServiceFailure

const NOT_FOUND = {
  tenant: 'There is no tenant with this customer_id: GET /admin/customers lists them',
  key: 'The tenant has no such key: GET /admin/customers/{customer_id}/keys lists its keys',
  endpoint:
    'The tenant has no such endpoint: GET /admin/customers/{customer_id}/webhooks/endpoints lists its endpoints',
}

const TEXTS: FailureTable<AdminFailure, ErrorText> = {
  invalid_input: ({ problems }) => invalid(problems),
  invalid_option: (failure) => invalid([headerProblem(failure)]),
  body_not_json: (failure) => invalid([bodyProblem(failure)]),
  body_not_supported: (failure) => invalid([contentTypeProblem(failure)]),
  coding_not_supported: (failure) => invalid([codingProblem(failure)]),
  body_not_decodable: (failure) => invalid([decodingProblem(failure)]),
  body_too_large: ({ bytesMax }) =>
    invalid([{ field: '', message: `is larger than ${bytesMax} bytes`, fix: `stay within ${bytesMax} bytes` }]),
  no_such_route: () => ({ message: NO_SUCH_ROUTE }),
  method_not_allowed: ({ allowed }) => ({ message: `Use ${allowed.join(', ')}` }),
  unauthorized: ({ sent }) => ({ message: adminCredentialText(sent) }),
  rate_limited: ({ reason }) => ({
    message: 'Too many wrong admin keys came from this address: wait as retry-after says',
    details: { reason },
  }),
  // This API calls a tenant a customer, and an operator may have sent the id of a tenant's customer.
  not_found: ({ resource }) => ({
    message: NOT_FOUND[resource === 'key' || resource === 'endpoint' ? resource : 'tenant'],
  }),
  tenant_not_suspended: ({ reason, companyName }) => ({
    message: `${companyName} is not suspended: send PUT with {"status": "suspended"} first. Only a suspended customer can be deleted`,
    details: { reason },
  }),
  version_conflict: (failure) => ({
    message: conflictText(failure, failure.resource === 'endpoint' ? 'endpoint' : 'customer'),
    details: { current_version: failure.currentVersion },
  }),
  idempotency_mismatch: () => ({
    message: 'The idempotency-key was sent with another request before: send a key of its own with each request',
  }),
  idempotency_in_progress: ({ reason }) => ({
    message: 'The first request with this idempotency-key is still under way',
    details: { reason },
  }),
  unavailable: () => ({
    message: 'It could not be completed. Repeat the request: what was already stored is then put into force',
  }),
  insufficient_storage: () => ({
    message: 'The database is full and nothing was changed: make room, see docs/operations/incidents.md',
  }),
  internal: () => ({ message: 'Something went wrong on our side' }),
}
