/** Error responses of the admin API, in v1's shape, about tenants and operators. */

import type { Api } from '../../http/api.ts'
import { headerProblem } from '../../http/request-options.ts'
import { adminCredentialText, bodyProblem, contentTypeProblem } from '../../http/request-problems.ts'
import { codingProblem, conflictText, decodingProblem } from '../../http/request-texts.ts'
import type {
  CallerFailure,
  FailureTable,
  IdempotencyFailure,
  InputFailure,
  OperatorFailure,
  RequestFailure,
  RoleFailure,
  ServiceFailure,
  TenantFailure,
  WebhookFailure,
} from '../../registry/errors.ts'
import { type ErrorText, errorResponse, invalid, sentence } from '../error-body.ts'
import { missingRoleText, NO_SUCH_ROUTE } from '../error-texts.ts'

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
  | RoleFailure
  | OperatorFailure
  | Extract<WebhookFailure, { reason: 'not_found' | 'version_conflict' }>
  | ServiceFailure

/** The words of this API for what has a version. */
const CALLED = { tenant: 'customer', endpoint: 'endpoint', operator: 'operator' } as const

const NOT_FOUND = {
  tenant: 'There is no tenant with this customer_id: GET /admin/customers lists them',
  move: 'The tenant was never moved, or its move is over: POST begins one',
  key: 'The tenant has no such key: GET /admin/customers/{customer_id}/keys lists its keys',
  endpoint:
    'The tenant has no such endpoint: GET /admin/customers/{customer_id}/webhooks/endpoints lists its endpoints',
  operator: 'There is no operator with this operator_id: GET /admin/operators lists them',
  operator_key: 'The operator has no such key: GET /admin/operators/{operator_id}/keys lists its keys',
  session: 'This request was sent without a session: POST /admin/session starts one',
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
    message: 'Too many wrong keys came from this address: wait as retry-after says',
    details: { reason },
  }),
  missing_role: ({ reason, role, needed }) => ({
    message: missingRoleText(role, needed),
    details: { reason, role, needed },
  }),
  // This API calls a tenant a customer, and an operator may have sent the id of a tenant's customer.
  not_found: ({ resource }) => ({ message: NOT_FOUND[resource as keyof typeof NOT_FOUND] ?? NOT_FOUND.tenant }),
  operator_email_taken: ({ reason }) => {
    const problem = {
      field: 'email',
      message: 'belongs to another operator',
      fix: 'send another address, or change that operator: GET /admin/operators lists them',
    }
    return { message: sentence(problem), details: { reason, errors: [problem] } }
  },
  last_owner: ({ reason }) => ({
    message: 'This is the last owner, and nobody could manage operators any more: give another operator the role first',
    details: { reason },
  }),
  tenant_not_suspended: ({ reason, companyName }) => ({
    message: `${companyName} is not suspended: send PUT with {"status": "suspended"} first. Only a suspended customer can be deleted`,
    details: { reason },
  }),
  tenant_moving: ({ reason, state, to }) => ({
    message: `The customer is being moved to database ${to} (${state}): GET its move shows how far that is, and DELETE takes it back until it is flipped`,
    details: { reason, state, database: to },
  }),
  version_conflict: (failure) => ({
    message: conflictText(failure, CALLED[failure.resource ?? 'tenant']),
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
