/**
 * What the door of onboarding takes: named workflows of steps, and signals. Whether a URL may be called is for
 * `events/destination.ts`, because that asks the DNS. How a step talks to a tenant's systems is in step-words.ts.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS as BOUNDS } from '../../onboarding/steps.ts'
import { utf8 } from '../../shared/bytes.ts'
import { issue, metadata, text } from '../fields.ts'

const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/
/** Simple enough to be read in a path, a log line, a shell. */
const WORKFLOW_NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,${BOUNDS.workflowNameLengthMax - 1}}$`)
/** What the engine takes for the type of an event. */
const SIGNAL = new RegExp(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,${BOUNDS.signalLengthMax - 1}}$`)

/** Whether this can be a customer's id at all. */
export function isCustomerId(id: string): boolean {
  return CUSTOMER_ID.test(id)
}

const seconds = z.int().min(1).max(BOUNDS.waitSecondsMax)

const signal = z
  .string()
  .check((context) => {
    if (SIGNAL.test(context.value)) return
    const fix = `send 1 to ${BOUNDS.signalLengthMax} letters, digits, "_" or "-", such as contract_signed`
    context.issues.push(issue(context.value, 'is not the name of a signal', fix))
  })
  .meta({ pattern: SIGNAL.source })

const named = { name: text(BOUNDS.stepNameLengthMax).nullish() }

const step = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('set_metadata'), ...named, metadata }),
    z.object({ type: z.literal('webhook'), ...named, url: z.string() }),
    z.object({ type: z.literal('wait'), ...named, seconds }),
    z.object({ type: z.literal('wait_for'), ...named, signal, timeout_seconds: seconds }),
  ],
  { error: () => 'is none of set_metadata, webhook, wait, wait_for' },
)

const steps = z
  .array(step)
  .min(1)
  .max(BOUNDS.stepsMax)
  .check((context) => {
    if (utf8(JSON.stringify(context.value)).length <= BOUNDS.stepsBytesMax) return
    const message = `are larger than ${BOUNDS.stepsBytesMax} bytes`
    const fix = `shorten them to ${BOUNDS.stepsBytesMax} bytes of JSON: they are kept with every new customer`
    context.issues.push(issue(context.value, message, fix))
  })

const workflow = z.object({ steps })

export const onboardingSettings = z.object({
  workflows: z
    .unknown()
    .check((context) => {
      // Before the record, which would leave a name like __proto__ out without a word.
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
    .pipe(z.record(z.string(), workflow)),
})
export type StepInput = z.output<typeof step>
export type SettingsInput = z.output<typeof onboardingSettings>

export const signalSent = z.object({ signal })
