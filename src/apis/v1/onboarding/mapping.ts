/**
 * Maps the v1 requests of onboarding to the input of the operations, and their results to v1 responses. Pure.
 */
import { progressOf, type Run } from '../../../onboarding/run.ts'
import { type OnboardingSettings, type Step, stepName } from '../../../onboarding/steps.ts'
import { isoTime, timeOrNull } from '../../../shared/clock.ts'
import type { SettingsInput, StepInput } from './schema.ts'

export function toSettings({ workflows }: SettingsInput): OnboardingSettings {
  const entries = Object.entries(workflows).map(([name, { steps }]) => [name, { steps: steps.map(toStep) }] as const)
  return { workflows: Object.fromEntries(entries) }
}

function toStep(input: StepInput): Step {
  const name = input.name || null
  switch (input.type) {
    case 'set_metadata':
      return { type: input.type, name, metadata: input.metadata }
    case 'webhook':
      return { type: input.type, name, url: input.url }
    case 'wait':
      return { type: input.type, name, seconds: input.seconds }
    case 'wait_for':
      return { type: input.type, name, signal: input.signal, timeoutSeconds: input.timeout_seconds }
  }
}

/** Returns what a caller without the scope `customers:read` gets of the run that it changed. */
export function toV1RunReference({ customerId, status }: Run) {
  return { customer_id: customerId, status }
}

export function toV1Run(run: Run) {
  const { customerId, workflow, status, createdAtMs, finishedAtMs } = run
  return {
    customer_id: customerId,
    workflow,
    status,
    created_at: isoTime(createdAtMs),
    finished_at: timeOrNull(finishedAtMs),
    steps: run.steps.map((step, at) => {
      const progress = progressOf(run, at)
      return {
        name: stepName(step, at),
        type: step.type,
        signal: step.type === 'wait_for' ? step.signal : null,
        status: progress.status,
        attempts: progress.attempts,
        started_at: timeOrNull(progress.startedAtMs),
        finished_at: timeOrNull(progress.finishedAtMs),
        error: progress.error,
      }
    }),
  }
}
