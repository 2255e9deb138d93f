/**
 * The door of onboarding in the OpenAPI document: an entry for each of its routes, and the call that a step makes.
 * Documentation only; failures are in the words of the v1 door, which `http/openapi-document.ts` adds.
 */
import { z } from 'zod'
import type { ZodOpenApiPathItemObject } from 'zod-openapi'
import type { RouteDoc } from '../../http/openapi.ts'
import { isoTime } from '../answers.ts'
import { secretRotate } from '../fields.ts'
import { CUSTOMER_EXAMPLE, eventCustomer } from '../flexprice-answers.ts'
import { newOnboardingSecret, v1OnboardingRun, v1OnboardingSettings } from './answers.ts'
import { onboardingSettings, signalSent } from './schema.ts'

const SET_AT = '2026-01-20T15:00:00.000Z'
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

const WANTED = {
  workflows: {
    default: {
      steps: [
        { type: 'set_metadata', metadata: { plan_tier: 'trial' } },
        { type: 'webhook', name: 'billing', url: 'https://billing.example.com/roster' },
        { type: 'wait_for', signal: 'contract_signed', timeout_seconds: 1_209_600 },
      ],
    },
  },
}
const KEPT = {
  workflows: { default: { steps: WANTED.workflows.default.steps.map((step) => ({ name: null, ...step })) } },
  updated_at: SET_AT,
  updated_by: CUSTOMER_EXAMPLE.updated_by,
}

const DONE = { signal: null, status: 'completed', attempts: 1, started_at: SET_AT, finished_at: SET_AT, error: null }
const RUN = {
  customer_id: CUSTOMER_EXAMPLE.id,
  workflow: 'default',
  status: 'running',
  created_at: SET_AT,
  finished_at: null,
  steps: [
    { name: 'step_1', type: 'set_metadata', ...DONE },
    { name: 'billing', type: 'webhook', ...DONE },
    {
      name: 'step_3',
      type: 'wait_for',
      ...{ ...DONE, signal: 'contract_signed', status: 'waiting', finished_at: null },
    },
  ],
}

const SETS = { touches: null, scope: 'webhooks' } as const
const path = z.object({
  id: z.string().meta({ description: 'The id of the customer.', examples: [CUSTOMER_EXAMPLE.id] }),
})

export const onboardingRoutes: Record<string, RouteDoc> = {
  'GET /v1/settings/customer_onboarding': {
    ...SETS,
    operationId: 'getOnboardingSettings',
    summary: 'Get the onboarding workflows',
    headers: ['if-none-match'],
    answers: {
      200: { description: 'As they are.', schema: v1OnboardingSettings, example: KEPT, headers: ['etag'] },
      304: { description: 'What you have is still good.', headers: ['etag'] },
    },
  },
  'PUT /v1/settings/customer_onboarding': {
    ...SETS,
    operationId: 'replaceOnboardingSettings',
    summary: 'Replace the onboarding workflows',
    description:
      'A customer that names no workflow goes through `default`, if there is one. Customers that have begun keep the steps they began with. The first settings answer the secret that signs the calls of `webhook` steps. Needs `customers:write` too, because the steps change customers; at most 16 KB of steps a workflow.',
    headers: ['if-match'],
    body: { schema: onboardingSettings.meta({ id: 'OnboardingSettingsWanted' }), example: WANTED },
    answers: {
      200: {
        description: 'As they are now.',
        schema: v1OnboardingSettings,
        example: { ...KEPT, secret: SECRET },
        headers: ['etag'],
      },
    },
    failures: ['version_conflict'],
  },
  'POST /v1/settings/customer_onboarding/rotate': {
    ...SETS,
    operationId: 'rotateOnboardingSecret',
    summary: 'Replace the secret that signs the calls of webhook steps',
    description: 'Both sign until the overlap is over, so that receivers change over when they like.',
    headers: ['idempotency-key'],
    body: { schema: secretRotate, optional: true, example: { overlap_seconds: 86_400 } },
    answers: { 201: { description: 'The new one.', schema: newOnboardingSecret, example: { secret: SECRET } } },
    failures: ['not_found'],
  },
  'GET /v1/customers/:id/onboarding': {
    touches: null,
    scope: 'customers:read',
    operationId: 'getCustomerOnboarding',
    summary: 'See how far the onboarding of a customer has come',
    description: 'Kept for 90 days after it has ended, and no longer than the customer.',
    path,
    answers: { 200: { description: 'Each step.', schema: v1OnboardingRun, example: RUN } },
    failures: ['not_found'],
  },
  'POST /v1/customers/:id/onboarding/signal': {
    touches: null,
    scope: 'customers:write',
    operationId: 'signalCustomerOnboarding',
    summary: 'Tell the onboarding of a customer what it waits for',
    description:
      'Every step that waits for the signal goes on, now or when it gets there: a signal may come before the step. Sending it again changes nothing.',
    path,
    headers: ['idempotency-key'],
    body: { schema: signalSent, example: { signal: 'contract_signed' } },
    answers: { 202: { description: 'It has been told.', schema: v1OnboardingRun, example: RUN } },
    failures: ['not_found'],
  },
}

const step = z.object({
  type: z.literal('customer.onboarding.step'),
  timestamp: isoTime.meta({ description: 'When the step began: the same each time it is tried.' }),
  data: z.object({ customer: eventCustomer, workflow: z.string(), step: z.string() }),
})

/** Taken by the zod of step-words.ts, which changes what it reads and so can not be shown as an answer. */
const stepAnswer = z.object({
  metadata: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .optional()
    .meta({ description: 'Merged into the metadata of the customer; null removes a key.' }),
  integration_entity_mapping: z
    .array(z.looseObject({ provider: z.string(), id: z.string() }))
    .optional()
    .meta({ description: 'Added to the integrations of the customer.' }),
})

/** What a `webhook` step sends, and what it may be answered. */
export const sentStep: ZodOpenApiPathItemObject = {
  post: {
    operationId: 'on.customer.onboarding.step',
    tags: ['Onboarding'],
    summary: 'A webhook step of an onboarding has begun.',
    description:
      'Signed as every webhook, with the secret of the settings. `webhook-id` is the same each time the step is tried: answer a repeat as you answered the first.',
    security: [],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: step,
          example: {
            type: 'customer.onboarding.step',
            timestamp: SET_AT,
            data: { customer: { ...CUSTOMER_EXAMPLE, integrations: [] }, workflow: 'default', step: 'billing' },
          },
        },
      },
    },
    responses: {
      '2XX': {
        description: 'The step is done. What the answer holds is merged into the customer; it need hold nothing.',
        content: {
          'application/json': {
            schema: stepAnswer,
            example: {
              metadata: { billing: 'ready' },
              integration_entity_mapping: [{ provider: 'stripe', id: 'cus_NffrFeUfNV2Hib' }],
            },
          },
        },
      },
      '3XX': { description: 'As 4XX: a redirect is not followed.' },
      '4XX': {
        description:
          'The step has failed for good, and the onboarding with it; not so after 408 and 429. The same goes for a URL that may not be called, an answer of 64 KiB or more, and one with a wrong field.',
      },
      default: { description: 'It is tried again, up to ten times in an hour and a half.' },
    },
  },
}
