/**
 * The whole API in one document: which doors it has, and what is served beside them. A new door is one line here; a new
 * route is one entry in its door's `openapi.ts`. Documentation only.
 */
import { z } from 'zod'
import { adminDoc } from '../dialects/admin-customers/openapi.ts'
import { flatpeakDoc, loginDoc } from '../dialects/customers/openapi.ts'
import { v1Doc } from '../dialects/v1-customers/openapi.ts'
import { eventRoutes } from '../dialects/v1-events/openapi.ts'
import { onboardingRoutes, sentStep } from '../dialects/v1-onboarding/openapi.ts'
import { sentWebhooks, webhookRoutes } from '../dialects/v1-webhooks/openapi.ts'
import { buildDocument, type DoorDoc } from './openapi.ts'
import { shareRepeatedAnswers } from './openapi-repeats.ts'

const DESCRIPTION = `A customer registry at the edge: exact limits, changes in force on return, fresh reads.

Every answer carries \`x-request-id\`. Unknown query parameters are refused; unknown body fields are ignored unless
\`prefer: handling=strict\` is sent. A body is JSON in UTF-8 of at most 256 KiB. A known path with another method answers
405 with \`allow\`; \`HEAD\` works wherever \`GET\` does.`

const check = z.enum(['ok', 'failed'])
const readiness = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.object({ d1: check, kv: check, gate: check }),
})
const ALL_OK = { d1: 'ok', kv: 'ok', gate: 'ok' }

/** What the Worker itself answers, to anyone. */
const serviceDoc: DoorDoc = {
  tag: 'Service',
  description: 'For load balancers, monitors and people.',
  door: null,
  credentials: [],
  limited: false,
  failures: [],
  error: null,
  routes: {
    'GET /healthz': {
      touches: null,
      operationId: 'getHealth',
      summary: 'Whether the Worker runs',
      description: 'Touches nothing else.',
      answers: {
        200: { description: 'It does.', schema: z.object({ status: z.literal('ok') }), example: { status: 'ok' } },
      },
    },
    'GET /readyz': {
      touches: null,
      operationId: 'getReadiness',
      summary: 'Whether D1, KV and the gates answer',
      description: 'An isolate asks them at most once a second.',
      answers: {
        200: {
          description: 'All do.',
          schema: readiness,
          example: { status: 'ready', checks: ALL_OK },
        },
        503: {
          description: 'One does not.',
          schema: readiness,
          example: { status: 'not_ready', checks: { ...ALL_OK, d1: 'failed' } },
          headers: ['retry-after'],
        },
      },
    },
  },
}

/** What is served as a file, without the Worker: it has no request id. The path, and the file in `public/`. */
export const FILES: Record<string, string> = {
  '/': 'index.html',
  '/docs': 'docs.html',
  '/openapi.json': 'openapi.json',
}

const HTML = { 'text/html': { schema: { type: 'string' as const } } }

const FILE_PATHS = {
  '/': {
    get: {
      operationId: 'getHome',
      tags: ['Service'],
      summary: 'A page that leads to the others',
      security: [],
      responses: { '200': { description: 'The page.', content: HTML } },
    },
  },
  '/docs': {
    get: {
      operationId: 'getDocs',
      tags: ['Service'],
      summary: 'The reference, for people',
      description: 'Works offline: it asks nothing of anyone but this deployment.',
      security: [],
      responses: { '200': { description: 'The page.', content: HTML } },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'getOpenApi',
      tags: ['Service'],
      summary: 'The reference, for machines',
      security: [],
      responses: {
        '200': {
          description: 'This document.',
          content: { 'application/json': { schema: { type: 'object' as const } } },
        },
      },
    },
  },
}

/** The v1 door has more than customers: the same callers, credentials and words. */
const eventsDoc: DoorDoc = {
  ...v1Doc,
  tag: 'Events',
  description: 'What happened to customers, for whoever wants to know or was away.',
  routes: eventRoutes,
}

const webhooksDoc: DoorDoc = {
  ...v1Doc,
  tag: 'Webhooks',
  description:
    'Signed POSTs that tell of changes as they happen, by Standard Webhooks: where they go, and what became of them.',
  routes: webhookRoutes,
}

const onboardingDoc: DoorDoc = {
  ...v1Doc,
  tag: 'Onboarding',
  description: 'What happens to a new customer: steps that you configure, and how far each customer has come.',
  routes: onboardingRoutes,
}

export const DOORS: DoorDoc[] = [
  v1Doc,
  eventsDoc,
  webhooksDoc,
  onboardingDoc,
  flatpeakDoc,
  loginDoc,
  adminDoc,
  serviceDoc,
]

const WEBHOOKS = { ...sentWebhooks, 'customer.onboarding.step': sentStep }

/** `version` is that of package.json. */
export function openApiDocument(version: string): Record<string, unknown> {
  const document = buildDocument({ version, description: DESCRIPTION, doors: DOORS, webhooks: WEBHOOKS })
  const whole = { ...document, paths: { ...document.paths, ...FILE_PATHS } }
  // As it will be read: without the undefined values and the shared objects that it is built from.
  const plain = JSON.parse(JSON.stringify(whole))
  shareRepeatedAnswers(plain)
  return plain
}
