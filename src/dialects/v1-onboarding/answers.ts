/**
 * zod for what the door of onboarding answers. For the OpenAPI document and the tests: nothing the Worker runs imports it.
 */
import { z } from 'zod'
import { customerIdOut, isoTime } from '../answers.ts'

const name = z.string().nullable()

const step = z.discriminatedUnion('type', [
  z.object({ type: z.literal('set_metadata'), name, metadata: z.record(z.string(), z.string().nullable()) }),
  z.object({ type: z.literal('webhook'), name, url: z.string() }),
  z.object({ type: z.literal('wait'), name, seconds: z.int() }),
  z.object({ type: z.literal('wait_for'), name, signal: z.string(), timeout_seconds: z.int() }),
])

export const v1OnboardingSettings = z
  .object({
    workflows: z.record(z.string(), z.object({ steps: z.array(step) })),
    secret: z.string().optional().meta({ description: 'With the first settings, in clear this once: it signs.' }),
    updated_at: isoTime.nullable().meta({ description: 'Null when nothing was ever set.' }),
    updated_by: z.string().nullable().meta({ description: 'The id of the key.' }),
  })
  .meta({ id: 'OnboardingSettings' })

export const newOnboardingSecret = z.object({
  secret: z.string().meta({ description: 'In clear this once; it signs from now on.' }),
})

export const v1OnboardingRun = z
  .object({
    customer_id: customerIdOut,
    workflow: z.string(),
    status: z.enum(['pending', 'running', 'completed', 'failed']),
    created_at: isoTime,
    finished_at: isoTime.nullable(),
    steps: z.array(
      z.object({
        name: z.string().meta({ description: 'The given one, or `step_1`, `step_2`, …' }),
        type: z.enum(['set_metadata', 'webhook', 'wait', 'wait_for']),
        signal: z.string().nullable().meta({ description: 'What a `wait_for` waits for.' }),
        status: z.enum(['pending', 'running', 'waiting', 'completed', 'failed']),
        attempts: z.int(),
        started_at: isoTime.nullable(),
        finished_at: isoTime.nullable(),
        error: z.string().nullable().meta({ description: 'What went wrong last, while it is tried again and after.' }),
      }),
    ),
  })
  .meta({ id: 'OnboardingRun' })
