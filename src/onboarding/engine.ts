/**
 * Adapts the Workflow binding for onboarding. The id of an instance is derived from the customer, so repeated starts
 * create only one.
 */
import { log } from '../shared/log.ts'
import type { Engine, OnboardingParams } from './ports.ts'

/** The run itself is in D1, so what the engine stores of an ended instance is not needed. */
const RETENTION = { successRetention: '1 day', errorRetention: '1 day' } as const

/** Error code for an instance that exists already, and the text of its message before errors had codes. */
const EXISTS_CODE = 10_405
const EXISTS = 'instance.already_exists'
/** Text of the error for a missing instance, which has no code. */
const NOT_FOUND = 'instance.not_found'

const ENDED = new Set<InstanceStatus['status']>(['complete', 'errored', 'terminated'])

export function workflowEngine(binding: Workflow<OnboardingParams>): Engine {
  return {
    async start(all) {
      const instances = all.map((params) => ({ id: instanceIdOf(params), params, retention: RETENTION }))
      const { errors } = await binding.createBatch({ instances })
      const refused = new Set<number>()
      for (const { index, code, message } of errors) {
        if (code === EXISTS_CODE || message.includes(EXISTS)) continue
        refused.add(index)
        const { customerId, tenantId, mode } = all[index] as OnboardingParams
        log('error', { event: 'onboarding_not_started', customerId, error: message.slice(0, 300), tenantId, mode })
      }
      return all.filter((_, index) => !refused.has(index))
    },
    async signal(params, signal) {
      const instance = await instanceOf(binding, params)
      await instance?.sendEvent({ type: signal, payload: null })
      return instance !== null
    },
    async restart(params) {
      const instance = await instanceOf(binding, params)
      await instance?.restart()
      return instance !== null
    },
    async isAlive(params) {
      const instance = await instanceOf(binding, params)
      return instance !== null && !ENDED.has((await instance.status()).status)
    },
  }
}

/** Returns an id of at most 100 characters: letters, digits, `_` and `-`. */
export function instanceIdOf({ tenantId, mode, customerId }: OnboardingParams): string {
  return `${tenantId}-${mode}-${customerId}`
}

/** Returns null if there is no such instance, or no longer. */
async function instanceOf(
  binding: Workflow<OnboardingParams>,
  params: OnboardingParams,
): Promise<WorkflowInstance | null> {
  try {
    return await binding.get(instanceIdOf(params))
  } catch (error) {
    if (error instanceof Error && error.message.includes(NOT_FOUND)) return null
    throw error
  }
}
