/**
 * The wire format of a `webhook` step, in FlexPrice's shape: the request to a tenant's system, and what its response
 * may contain.
 */
import * as z from 'zod'
import { toEventCustomer } from '../events/payload.ts'
import type { InputProblem } from '../registry/errors.ts'
import { isoTime } from '../shared/clock.ts'
import { lazily } from '../shared/lazily.ts'
import { metadata } from '../validation/fields.ts'
import { integrations } from '../validation/integrations.ts'
import { readJson, unusableValue } from '../validation/json.ts'
import { problemsOf } from '../validation/problems.ts'
import { progressOf } from './run.ts'
import { type Step, stepName } from './steps.ts'
import type { StepFormat } from './webhook-step.ts'

/** Other fields of the response are ignored. */
export const stepResponse = lazily(() =>
  z.object({
    metadata: metadata.nullish(),
    integration_entity_mapping: integrations().nullish(),
  }),
)

export const stepFormat: StepFormat = {
  /** The time is the beginning of the step, so a repeat is the same unless the customer has changed. */
  body: (run, at, customer) =>
    JSON.stringify({
      type: 'customer.onboarding.step',
      timestamp: isoTime(progressOf(run, at).startedAtMs ?? run.createdAtMs),
      data: {
        customer: toEventCustomer(customer),
        workflow: run.workflow,
        step: stepName(run.steps[at] as Step, at),
      },
    }),
  read(answer) {
    const { value, problem: inBody } = parsed(answer)
    if (inBody?.field === '') return errorOf(inBody)
    // A page that says OK counts as an empty response.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return NOTHING
    const { metadata, integration_entity_mapping } = value as Record<string, unknown>
    const { data, error } = stepResponse().safeParse(value)
    const problem = error ? problemsOf(error)[0] : inBody && unusableValue({ metadata, integration_entity_mapping })
    if (problem) return errorOf(problem)
    return { metadata: data?.metadata ?? null, integrations: data?.integration_entity_mapping ?? null }
  },
}

const NOTHING = { metadata: null, integrations: null }

function errorOf({ field, message }: InputProblem) {
  return { error: `answered with ${field || 'a body'}, which ${message}` }
}

function parsed(text: string): ReturnType<typeof readJson> {
  try {
    return readJson(text)
  } catch {
    return { value: null, problem: null }
  }
}
