/**
 * Builds one OpenAPI 3.1 document from the documentation of all APIs. Each API has a file in this folder that describes
 * its routes, with the zod schemas that validate their requests. This file adds the parts that all operations share:
 * limits, credentials, headers and the API's error responses. `scripts/openapi.mjs` runs it; the Worker does not import
 * it.
 */
import type { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi'
import type { Api } from '../src/http/api.ts'
import type { FailureReason } from '../src/registry/errors.ts'
import {
  type Credential,
  LIMIT_HEADERS,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  type RequestHeader,
  type ResponseHeader,
  SAMPLE_FAILURES,
  SECURITY_SCHEMES,
} from './parts.ts'

export interface ResponseDoc {
  description: string
  /** The schema of the body. Absent if the response has no body. */
  schema?: z.ZodType
  /** The content types, from which the caller chooses. Default: `application/json`. */
  mediaTypes?: string[]
  example?: unknown
  /** The example of each content type, instead of `example`. */
  examples?: Record<string, unknown>
  /** The headers that this response always has, in addition to those that every response of such a route has. */
  headers?: ResponseHeader[]
  /** The headers that this response has only sometimes. */
  sometimes?: ResponseHeader[]
}

export interface RouteDoc {
  operationId: string
  summary: string
  description?: string
  /** The scope that a key needs. */
  scope?: string | undefined
  /** The role that an operator needs. */
  role?: string | undefined
  path?: z.ZodObject
  query?: z.ZodObject
  /**
   * A read accepts a consistency token and a write returns one. Null if the route neither reads nor writes customers.
   */
  touches: 'read' | 'write' | null
  /** True if the response shows one version of a resource and has its etag. */
  etag?: boolean
  /** True if the name in the request may be a former one, or that of a customer that was merged into the one in the response. */
  elsewhere?: boolean
  /** True if the request may be a dry run, whose response has neither an etag nor a token. */
  dryRun?: boolean
  /** True if the request may be conditional on the etag: a read of it, or a change of a resource that has one. */
  conditional?: 'read' | 'change' | undefined
  /** The request headers in addition to those that every such route accepts. */
  headers?: RequestHeader[]
  body?: {
    schema: z.ZodType
    optional?: boolean | undefined
    mediaTypes?: readonly string[]
    example?: unknown
    /** The example of each content type, instead of `example`. */
    examples?: Record<string, unknown>
  }
  answers: Record<number, ResponseDoc>
  /** The failures in addition to those of the API. */
  failures?: FailureReason[]
}

export interface ApiDoc {
  tag: string
  description: string
  /** Turns failures into error responses. Null if the API has no error responses. */
  api: Api | null
  credentials: Credential[]
  /** True if the requests of a tenant are limited. The responses then have the rate limit headers. */
  limited: boolean
  /** True if an operator may send a request as a tenant that it names. No limit counts it, so none is stated. */
  actedAs?: true
  /** The failures that every route of the API may return. */
  failures: FailureReason[]
  error: z.ZodType | null
  /** The routes, by method and path in the router's form, such as `GET /v1/customers/:id`. */
  routes: Record<string, RouteDoc>
}

interface DocumentSource {
  version: string
  description: string
  apis: ApiDoc[]
  /** The webhook requests that Roster sends, by event type. */
  webhooks: NonNullable<ZodOpenApiObject['webhooks']>
}

const IDEMPOTENCY_FAILURES: FailureReason[] = ['idempotency_mismatch', 'idempotency_in_progress']
const STREAM_FAILURES: FailureReason[] = [
  'body_not_supported',
  'coding_not_supported',
  'body_not_decodable',
  'body_too_large',
]
const BODY_FAILURES: FailureReason[] = ['invalid_input', 'body_not_json', ...STREAM_FAILURES]
/** Suffix of the component of a header that a response has only sometimes. */
const SOMETIMES = '-sometimes'
/** The context of the sample error responses. The time is fixed, so that each build makes the same document. */
const WORDING = { requestId: 'req_7f3a', nowMs: Date.UTC(2026, 0, 20, 15), liveMode: true }

type Components = NonNullable<ReturnType<typeof createDocument>['components']>

export function buildDocument({ version, description, apis, webhooks }: DocumentSource) {
  const paths: ZodOpenApiObject['paths'] = {}
  for (const api of apis) {
    for (const [route, doc] of Object.entries(api.routes)) {
      const [method = '', path = ''] = route.split(' ')
      const key = templateOf(path)
      paths[key] = { ...paths[key], [method.toLowerCase()]: operationOf(api, doc) }
    }
  }
  const document: ZodOpenApiObject = {
    openapi: '3.1.1',
    info: {
      title: 'Roster',
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The deployment that serves this document.' }],
    tags: apis.map(({ tag, description }) => ({ name: tag, description })),
    paths,
    webhooks,
    components: {
      securitySchemes: SECURITY_SCHEMES,
      headers: Object.fromEntries(
        Object.entries(RESPONSE_HEADERS).flatMap(([name, header]) => {
          const shown = { schema: { type: 'string' as const }, ...header }
          return [
            [name, { ...shown, required: true }],
            [name + SOMETIMES, { ...shown, required: false }],
          ]
        }),
      ),
      parameters: Object.fromEntries(
        Object.entries(REQUEST_HEADERS).map(([name, header]) => [name, { in: 'header' as const, name, ...header }]),
      ),
    },
  }
  const { components, ...rest } = createDocument(document, {
    // Responses may get new fields later. A client that refuses unknown fields would then break.
    override({ jsonSchema, io }) {
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return { ...rest, components: { ...components, ...onlyUsed(components ?? {}, rest) } }
}

/** Returns the header and parameter components that the paths refer to. */
function onlyUsed({ headers = {}, parameters = {} }: Components, paths: object): Partial<Components> {
  const text = JSON.stringify(paths)
  const used = (kind: string, named: object) =>
    Object.fromEntries(Object.entries(named).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)))
  return { headers: used('headers', headers), parameters: used('parameters', parameters) }
}

/** Converts a path from the router's form (`/:id`) to the form of OpenAPI (`/{id}`). */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
}

function operationOf(api: ApiDoc, doc: RouteDoc): ZodOpenApiOperationObject {
  const { body } = doc
  return {
    operationId: doc.operationId,
    tags: [api.tag],
    summary: doc.summary,
    ...(describe(api, doc) && { description: describe(api, doc) }),
    security: api.credentials.map((name) => ({ [name]: [] })),
    requestParams: { ...(doc.path && { path: doc.path }), ...(doc.query && { query: doc.query }) },
    parameters: requestHeadersOf(api, doc).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(body && {
      requestBody: {
        required: !body.optional,
        content: contentOf(body),
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(doc.answers).map(([status, to]) => [status, responseOf(api, doc, to)])),
      ...(doc.conditional === 'read' && { 304: notModified(api, doc) }),
      ...failuresOf(api, doc),
    },
  }
}

function describe(api: ApiDoc, doc: RouteDoc): string {
  const { description, scope } = doc
  const role = roleOf(api, doc)
  return [
    description,
    role && (api.actedAs ? null : `Needs an operator with the role \`${role}\`.`),
    scope && `Needs the scope ${scope.includes('`') ? scope : `\`${scope}\``}.`,
    role && (api.actedAs ? `An operator who acts as a tenant needs the role \`${role}\`.` : null),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** Returns the role that an operator needs for the route; undefined if it is not for operators at all. */
function roleOf({ limited, actedAs }: ApiDoc, { role }: RouteDoc): string | undefined {
  return limited && !actedAs ? undefined : role
}

function requestHeadersOf(
  { actedAs }: ApiDoc,
  { touches, conditional, body, headers = [] }: RouteDoc,
): RequestHeader[] {
  return [
    'x-request-id',
    ...(actedAs ? (['roster-tenant', 'roster-mode'] as const) : []),
    ...(touches === 'read' ? (['consistency-token'] as const) : []),
    ...(conditional ? (['if-match', 'if-none-match'] as const) : []),
    ...(conditional === 'change' ? (['if-unmodified-since'] as const) : []),
    ...(body ? (['content-encoding'] as const) : []),
    'prefer',
    ...headers,
  ]
}

function responseOf(api: ApiDoc, doc: RouteDoc, to: ResponseDoc): ZodOpenApiResponseObject {
  const ofVersion: ResponseHeader[] = [
    ...(doc.etag && to.schema ? (['etag'] as const) : []),
    ...(doc.touches === 'write' ? (['consistency-token'] as const) : []),
  ]
  const always: ResponseHeader[] = [...alwaysOf(api, doc), ...(doc.dryRun ? [] : ofVersion)]
  if (to.schema) always.push('cache-control')
  return {
    description: to.description,
    headers: headersOf(
      [...always, ...(to.headers ?? [])],
      [...unlessActedAs(api), ...repliesOf(doc), ...(doc.dryRun ? ofVersion : []), ...(to.sometimes ?? [])],
    ),
    ...(to.schema && {
      content: Object.fromEntries(
        (to.mediaTypes ?? ['application/json']).map((type) => [type, { schema: to.schema, ...exampleOf(to, type) }]),
      ),
    }),
  }
}

/** Returns the example of a body in this content type. */
function exampleOf({ example, examples = {} }: Pick<ResponseDoc, 'example' | 'examples'>, type: string) {
  const shown = examples[type] ?? example
  return shown === undefined ? {} : { example: shown }
}

function notModified(api: ApiDoc, doc: RouteDoc): ZodOpenApiResponseObject {
  const headers = headersOf(
    [...alwaysOf(api, doc), 'etag', 'cache-control'],
    [...unlessActedAs(api), ...repliesOf(doc)],
  )
  return { description: 'Your copy is still current.', headers }
}

/** Returns the headers that every successful response of the route has, apart from those of a version. */
function alwaysOf(api: ApiDoc, { touches }: RouteDoc): ResponseHeader[] {
  return [
    'x-request-id',
    ...(api.limited && !api.actedAs ? LIMIT_HEADERS : []),
    ...(touches === 'read' ? (['cache-status'] as const) : []),
  ]
}

/** Returns the headers that a response to a tenant has, and one to an operator who acts as the tenant has not. */
function unlessActedAs({ limited, actedAs }: ApiDoc): ResponseHeader[] {
  return limited && actedAs ? [...LIMIT_HEADERS] : []
}

function repliesOf({ headers = [], elsewhere }: RouteDoc): ResponseHeader[] {
  return [
    ...(headers.includes('idempotency-key') ? (['idempotent-replayed'] as const) : []),
    ...(elsewhere ? (['content-location'] as const) : []),
  ]
}

function bodyFailuresOf({ body }: RouteDoc): FailureReason[] {
  if (!body) return []
  return body.mediaTypes === undefined ? BODY_FAILURES : STREAM_FAILURES
}

/** The headers that browsers obey, which every response has. */
const BROWSER_HEADERS: readonly ResponseHeader[] = ['x-content-type-options', 'strict-transport-security']

function headersOf(always: ResponseHeader[], sometimes: ResponseHeader[] = []) {
  return Object.fromEntries([
    ...(['server-timing', 'preference-applied', ...sometimes] as const).map((name) => [
      name,
      { $ref: `#/components/headers/${name}${SOMETIMES}` },
    ]),
    ...[...always, ...BROWSER_HEADERS].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  ])
}

/** Returns the error responses of a route, by status. Each failure reason is an example, made by the API itself. */
function failuresOf(api: ApiDoc, doc: RouteDoc): Record<string, ZodOpenApiResponseObject> {
  const { error, api: words } = api
  if (!error || !words) return {}
  const keyed = doc.headers?.includes('idempotency-key') ? IDEMPOTENCY_FAILURES : []
  const conditional: FailureReason[] = doc.conditional ? ['version_conflict'] : []
  const reasons = new Set([
    ...api.failures,
    ...(api.actedAs ? (['operators_only', 'not_found'] as const) : []),
    ...(roleOf(api, doc) === undefined ? [] : (['missing_role'] as const)),
    ...bodyFailuresOf(doc),
    ...keyed,
    ...conditional,
    ...(doc.failures ?? []),
  ])
  const byStatus = new Map<number, { reason: FailureReason; body: object }[]>()
  for (const reason of reasons) {
    const { status, body } = words.toErrorResponse(SAMPLE_FAILURES[reason], WORDING)
    byStatus.set(status, [...(byStatus.get(status) ?? []), { reason, body }])
  }
  const responses = [...byStatus].map(([status, samples]) => {
    const always: ResponseHeader[] = ['x-request-id', 'cache-control']
    if (samples.every(({ reason }) => 'retryAfterMs' in SAMPLE_FAILURES[reason])) always.push('retry-after')
    if (samples.every(({ reason }) => reason === 'unauthorized')) always.push('www-authenticate')
    const sometimes: ResponseHeader[] = [
      ...(api.limited ? LIMIT_HEADERS : []),
      ...(doc.touches === 'read' ? (['cache-status'] as const) : []),
      ...(samples.some(({ reason }) => reason === 'unauthorized') ? (['www-authenticate'] as const) : []),
      ...(samples.some(({ reason }) => 'retryAfterMs' in SAMPLE_FAILURES[reason]) ? (['retry-after'] as const) : []),
      ...(samples.some(({ reason }) => reason === 'coding_not_supported') ? (['accept-encoding'] as const) : []),
      ...repliesOf(doc),
    ]
    const response: ZodOpenApiResponseObject = {
      description: samples.map(({ reason }) => `\`${reason}\``).join(', '),
      headers: headersOf(always, sometimes),
      content: {
        'application/json': {
          schema: error,
          examples: Object.fromEntries(samples.map(({ reason, body }) => [reason, { value: body }])),
        },
      },
    }
    return [String(status), response] as const
  })
  return Object.fromEntries(responses)
}

/** Returns the body under each of its media types. */
function contentOf({ schema, mediaTypes = ['application/json'], ...shown }: NonNullable<RouteDoc['body']>) {
  return Object.fromEntries(mediaTypes.map((type) => [type, { schema, ...exampleOf(shown, type) }]))
}
