/**
 * Schemas of the requests of onboarding: named workflows of steps, and signals. `events/destination.ts` checks whether
 * a URL may be called, because that needs DNS. `onboarding/step-format.ts` has the wire format between a webhook step
 * and a tenant's systems.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS as BOUNDS } from '../../../onboarding/steps.ts'
import { utf8 } from '../../../shared/bytes.ts'
import { lazily } from '../../../shared/lazily.ts'
import { issue, metadata, text } from '../../../validation/fields.ts'
import { nearestHint } from '../../../validation/nearest.ts'

/** Form of a workflow name, which needs no escaping in a path, a log line or a shell. */
const WORKFLOW_NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,${BOUNDS.workflowNameLengthMax - 1}}$`)
/** Form of a signal's name: the form that the workflow engine accepts as the type of an event. */
const SIGNAL = new RegExp(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,${BOUNDS.signalLengthMax - 1}}$`)

const seconds = lazily(() => z.int().min(1).max(BOUNDS.waitSecondsMax))

const signal = lazily(() =>
  z
    .string()
    .check((context) => {
      if (SIGNAL.test(context.value)) return
      const fix = `send 1 to ${BOUNDS.signalLengthMax} letters, digits, "_" or "-", such as contract_signed`
      context.issues.push(issue(context.value, 'is not the name of a signal', fix))
    })
    .meta({ pattern: SIGNAL.source }),
)

const named = lazily(() => ({ name: text(BOUNDS.stepNameLengthMax).nullish() }))

const STEP_TYPES = ['set_metadata', 'webhook', 'wait', 'wait_for'] as const

function typeIn(step: unknown): unknown {
  return typeof step === 'object' && step !== null && 'type' in step ? step.type : undefined
}

const step = lazily(() =>
  z.discriminatedUnion(
    'type',
    [
      z.object({ type: z.literal('set_metadata'), ...named(), metadata }),
      z.object({ type: z.literal('webhook'), ...named(), url: z.string() }),
      z.object({ type: z.literal('wait'), ...named(), seconds: seconds() }),
      z.object({ type: z.literal('wait_for'), ...named(), signal: signal(), timeout_seconds: seconds() }),
    ],
    { error: ({ input }) => `is none of ${STEP_TYPES.join(', ')}${nearestHint(typeIn(input), STEP_TYPES)}` },
  ),
)

const steps = lazily(() =>
  z
    .array(step())
    .min(1)
    .max(BOUNDS.stepsMax)
    .check((context) => {
      if (utf8(JSON.stringify(context.value)).length <= BOUNDS.stepsBytesMax) return
      const message = `are larger than ${BOUNDS.stepsBytesMax} bytes`
      const fix = `shorten them to ${BOUNDS.stepsBytesMax} bytes of JSON: they are kept with every new customer`
      context.issues.push(issue(context.value, message, fix))
    }),
)

const workflow = lazily(() => z.object({ steps: steps() }))
const workflowsByName = lazily(() => z.record(z.string(), workflow()))

/** Input that a caller sends: workflows by name. zod types it as unknown, because the check runs before the record. */
type Workflows = z.ZodType<z.output<ReturnType<typeof workflowsByName>>, z.input<ReturnType<typeof workflowsByName>>>

export const onboardingSettings = lazily(() =>
  z.object({
    workflows: z
      .unknown()
      .check((context) => {
        // Checked before the record, which silently drops a name like __proto__.
        const names = typeof context.value === 'object' && context.value !== null ? Object.keys(context.value) : []
        if (names.length > BOUNDS.workflowsMax) {
          const fix = `send at most ${BOUNDS.workflowsMax}`
          context.issues.push(issue(context.value, `has more than ${BOUNDS.workflowsMax} entries`, fix))
        }
        for (const name of names) {
          if (WORKFLOW_NAME.test(name)) continue
          const fix = `use 1 to ${BOUNDS.workflowNameLengthMax} letters, digits, "_", "." or "-", beginning with a letter or digit`
          context.issues.push({ ...issue(name, 'is no name for a workflow', fix), path: [name] })
        }
      })
      .pipe(workflowsByName()) as unknown as Workflows,
  }),
)
export type StepInput = z.output<ReturnType<typeof step>>
export type SettingsInput = z.output<ReturnType<typeof onboardingSettings>>

export const signalSent = lazily(() => z.object({ signal: signal() }))
