/**
 * Onboarding workflows as a tenant configures them: each has a name and a list of steps. Plain data. The APIs define
 * their wire format; run.ts has their progress.
 */

/** Metadata is merged; null removes a key. */
type StepAction =
  | { type: 'set_metadata'; metadata: Record<string, string | null> }
  | { type: 'webhook'; url: string }
  | { type: 'wait'; seconds: number }
  | { type: 'wait_for'; signal: string; timeoutSeconds: number }

export type Step = { name: string | null } & StepAction

/** As they are stored: the trigger `customers_onboarding` reads the steps of a workflow from here. */
export interface OnboardingSettings {
  workflows: Record<string, { steps: Step[] }>
}

export const ONBOARDING_BOUNDS = {
  workflowsMax: 10,
  stepsMax: 20,
  /** Limit for one workflow as JSON: each run has a copy of it. */
  stepsBytesMax: 16 * 1024,
  workflowNameLengthMax: 40,
  stepNameLengthMax: 100,
  signalLengthMax: 40,
  /** The longest sleep of a Workflow. */
  waitSecondsMax: 365 * 86_400,
} as const

/** Returns the name of a step for events and responses. `at` counts from 0. */
export function stepName(step: Step, at: number): string {
  return step.name ?? `step_${at + 1}`
}
