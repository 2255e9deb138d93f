/**
 * From the entries of the doors to one OpenAPI 3.1 document. A door describes each of its routes in its `openapi.ts`, with
 * the very zod that validates it; what all operations share (limits, credentials, headers, errors in the door's own
 * words) is added here. Documentation only: `scripts/openapi.mjs` runs it, the Worker never does.
 */
import type { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi'
import type { FailureReason } from '../registry/failures.ts'
import type { Door } from './door.ts'
import {
  ANSWER_HEADERS,
  type AnswerHeader,
  type Credential,
  LIMIT_HEADERS,
  REQUEST_HEADERS,
  type RequestHeader,
  SAMPLE_FAILURES,
  SECURITY_SCHEMES,
} from './openapi-parts.ts'

export interface AnswerDoc {
  description: string
  /** Left out: no body. */
  schema?: z.ZodType
  /** `application/json` unless said; of several, the caller chooses. */
  mediaTypes?: string[]
  example?: unknown
  /** Beside those that every answer of such a route has. */
  headers?: AnswerHeader[]
}

export interface RouteDoc {
  operationId: string
  summary: string
  description?: string
  /** The scope a key needs. */
  scope?: string
  path?: z.ZodObject
  query?: z.ZodObject
  /** A read of the registry takes a consistency token, a write gives one; null touches no customer. */
  touches: 'read' | 'write' | null
  /** It shows one customer: reads take if-none-match. */
  etag?: boolean
  /** Beside those that every such route takes. */
  headers?: RequestHeader[]
  body?: { schema: z.ZodType; optional?: boolean; mediaType?: string; example: unknown }
  answers: Record<number, AnswerDoc>
  /** Beside those of the door. */
  failures?: FailureReason[]
}

export interface DoorDoc {
  tag: string
  description: string
  /** Null: nothing here fails in a door's words. */
  door: Door | null
  credentials: Credential[]
  /** A tenant's requests are limited and say how much is left. */
  limited: boolean
  /** What any of its routes may answer. */
  failures: FailureReason[]
  error: z.ZodType | null
  /** `GET /v1/customers/:id`, as the router has it. */
  routes: Record<string, RouteDoc>
}

interface ApiDoc {
  version: string
  description: string
  doors: DoorDoc[]
  /** What Roster sends, by the name of the event. */
  webhooks: NonNullable<ZodOpenApiObject['webhooks']>
}

const IDEMPOTENCY_FAILURES: FailureReason[] = ['idempotency_mismatch', 'idempotency_in_progress']
const BODY_FAILURES: FailureReason[] = ['invalid_input', 'body_not_json', 'body_not_supported', 'body_too_large']
/** Of a header that not every such answer has. */
const SOMETIMES = '-sometimes'
/** A sample is worded at a fixed time, so that the document is the same however often it is made. */
const WORDING = { requestId: 'req_7f3a', nowMs: Date.UTC(2026, 0, 20, 15), liveMode: true }

type Components = NonNullable<ReturnType<typeof createDocument>['components']>

export function buildDocument({ version, description, doors, webhooks }: ApiDoc) {
  const paths: ZodOpenApiObject['paths'] = {}
  for (const door of doors) {
    for (const [route, doc] of Object.entries(door.routes)) {
      const [method = '', path = ''] = route.split(' ')
      const key = templateOf(path)
      paths[key] = { ...paths[key], [method.toLowerCase()]: operationOf(door, doc) }
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
    tags: doors.map(({ tag, description }) => ({ name: tag, description })),
    paths,
    webhooks,
    components: {
      securitySchemes: SECURITY_SCHEMES,
      headers: Object.fromEntries(
        Object.entries(ANSWER_HEADERS).flatMap(([name, header]) => {
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
    // An answer may grow: a client that refuses fields it does not know would break.
    override({ jsonSchema, io }) {
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return { ...rest, components: { ...components, ...onlyUsed(components ?? {}, rest) } }
}

/** Of the headers, only those that the paths refer to. */
function onlyUsed({ headers = {}, parameters = {} }: Components, paths: object): Partial<Components> {
  const text = JSON.stringify(paths)
  const used = (kind: string, named: object) =>
    Object.fromEntries(Object.entries(named).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)))
  return { headers: used('headers', headers), parameters: used('parameters', parameters) }
}

/** From the router's form of a path to OpenAPI's. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')
}

function operationOf(door: DoorDoc, doc: RouteDoc): ZodOpenApiOperationObject {
  const { body } = doc
  return {
    operationId: doc.operationId,
    tags: [door.tag],
    summary: doc.summary,
    ...(describe(doc) && { description: describe(doc) }),
    security: door.credentials.map((name) => ({ [name]: [] })),
    requestParams: { ...(doc.path && { path: doc.path }), ...(doc.query && { query: doc.query }) },
    parameters: requestHeadersOf(doc).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(body && {
      requestBody: {
        required: !body.optional,
        content: { [body.mediaType ?? 'application/json']: { schema: body.schema, example: body.example } },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(doc.answers).map(([status, to]) => [status, answerOf(door, doc, to)])),
      ...(doc.touches === 'read' && doc.etag && { 304: notModified(door, doc) }),
      ...failuresOf(door, doc),
    },
  }
}

function describe({ description, scope }: RouteDoc): string {
  return [description, scope && `Needs the scope \`${scope}\`.`].filter(Boolean).join('\n\n')
}

function requestHeadersOf({ touches, etag, headers = [] }: RouteDoc): RequestHeader[] {
  return [
    'x-request-id',
    ...(touches === 'read' ? (['consistency-token'] as const) : []),
    ...(touches === 'read' && etag ? (['if-none-match'] as const) : []),
    'prefer',
    ...headers,
  ]
}

function answerOf(door: DoorDoc, doc: RouteDoc, to: AnswerDoc): ZodOpenApiResponseObject {
  const always: AnswerHeader[] = [...alwaysOf(door, doc), ...(doc.etag && to.schema ? (['etag'] as const) : [])]
  if (to.schema) always.push('cache-control')
  if (to.mediaTypes) always.push('x-content-type-options')
  return {
    description: to.description,
    headers: headersOf([...always, ...(to.headers ?? [])], repliesOf(doc)),
    ...(to.schema && {
      content: Object.fromEntries(
        (to.mediaTypes ?? ['application/json']).map((type) => [
          type,
          { schema: to.schema, ...(to.example !== undefined && { example: to.example }) },
        ]),
      ),
    }),
  }
}

function notModified(door: DoorDoc, doc: RouteDoc): ZodOpenApiResponseObject {
  return { description: 'What you have is still good.', headers: headersOf([...alwaysOf(door, doc), 'etag']) }
}

/** On every answer of success. */
function alwaysOf(door: DoorDoc, { touches }: RouteDoc): AnswerHeader[] {
  return [
    'x-request-id',
    ...(door.limited ? LIMIT_HEADERS : []),
    ...(touches === 'read' ? (['cache-status'] as const) : []),
    ...(touches === 'write' ? (['consistency-token'] as const) : []),
  ]
}

function repliesOf({ headers = [] }: RouteDoc): AnswerHeader[] {
  return headers.includes('idempotency-key') ? ['idempotent-replayed'] : []
}

function bodyFailuresOf({ body }: RouteDoc): FailureReason[] {
  if (!body) return []
  return body.mediaType === undefined ? BODY_FAILURES : ['body_not_supported']
}

function headersOf(always: AnswerHeader[], sometimes: AnswerHeader[] = []) {
  return Object.fromEntries([
    ...(['server-timing', ...sometimes] as const).map((name) => [
      name,
      { $ref: `#/components/headers/${name}${SOMETIMES}` },
    ]),
    ...always.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  ])
}

/** Grouped by status, each reason an example in the words of the door itself. */
function failuresOf(door: DoorDoc, doc: RouteDoc): Record<string, ZodOpenApiResponseObject> {
  const { error, door: words } = door
  if (!error || !words) return {}
  const keyed = doc.headers?.includes('idempotency-key') ? IDEMPOTENCY_FAILURES : []
  const reasons = new Set([...door.failures, ...bodyFailuresOf(doc), ...keyed, ...(doc.failures ?? [])])
  const byStatus = new Map<number, { reason: FailureReason; body: object }[]>()
  for (const reason of reasons) {
    const { status, body } = words.wordFailure(SAMPLE_FAILURES[reason], WORDING)
    byStatus.set(status, [...(byStatus.get(status) ?? []), { reason, body }])
  }
  const responses = [...byStatus].map(([status, told]) => {
    const always: AnswerHeader[] = ['x-request-id', 'cache-control']
    if (told.every(({ reason }) => 'retryAfterMs' in SAMPLE_FAILURES[reason])) always.push('retry-after')
    if (told.every(({ reason }) => reason === 'unauthorized')) always.push('www-authenticate')
    const sometimes: AnswerHeader[] = [
      ...(door.limited ? LIMIT_HEADERS : []),
      ...(doc.touches === 'read' ? (['cache-status'] as const) : []),
      ...(told.some(({ reason }) => reason === 'unauthorized') ? (['www-authenticate'] as const) : []),
      ...(told.some(({ reason }) => 'retryAfterMs' in SAMPLE_FAILURES[reason]) ? (['retry-after'] as const) : []),
      ...repliesOf(doc),
    ]
    const response: ZodOpenApiResponseObject = {
      description: told.map(({ reason }) => `\`${reason}\``).join(', '),
      headers: headersOf(always, sometimes),
      content: {
        'application/json': {
          schema: error,
          examples: Object.fromEntries(told.map(({ reason, body }) => [reason, { value: body }])),
        },
      },
    }
    return [String(status), response] as const
  })
  return Object.fromEntries(responses)
}
