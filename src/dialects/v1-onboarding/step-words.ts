/**
 * How a `webhook` step of an onboarding is told to a tenant's system, and what may be in its answer, in FlexPrice's words.
 */
import * as z from 'zod'
import { unstorableString } from '../../http/body.ts'
import { problemsOf } from '../../http/problems.ts'
import { progressOf } from '../../onboarding/run.ts'
import { type Step, stepName } from '../../onboarding/steps.ts'
import type { StepWords } from '../../onboarding/webhook-step.ts'
import { isoTime } from '../../shared/clock.ts'
import { metadata } from '../fields.ts'
import { toV1, toV1Integration } from '../flexprice-customer.ts'
import { integrations } from '../flexprice-fields.ts'

/** Whatever else is in it is the receiver's own. */
export const stepAnswer = z.object({
  metadata: metadata.nullish(),
  integration_entity_mapping: integrations.nullish(),
})

export const stepWords: StepWords = {
  /** The time is that of the step: a repeat says the same, unless the customer has changed. */
  body: (run, at, customer) =>
    JSON.stringify({
      type: 'customer.onboarding.step',
      timestamp: isoTime(progressOf(run, at).startedAtMs ?? run.createdAtMs),
      data: {
        customer: { ...toV1(customer), integrations: customer.integrations.map(toV1Integration) },
        workflow: run.workflow,
        step: stepName(run.steps[at] as Step, at),
      },
    }),
  read(answer) {
    const value = parsed(answer)
    // A page that says OK is as good as an empty answer.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return NOTHING
    const { data, error } = stepAnswer.safeParse(value)
    const problem = error ? problemsOf(error)[0] : unstorableString(data)
    if (problem) return { error: `answered with ${problem.field}, which ${problem.message}` }
    return { metadata: data?.metadata ?? null, integrations: data?.integration_entity_mapping ?? null }
  },
}

const NOTHING = { metadata: null, integrations: null }

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
