/**
 * Onboarding in the OpenAPI document: the documentation of its contracts, and the request that a `webhook` step sends.
 * `openapi/build.ts` adds the error responses of the v1 API. The Worker does not import this file.
 */
import { z } from 'zod'
import type { ZodOpenApiPathItemObject } from 'zod-openapi'
import { onboardingContracts } from '../../src/apis/v1/onboarding/contract.ts'
import { documented } from '../documented.ts'
import { isoTime } from '../values.ts'
import {
  newOnboardingSecret,
  v1ChangedOnboardingRun,
  v1OnboardingRun,
  v1OnboardingSettings,
} from './onboarding-responses.ts'
import { CUSTOMER_EXAMPLE, eventCustomer } from './shared-responses.ts'

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

const path = { id: { description: 'The id of the customer.', examples: [CUSTOMER_EXAMPLE.id] } }

export const onboardingRoutes = documented(onboardingContracts, {
  getSettings: {
    operationId: 'getOnboardingSettings',
    summary: 'Get the onboarding workflows',
    etag: true,
    description: 'The workflows that new customers go through, without the signing secret.',
    answers: {
      200: { description: 'The current settings.', schema: v1OnboardingSettings, example: KEPT },
    },
  },
  replaceSettings: {
    operationId: 'replaceOnboardingSettings',
    summary: 'Replace the onboarding workflows',
    description:
      'A customer that names no workflow goes through `default`, if there is one. Customers that have started keep the steps they started with; `POST /v1/customers/{id}/onboarding/retry` takes over a new `url`. The response to the first settings has the secret that signs the requests of `webhook` steps. The steps change customers and send them to URLs, so the scopes `customers:write` and `customers:read` are needed too. A workflow has at most 16 KB of steps.',
    etag: true,
    body: { id: 'OnboardingSettingsWanted', example: WANTED },
    answers: {
      200: {
        description: 'The new settings.',
        schema: v1OnboardingSettings,
        example: { ...KEPT, secret: SECRET },
      },
    },
  },
  rotateSecret: {
    operationId: 'rotateOnboardingSecret',
    summary: 'Rotate the secret that signs the requests of webhook steps',
    description: 'Both secrets sign until the overlap ends, so that receivers have time to change.',
    body: { id: 'WebhookSecretRotate', example: { overlap_seconds: 86_400 } },
    answers: { 201: { description: 'The new secret.', schema: newOnboardingSecret, example: { secret: SECRET } } },
    failures: ['not_found'],
  },
  getRun: {
    operationId: 'getCustomerOnboarding',
    summary: 'Get the progress of a customer’s onboarding',
    description:
      'The progress is kept for 90 days after the onboarding has ended, and no longer than the customer exists.',
    path,
    answers: { 200: { description: 'The state of each step.', schema: v1OnboardingRun, example: RUN } },
    failures: ['not_found'],
  },
  signal: {
    operationId: 'signalCustomerOnboarding',
    summary: 'Send a signal to a customer’s onboarding',
    description:
      'Every step that waits for the signal continues. The signal may be sent before the step starts: the step then continues at once. Sending the signal again has no effect.',
    path,
    body: { id: 'OnboardingSignal', example: { signal: 'contract_signed' } },
    answers: { 202: { description: 'The signal has been received.', schema: v1ChangedOnboardingRun, example: RUN } },
    failures: ['not_found'],
  },
  retry: {
    operationId: 'retryCustomerOnboarding',
    summary: 'Attempt the current step of a customer’s onboarding now',
    description:
      'For when a receiver is repaired: a step that has failed and waits for its next attempt is attempted now, and has all its attempts again. The `webhook` steps that are not done take over the URLs of the same steps (same place and name) of the settings as they are now. Without such a step nothing changes: a step that waits for a signal or a time goes on waiting, and an onboarding that has ended stays so.',
    path,
    answers: { 202: { description: 'The state of each step.', schema: v1ChangedOnboardingRun, example: RUN } },
    failures: ['not_found'],
  },
})

const step = z
  .object({
    type: z.literal('customer.onboarding.step'),
    timestamp: isoTime,
    data: z.object({ customer: eventCustomer, workflow: z.string(), step: z.string() }),
  })
  .meta({ id: 'OnboardingStep' })

/**
 * The response that a `webhook` step accepts. Roster parses it with a schema that transforms its input, which the
 * document cannot show as a response.
 */
const stepResponse = z
  .object({
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
    integration_entity_mapping: z.array(z.looseObject({ provider: z.string(), id: z.string() })).optional(),
  })
  .meta({ id: 'OnboardingStepResult' })

/** The request that a `webhook` step sends, and the responses that its receiver may return. */
export const sentStep: ZodOpenApiPathItemObject = {
  post: {
    operationId: 'onCustomerOnboardingStep',
    tags: ['Onboarding'],
    summary: 'customer.onboarding.step',
    description:
      'A `webhook` step of an onboarding has started. The request is signed like every webhook, with the secret of the settings. `webhook-id` is the same in each attempt of the step: respond to a repeat as you did to the first attempt.',
    security: [],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: step,
          example: {
            type: 'customer.onboarding.step',
            timestamp: SET_AT,
            data: {
              customer: { ...CUSTOMER_EXAMPLE, integrations: [], profile: {} },
              workflow: 'default',
              step: 'billing',
            },
          },
        },
      },
    },
    responses: {
      '2XX': {
        description:
          'The step is done. The fields of the response are merged into the customer; the response may be empty.',
        content: {
          'application/json': {
            schema: stepResponse,
            example: {
              metadata: { billing: 'ready' },
              integration_entity_mapping: [{ provider: 'stripe', id: 'cus_NffrFeUfNV2Hib' }],
            },
          },
        },
      },
      '3XX': { description: 'The same as 4XX: a redirect is not followed.' },
      '4XX': {
        description:
          'The step and the onboarding have failed for good, except after 408 and 429, which are retried. They also fail for good if the URL is not allowed, if the response has 64 KiB or more, or if it has an invalid field.',
      },
      default: { description: 'The step is retried, up to ten times in an hour and a half.' },
    },
  },
}
