/**
 * The parts of the OpenAPI document that the operations of all APIs share: headers, credentials, and one sample of each
 * failure, which each API turns into its error response. The Worker does not import this file.
 */
import type { Failure, FailureReason } from '../src/registry/errors.ts'

const CONSISTENCY_TOKEN = 'AAAAAAAAAAE.b2t0.c2ln'

/**
 * The request headers, by the name that the documentation of a route uses. The reference page shows the examples, and
 * sends none of them unless the reader types it.
 */
export const REQUEST_HEADERS = {
  'x-request-id': {
    description:
      'Used as the id of the request and returned, if it is 1 to 128 visible ASCII characters. Otherwise Roster creates an id.',
    example: 'req_7f3a',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
  },
  'consistency-token': {
    description: 'The token that a write returned. The response then includes that write, however recent it is.',
    example: CONSISTENCY_TOKEN,
    schema: { type: 'string' },
  },
  'if-none-match': {
    description:
      'On a read: the etags of your copies. The response is 304 if one of them is still current. On a change: `*` makes it only if there is no such resource yet, and etags only if it is in none of these versions; otherwise the response is 412.',
    example: '"1"',
    schema: { type: 'string' },
  },
  'if-match': {
    description:
      'The etag that you read, or several with commas between them. The response is 412 if the resource has changed since. `*` requires only that it exists.',
    example: '"1"',
    schema: { type: 'string' },
  },
  'if-unmodified-since': {
    description:
      'An HTTP-date. The response is 412 if `updated_at` is later. Ignored beside `if-match`, which is more exact.',
    example: 'Fri, 31 Dec 2100 23:59:59 GMT',
    schema: { type: 'string' },
  },
  'content-encoding': {
    description: 'How the body is compressed: `gzip` or `deflate`. The limits apply to what it is decoded to.',
    example: 'gzip',
    schema: { type: 'string' },
  },
  prefer: {
    description:
      'With `handling=strict`, unknown body fields are refused instead of ignored. With `consistency=strong`, the response to a change is sent when every isolate shows the change. With `server-timing`, the response has a `server-timing` header.',
    example: 'handling=strict',
    schema: { type: 'string' },
  },
  'idempotency-key': {
    description:
      'Makes it safe to repeat the request: for 24 hours, the same key with the same request gets the stored response, also an error of a request that was carried out. A request that is refused for what it says leaves the key free.',
    example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  'roster-tenant': {
    description:
      'Only for operators: the `customer_id` of the tenant to act as. The request is not metered, and works while the tenant is suspended. The response is 403 for a key of a tenant.',
    example: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e',
    schema: { type: 'string', format: 'uuid' },
  },
  'roster-mode': {
    description: 'Required with `roster-tenant`: the mode to act in.',
    example: 'live',
    schema: { type: 'string', pattern: '^(live|test)$' },
  },
  'x-confirm': {
    description:
      'The company name of the tenant, so that no other is deleted by mistake. In percent-encoding if it is not ASCII.',
    required: true,
    example: 'Acme Corporation',
    schema: { type: 'string' },
  },
  'x-reason': {
    description:
      'Why the change is made, for the audit log. Required of an operator who makes it as a tenant, and else optional.',
    example: 'ticket 4711',
    schema: { type: 'string', maxLength: 500 },
  },
} as const
export type RequestHeader = keyof typeof REQUEST_HEADERS

/** The response headers. The documentation of each response says whether it always has a header. */
export const RESPONSE_HEADERS = {
  'x-request-id': { description: 'The id of the request, which is also in every log line.', example: 'req_7f3a' },
  'cache-control': { description: 'Only Roster’s own caches may store a response.', example: 'no-store' },
  'ratelimit-policy': {
    description: 'The limit: `q` requests at once, refilled over `w` seconds (draft-ietf-httpapi-ratelimit-headers).',
    example: '"scale";q=400;w=2',
  },
  ratelimit: {
    description:
      '`r` requests are left now; all are available again in `t` seconds. A response that cost more than one permit has already taken all of them.',
    example: '"scale";r=399;t=1',
  },
  'x-ratelimit-limit': { description: 'The burst: the number of requests that may be sent at once.', example: '400' },
  'x-ratelimit-remaining': { description: 'The number of requests that are left now.', example: '399' },
  'x-ratelimit-reset': { description: 'Seconds until the whole burst is available again.', example: '1' },
  'cache-status': {
    description: 'Where the response was read from: this isolate’s memory, KV, or D1 (RFC 9211).',
    example: 'roster; hit; detail=memory',
  },
  etag: { description: 'The version of the resource in the response.', example: '"3"' },
  'content-location': {
    description:
      'The path of the customer in the response, if the request named it by a former external id, or by an id of a customer that was merged into it.',
    example: '/v1/customers/cust_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  },
  'consistency-token': {
    description: 'Send it with a read that must include this write. It is opaque.',
    example: CONSISTENCY_TOKEN,
  },
  'preference-applied': {
    description: 'The preferences of the `prefer` header that the response honours (RFC 7240).',
    example: 'handling=strict',
  },
  'accept-encoding': {
    description: 'The content codings that a request may have.',
    example: 'gzip, deflate, identity',
  },
  'retry-after': { description: 'Seconds to wait before the next attempt.', example: '1' },
  'content-disposition': {
    description: 'A file name to save the response under.',
    example: 'attachment; filename="customers.ndjson"',
  },
  link: {
    description: 'The URL of the next response (RFC 8288). Absent from the last response.',
    example: '</v1/customers/export?format=ndjson&after=cust_01JD3VQ4X8N2M7R5T9W6YBZKCE>; rel="next"',
  },
  'set-cookie': {
    description: 'The session of the console, which scripts cannot read, or its end.',
    example: '__Host-roster-session=os_01JD3VQ4X8…; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200',
  },
  'www-authenticate': { description: 'How to authenticate.', example: 'Bearer realm="roster"' },
  'x-content-type-options': { description: 'Tells the client not to guess another content type.', example: 'nosniff' },
  'strict-transport-security': {
    description: 'Tells browsers to reach the host through TLS alone.',
    example: 'max-age=31536000',
  },
  'server-timing': {
    description:
      'With `prefer: server-timing`: the milliseconds until the request was admitted, in calls of the gate, KV and D1, and in total.',
    example: 'admit;dur=12, gate;dur=12, kv;dur=4, d1;dur=0, total;dur=12',
  },
  'idempotent-replayed': {
    description: '`true` if the response is the one that was stored under the idempotency key.',
    example: 'true',
  },
} as const
export type ResponseHeader = keyof typeof RESPONSE_HEADERS

export const LIMIT_HEADERS = [
  'ratelimit-policy',
  'ratelimit',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
] as const satisfies ResponseHeader[]

export const SECURITY_SCHEMES = {
  key: { type: 'http', scheme: 'bearer', description: 'A tenant’s API key, or a token of `GET /login`.' },
  xApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'A tenant’s API key.' },
  account: {
    type: 'http',
    scheme: 'basic',
    description: 'The account id as the user name, an API key as the password.',
  },
  adminKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'A key of an operator, or an admin key.' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-roster-session',
    description:
      'The session of the console. It counts only with the header `roster-console: 1`, from the same origin.',
  },
} as const
export type Credential = keyof typeof SECURITY_SCHEMES

const CUSTOMER_ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'

/** One failure of each reason, which each API turns into an example of its error response. */
export const SAMPLE_FAILURES: { [Reason in FailureReason]: Extract<Failure, { reason: Reason }> } = {
  invalid_input: {
    reason: 'invalid_input',
    problems: [
      {
        field: 'email',
        message: 'is not a valid e-mail address: it has no @',
        fix: 'send an address such as billing@example.com',
      },
    ],
  },
  invalid_option: {
    reason: 'invalid_option',
    option: 'reason',
    message: 'is longer than 500 characters: it has 612',
    fix: 'say it in 500 characters',
  },
  body_not_json: { reason: 'body_not_json' },
  body_not_supported: { reason: 'body_not_supported', contentType: 'text/plain' },
  coding_not_supported: { reason: 'coding_not_supported', coding: 'br' },
  body_not_decodable: { reason: 'body_not_decodable', coding: 'gzip' },
  body_too_large: { reason: 'body_too_large', bytesMax: 262_144 },
  no_such_route: { reason: 'no_such_route' },
  method_not_allowed: { reason: 'method_not_allowed', allowed: ['GET', 'HEAD'] },
  not_supported: {
    reason: 'not_supported',
    what: 'usage',
    instead: 'ask your metering system, by the external_id of the customer',
  },
  unauthorized: { reason: 'unauthorized' },
  missing_scope: { reason: 'missing_scope', scope: 'customers:write' },
  missing_role: { reason: 'missing_role', role: 'support', needed: 'admin' },
  operators_only: { reason: 'operators_only' },
  tenant_suspended: { reason: 'tenant_suspended' },
  rate_limited: { reason: 'rate_limited', retryAfterMs: 1_000 },
  annual_limit_reached: { reason: 'annual_limit_reached', retryAfterMs: 86_400_000 },
  not_found: { reason: 'not_found', resource: 'customer' },
  archived: { reason: 'archived', customerId: CUSTOMER_ID },
  not_archived: { reason: 'not_archived', customerId: CUSTOMER_ID },
  history_expired: { reason: 'history_expired' },
  revert_conflict: {
    reason: 'revert_conflict',
    conflicts: [{ field: 'externalId', reason: 'external_id_taken', customerId: CUSTOMER_ID }],
  },
  external_id_taken: { reason: 'external_id_taken', externalId: 'user_12345', customerId: CUSTOMER_ID },
  integration_taken: { reason: 'integration_taken' },
  version_conflict: { reason: 'version_conflict', currentVersion: 4 },
  targets_disagree: { reason: 'targets_disagree' },
  idempotency_mismatch: { reason: 'idempotency_mismatch' },
  idempotency_in_progress: { reason: 'idempotency_in_progress', retryAfterMs: 1_000 },
  parent_not_found: { reason: 'parent_not_found' },
  parent_cycle: { reason: 'parent_cycle' },
  parent_too_deep: { reason: 'parent_too_deep', levelsMax: 10 },
  too_many_descendants: { reason: 'too_many_descendants', descendantsMax: 1_000 },
  has_children: { reason: 'has_children' },
  metadata_too_many_keys: { reason: 'metadata_too_many_keys', keysMax: 50 },
  customer_too_large: { reason: 'customer_too_large', bytesMax: 65_536 },
  tenant_not_suspended: { reason: 'tenant_not_suspended', companyName: 'Acme Corporation' },
  tenant_moving: { reason: 'tenant_moving', state: 'copying', to: 2 },
  operator_email_taken: { reason: 'operator_email_taken' },
  last_owner: { reason: 'last_owner' },
  unknown_workflow: { reason: 'unknown_workflow' },
  merged: { reason: 'merged', customerId: CUSTOMER_ID, mergedInto: 'cust_01JD3W0A1B2C3D4E5F6G7H8J9K' },
  merge_too_large: { reason: 'merge_too_large', what: 'children', max: 200 },
  unmerge_expired: { reason: 'unmerge_expired', sourceId: CUSTOMER_ID },
  unmerge_order: { reason: 'unmerge_order', sourceId: CUSTOMER_ID, firstId: 'cust_01JD3W0A1B2C3D4E5F6G7H8J9K' },
  too_many_endpoints: { reason: 'too_many_endpoints', endpointsMax: 20 },
  endpoint_disabled: { reason: 'endpoint_disabled' },
  deliveries_waiting: { reason: 'deliveries_waiting', waitingMax: 1_000 },
  unavailable: { reason: 'unavailable', retryAfterMs: 1_000 },
  insufficient_storage: { reason: 'insufficient_storage' },
  internal: { reason: 'internal' },
}
