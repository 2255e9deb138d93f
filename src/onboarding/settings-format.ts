/** The wire format of the onboarding settings, which the v1 API shows their tenant and the admin API an operator. Pure. */
import { timeOrNull } from '../shared/clock.ts'
import type { StoredSettings } from './ports.ts'
import type { Step } from './steps.ts'

/** Returns the settings without their secrets. */
export function toShownSettings({ settings, updatedAtMs, updatedBy }: StoredSettings) {
  const workflows = Object.entries(settings.workflows).map(
    ([name, { steps }]) => [name, { steps: steps.map(toShownStep) }] as const,
  )
  return { workflows: Object.fromEntries(workflows), updated_at: timeOrNull(updatedAtMs), updated_by: updatedBy }
}

function toShownStep(step: Step) {
  const { name } = step
  switch (step.type) {
    case 'set_metadata':
      return { type: step.type, name, metadata: step.metadata }
    case 'webhook':
      return { type: step.type, name, url: step.url }
    case 'wait':
      return { type: step.type, name, seconds: step.seconds }
    case 'wait_for':
      return { type: step.type, name, signal: step.signal, timeout_seconds: step.timeoutSeconds }
  }
}
