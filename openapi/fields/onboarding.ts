/** The fields of onboarding: its settings, its progress, and the requests of its `webhook` steps. */
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import { CUSTOMER_ID, createdAt, KEY_ID, TIME } from './shared.ts'

const STEPS = [{ type: 'webhook', name: 'billing', url: 'https://billing.example.com/roster' }]
const step: FieldDocs = {
  type: field('The kind of step.'),
  name: field('The name of the step in the progress. Without it, `step_1`, `step_2`, …', 'billing'),
  metadata: field('The metadata to merge into the customer. Null removes a key.', { plan_tier: 'trial' }),
  url: field('The https URL that gets a signed request.', 'https://billing.example.com/roster'),
  seconds: field('How long the step waits, in seconds.', 86_400),
  signal: field('The name of the signal that the step waits for.', 'contract_signed'),
  timeout_seconds: field('How long the step waits for it before the onboarding fails, in seconds.', 1_209_600),
}
const workflows = field(
  'The workflows by name, each with its steps in their order. At most 10 workflows of 20 steps.',
  {
    default: { steps: STEPS },
  },
)
const steps = { workflows: { ...workflows, fields: { steps: group('The steps, in their order.', step) } } }

const times: FieldDocs = {
  finished_at: field('The time of the end. Null until then.', null),
}

export const SIGNING_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

export const shownSettings: FieldDocs = {
  ...steps,
  updated_at: field('The time of the last change. Null if there have never been settings.', TIME),
  updated_by: field('The id of the key that changed them last.', KEY_ID),
}

export const onboardingSchemas: Record<string, SchemaDoc> = {
  OnboardingSettingsWanted: { description: 'The workflows. They replace all workflows.', fields: steps },
  OnboardingSettings: {
    description: 'The current workflows.',
    fields: {
      ...shownSettings,
      secret: field('Only in the response to the first settings: the secret that signs, in clear.', SIGNING_SECRET),
    },
  },
  OnboardingSecret: {
    description: 'A new signing secret.',
    fields: { secret: field('Signs from now on. Shown in clear only here.', SIGNING_SECRET) },
  },
  OnboardingSignal: {
    description: 'The signal to send.',
    fields: { signal: field('The name of the signal, as the step has it.', 'contract_signed') },
  },
  OnboardingRunReference: {
    description:
      'What a caller without the scope `customers:read` gets of the onboarding that it signalled or retried.',
    fields: {
      customer_id: field('The id of the customer.', CUSTOMER_ID),
      status: field('`pending`, `running`, `completed`, or `failed` for good.', 'running'),
    },
  },
  OnboardingRun: {
    description: 'The progress of one customer’s onboarding.',
    fields: {
      customer_id: field('The id of the customer.', CUSTOMER_ID),
      workflow: field('The name of the workflow.', 'default'),
      status: field('`pending`, `running`, `completed`, or `failed` for good.', 'running'),
      ...createdAt,
      ...times,
      steps: group('The steps, in their order.', {
        name: field('The name from the settings, or `step_1`, `step_2`, …', 'billing'),
        type: field('The kind of step.', 'webhook'),
        signal: field('The signal that a `wait_for` step waits for.', null),
        status: field('`waiting` for a time or a signal, or what its name says.', 'completed'),
        attempts: field('The number of attempts.', 1),
        started_at: field('The time of the first attempt.', TIME),
        ...times,
        error: field(
          'The last error, while the step is retried and afterwards. `connection_failed (522)` and `refused_by_cloudflare (403)` contain a status that Cloudflare created: the request did not reach your server, and the step is retried.',
          null,
        ),
      }),
    },
  },
  OnboardingStep: {
    description: 'The request of a `webhook` step.',
    fields: {
      type: field('Always `customer.onboarding.step`.'),
      timestamp: field('When the step started. It is the same in each attempt.', TIME),
      data: group('The customer and the step.', {
        customer: field('The customer as it is now.'),
        workflow: field('The name of the workflow.', 'default'),
        step: field('The name of the step.', 'billing'),
      }),
    },
  },
  OnboardingStepResult: {
    description: 'The response of your server to a `webhook` step. Every field may be left out.',
    fields: {
      metadata: field('Merged into the metadata of the customer; null removes a key.', { billing: 'ready' }),
      integration_entity_mapping: group('Added to the integrations of the customer.', {
        provider: field('The name of the other system.', 'stripe'),
        id: field('The id that the other system has for the customer.', 'cus_NffrFeUfNV2Hib'),
      }),
    },
  },
}
