/**
 * The zod schemas of the onboarding responses. Only the OpenAPI document and the tests import this file; the Worker
 * does not.
 */
import { z } from 'zod'
import { customerIdOut, isoTime } from '../values.ts'

const name = z.string().nullable()

const step = z.discriminatedUnion('type', [
  z.object({ type: z.literal('set_metadata'), name, metadata: z.record(z.string(), z.string().nullable()) }),
  z.object({ type: z.literal('webhook'), name, url: z.string() }),
  z.object({ type: z.literal('wait'), name, seconds: z.int() }),
  z.object({ type: z.literal('wait_for'), name, signal: z.string(), timeout_seconds: z.int() }),
])

export const shownSettings = {
  workflows: z.record(z.string(), z.object({ steps: z.array(step) })),
  updated_at: isoTime.nullable(),
  updated_by: z.string().nullable(),
}

export const v1OnboardingSettings = z
  .object({ ...shownSettings, secret: z.string().optional() })
  .meta({ id: 'OnboardingSettings' })

export const newOnboardingSecret = z.object({ secret: z.string() }).meta({ id: 'OnboardingSecret' })

export const v1OnboardingRun = z
  .object({
    customer_id: customerIdOut,
    workflow: z.string(),
    status: z.enum(['pending', 'running', 'completed', 'failed']),
    created_at: isoTime,
    finished_at: isoTime.nullable(),
    steps: z.array(
      z.object({
        name: z.string(),
        type: z.enum(['set_metadata', 'webhook', 'wait', 'wait_for']),
        signal: z.string().nullable(),
        status: z.enum(['pending', 'running', 'waiting', 'completed', 'failed']),
        attempts: z.int(),
        started_at: isoTime.nullable(),
        finished_at: isoTime.nullable(),
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'OnboardingRun' })

/** The run that the caller has changed. A caller without `customers:read` gets only a reference. */
export const v1ChangedOnboardingRun = z.union([
  v1OnboardingRun,
  v1OnboardingRun.pick({ customer_id: true, status: true }).meta({ id: 'OnboardingRunReference' }),
])
