/**
 * What the operations of every door have in common in the OpenAPI document: headers, credentials, and one sample of each
 * failure, which the door then words. Documentation only: nothing the Worker runs imports this file.
 */
import type { Failure, FailureReason } from '../registry/failures.ts'

/**
 * Request headers, by the name an entry of a door gives. Without examples: a page that lets one try things would send them,
 * and a made-up etag makes a change fail.
 */
export const REQUEST_HEADERS = {
  'x-request-id': {
    description: 'Kept and answered when it is 1 to 128 visible ASCII characters; else Roster makes one.',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
  },
  'consistency-token': {
    description: 'The token of a write: the answer shows that write, however young it is.',
    schema: { type: 'string' },
  },
  'if-none-match': {
    description: 'The etag of what you have, such as `"3"`: 304 when it is still good.',
    schema: { type: 'string' },
  },
  'if-match': {
    description: 'The etag you read, such as `"3"`: 412 when somebody has changed the customer since.',
    schema: { type: 'string' },
  },
  prefer: {
    description:
      'With `handling=strict`, body fields that are not known are refused instead of ignored. With `consistency=strong`, a change is answered when every isolate shows it. With `server-timing`, the answer says what it waited for.',
    schema: { type: 'string' },
  },
  'idempotency-key': {
    description:
      'Makes repeating the request harmless: for 24 hours the same key with the same request gets the stored answer.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
} as const
export type RequestHeader = keyof typeof REQUEST_HEADERS

/** Headers of answers. Whether one is always there is for the answer to say. */
export const ANSWER_HEADERS = {
  'x-request-id': { description: 'The id of the request, in every log line too.', example: 'req_7f3a' },
  'cache-control': { description: 'No cache but Roster’s own keeps an answer.', example: 'no-store' },
  'ratelimit-policy': {
    description:
      'The limit: `q` requests at once, filled again over `w` seconds (draft-ietf-httpapi-ratelimit-headers).',
    example: '"scale";q=400;w=2',
  },
  ratelimit: {
    description: '`r` requests are left now; `t` seconds until all are again.',
    example: '"scale";r=399;t=1',
  },
  'x-ratelimit-limit': { description: 'The burst: requests that may come at once.', example: '400' },
  'x-ratelimit-remaining': { description: 'Requests that are left now.', example: '399' },
  'x-ratelimit-reset': { description: 'Seconds until all are left again.', example: '1' },
  'cache-status': {
    description: 'Where the answer was read: this isolate’s memory, KV, or D1 (RFC 9211).',
    example: 'roster; hit; detail=memory',
  },
  etag: { description: 'The version of what is shown.', example: '"3"' },
  'consistency-token': {
    description: 'Send it with a read that must show this write. Opaque.',
    example: 'AAAAAAAAAAE.b2t0.c2ln',
  },
  'retry-after': { description: 'Seconds to wait.', example: '1' },
  'content-disposition': {
    description: 'A name to save it under.',
    example: 'attachment; filename="customers.ndjson"',
  },
  'www-authenticate': { description: 'How to authenticate.', example: 'Bearer realm="roster"' },
  'x-content-type-options': { description: 'The file is what its type says.', example: 'nosniff' },
  'server-timing': {
    description:
      'With `prefer: server-timing`: milliseconds until the request was admitted, in calls of the gate, KV and D1, and in all.',
    example: 'admit;dur=12, gate;dur=12, kv;dur=4, d1;dur=0, total;dur=12',
  },
  'idempotent-replayed': {
    description: '`true` on an answer that was stored under the idempotency key.',
    example: 'true',
  },
} as const
export type AnswerHeader = keyof typeof ANSWER_HEADERS

export const LIMIT_HEADERS = [
  'ratelimit-policy',
  'ratelimit',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
] as const satisfies AnswerHeader[]

export const SECURITY_SCHEMES = {
  key: { type: 'http', scheme: 'bearer', description: 'A tenant’s API key, or a token of `GET /login`.' },
  xApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'A tenant’s API key.' },
  account: { type: 'http', scheme: 'basic', description: 'The account id as user, an API key as password.' },
  adminKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An admin key of this deployment.' },
} as const
export type Credential = keyof typeof SECURITY_SCHEMES

const CUSTOMER_ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'

/** One of each, for a door to word as the example of its error. */
export const SAMPLE_FAILURES: { [Reason in FailureReason]: Extract<Failure, { reason: Reason }> } = {
  invalid_input: {
    reason: 'invalid_input',
    problems: [
      {
        field: 'email',
        message: 'is not a valid e-mail address',
        fix: 'send an address such as billing@example.com',
      },
    ],
  },
  body_not_json: { reason: 'body_not_json' },
  body_not_supported: { reason: 'body_not_supported', contentType: 'text/plain' },
  body_too_large: { reason: 'body_too_large', bytesMax: 262_144 },
  no_such_route: { reason: 'no_such_route' },
  method_not_allowed: { reason: 'method_not_allowed', allowed: ['GET', 'HEAD'] },
  unauthorized: { reason: 'unauthorized' },
  missing_scope: { reason: 'missing_scope', scope: 'customers:write' },
  tenant_suspended: { reason: 'tenant_suspended' },
  rate_limited: { reason: 'rate_limited', retryAfterMs: 1_000 },
  annual_limit_reached: { reason: 'annual_limit_reached', retryAfterMs: 86_400_000 },
  not_found: { reason: 'not_found', resource: 'customer' },
  archived: { reason: 'archived', customerId: CUSTOMER_ID },
  not_archived: { reason: 'not_archived', customerId: CUSTOMER_ID },
  external_id_taken: { reason: 'external_id_taken', externalId: 'user_12345', customerId: CUSTOMER_ID },
  integration_taken: { reason: 'integration_taken' },
  version_conflict: { reason: 'version_conflict', currentVersion: 4 },
  targets_disagree: { reason: 'targets_disagree' },
  idempotency_mismatch: { reason: 'idempotency_mismatch' },
  idempotency_in_progress: { reason: 'idempotency_in_progress', retryAfterMs: 1_000 },
  parent_not_found: { reason: 'parent_not_found' },
  parent_cycle: { reason: 'parent_cycle' },
  parent_too_deep: { reason: 'parent_too_deep', levelsMax: 10 },
  has_children: { reason: 'has_children' },
  metadata_too_many_keys: { reason: 'metadata_too_many_keys', keysMax: 50 },
  unknown_workflow: { reason: 'unknown_workflow' },
  too_many_endpoints: { reason: 'too_many_endpoints', endpointsMax: 20 },
  endpoint_disabled: { reason: 'endpoint_disabled' },
  unavailable: { reason: 'unavailable', retryAfterMs: 1_000 },
  internal: { reason: 'internal' },
}
