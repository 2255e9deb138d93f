/**
 * What an onboarding is made of: named workflows, each a list of steps, as a tenant configures them. Pure, plain data; how
 * they are spelled is the door's, what becomes of them is in run.ts.
 */

/** Metadata is merged; null removes a key. */
type StepAction =
  | { type: 'set_metadata'; metadata: Record<string, string | null> }
  | { type: 'webhook'; url: string }
  | { type: 'wait'; seconds: number }
  | { type: 'wait_for'; signal: string; timeoutSeconds: number }

export type Step = { name: string | null } & StepAction

/** As it is stored: the trigger `customers_onboarding` takes the steps of a workflow from here. */
export interface OnboardingSettings {
  workflows: Record<string, { steps: Step[] }>
}

export const ONBOARDING_BOUNDS = {
  workflowsMax: 10,
  stepsMax: 20,
  /** Of one workflow, as JSON: each run has a copy. */
  stepsBytesMax: 16 * 1024,
  workflowNameLengthMax: 40,
  stepNameLengthMax: 100,
  signalLengthMax: 40,
  /** The longest that a Workflow sleeps. */
  waitSecondsMax: 365 * 86_400,
} as const

/** What a step is called in what is told of it. `at` counts from 0. */
export function stepName(step: Step, at: number): string {
  return step.name ?? `step_${at + 1}`
}
