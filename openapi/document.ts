/**
 * The content of the whole OpenAPI document: the list of APIs, the service routes and the static files. A new API is
 * one line here; a new route is an entry under the name of its contract. The Worker does not import this file.
 */
import { z } from 'zod'
import { serviceContracts } from '../src/apis/service/contract.ts'
import { adminDoc } from './admin.ts'
import { type ApiDoc, buildDocument } from './build.ts'
import { describeSchemas } from './describe.ts'
import { documented } from './documented.ts'
import { flatpeakDoc, loginDoc } from './flatpeak.ts'
import { joinNull } from './nullable.ts'
import { operatorsDoc } from './operators.ts'
import { shareRepeatedResponses } from './share-repeated.ts'
import { v1Doc } from './v1/customers.ts'
import { eventRoutes } from './v1/events.ts'
import { onboardingRoutes, sentStep } from './v1/onboarding.ts'
import { tenantRoutes } from './v1/tenant.ts'
import { sentWebhooks, webhookRoutes } from './v1/webhooks.ts'

const DESCRIPTION = `A customer registry at the edge: exact limits, changes in force on return, fresh reads.

Every response has an \`x-request-id\`. Unknown query parameters are refused; unknown body fields are ignored unless
\`prefer: handling=strict\` is sent. A body is JSON in UTF-8 of at most 256 KiB. If a path exists but not with this method,
the response is 405 with \`allow\`. \`HEAD\` works wherever \`GET\` does. An \`idempotency-key\` is used up once its request is
carried out, whatever the answer; a request that is refused for what it says leaves it free.`

const check = z.enum(['ok', 'failed'])
const readiness = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    checks: z.object({ d1: check, kv: check, gate: check }),
  })
  .meta({ id: 'Readiness' })
const health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' })
const ALL_OK = { d1: 'ok', kv: 'ok', gate: 'ok' }

/** The routes of the service itself, which need no credentials. */
const serviceDoc: ApiDoc = {
  tag: 'Service',
  description: 'For load balancers, monitors and people.',
  api: null,
  credentials: [],
  limited: false,
  failures: [],
  error: null,
  routes: documented(serviceContracts, {
    health: {
      operationId: 'getHealth',
      summary: 'Whether the Worker runs',
      description: 'Uses no database, cache or gate.',
      answers: {
        200: {
          description: 'The Worker runs.',
          schema: health,
          example: { status: 'ok' },
        },
      },
    },
    readiness: {
      operationId: 'getReadiness',
      summary: 'Whether D1, KV and the gates respond',
      description: 'An isolate checks them at most once a second.',
      answers: {
        200: {
          description: 'All of them respond.',
          schema: readiness,
          example: { status: 'ready', checks: ALL_OK },
        },
        503: {
          description: 'At least one of them does not respond.',
          schema: readiness,
          example: { status: 'not_ready', checks: { ...ALL_OK, d1: 'failed' } },
          headers: ['retry-after'],
        },
      },
    },
  }),
}

/**
 * The file in `public/`, by the path that serves it. Cloudflare serves these files without the Worker, so their
 * responses have no request id.
 */
export const FILES: Record<string, string> = {
  '/': 'index.html',
  '/docs': 'docs.html',
  '/openapi.json': 'openapi.json',
}

const HTML = { 'text/html': { schema: { type: 'string' as const }, example: '<!doctype html>…' } }

const FILE_PATHS = {
  '/': {
    get: {
      operationId: 'getHome',
      tags: ['Service'],
      summary: 'The home page',
      description: 'Links to the reference and to the checks.',
      security: [],
      responses: { '200': { description: 'The page.', content: HTML } },
    },
  },
  '/docs': {
    get: {
      operationId: 'getDocs',
      tags: ['Service'],
      summary: 'The reference, for people',
      description: 'Works offline: it sends requests only to this deployment.',
      security: [],
      responses: { '200': { description: 'The page.', content: HTML } },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      tags: ['Service'],
      summary: 'The reference, for machines',
      description: 'This document, by OpenAPI 3.1.',
      security: [],
      responses: {
        '200': {
          description: 'This document.',
          content: {
            'application/json': { schema: { type: 'object' as const }, example: { openapi: '3.1.1', paths: {} } },
          },
        },
      },
    },
  },
}

/** The v1 API has several tags. They all share its callers, credentials and error responses. */
const eventsDoc: ApiDoc = {
  ...v1Doc,
  tag: 'Events',
  description: 'The log of what happened to customers. A system that was offline reads here what it missed.',
  routes: eventRoutes,
}

const webhooksDoc: ApiDoc = {
  ...v1Doc,
  tag: 'Webhooks',
  description:
    'Signed POST requests that report changes as they happen, in the format of Standard Webhooks: the endpoints that receive them, and the result of each delivery.',
  routes: webhookRoutes,
}

const onboardingDoc: ApiDoc = {
  ...v1Doc,
  tag: 'Onboarding',
  description:
    'The steps that each new customer goes through: you configure them, and can see the progress of each customer.',
  routes: onboardingRoutes,
}

const tenantDoc: ApiDoc = {
  ...v1Doc,
  tag: 'Tenant',
  description: 'The tenant that a key belongs to: its limits, its usage, and the names of its keys.',
  routes: tenantRoutes,
}

export const APIS: ApiDoc[] = [
  v1Doc,
  eventsDoc,
  webhooksDoc,
  onboardingDoc,
  tenantDoc,
  flatpeakDoc,
  loginDoc,
  adminDoc,
  operatorsDoc,
  serviceDoc,
]

const WEBHOOKS = { ...sentWebhooks, 'customer.onboarding.step': sentStep }

/** Returns the OpenAPI document as plain JSON values. `version` is the version in package.json. */
export function openApiDocument(version: string): Record<string, unknown> {
  const document = buildDocument({ version, description: DESCRIPTION, apis: APIS, webhooks: WEBHOOKS })
  const whole = { ...document, paths: { ...document.paths, ...FILE_PATHS } }
  // Removes undefined values and copies shared objects, because the next step compares and changes the document.
  const plain = JSON.parse(JSON.stringify(whole))
  joinNull(plain)
  describeSchemas(plain)
  shareRepeatedResponses(plain)
  return plain
}
