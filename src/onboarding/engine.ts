/**
 * The Workflow binding as onboarding uses it. The id of a run follows from its customer, so that however often it is started
 * there is one.
 */
import { log } from '../shared/log.ts'
import type { Engine, OnboardingParams } from './ports.ts'

/** The run itself is in D1; what the engine keeps of one that is over serves nobody. */
const RETENTION = { successRetention: '1 day', errorRetention: '1 day' } as const

/** In what the engine says of an instance that it has, or has not. */
const EXISTS = 'instance.already_exists'
const NOT_FOUND = 'instance.not_found'

const ENDED = new Set<InstanceStatus['status']>(['complete', 'errored', 'terminated'])

export function workflowEngine(binding: Workflow<OnboardingParams>): Engine {
  return {
    async start(all) {
      const instances = all.map((params) => ({ id: instanceIdOf(params), params, retention: RETENTION }))
      const { errors } = await binding.createBatch({ instances })
      const refused = new Set<number>()
      for (const { index, message } of errors) {
        if (message.includes(EXISTS)) continue
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
    async isAlive(params) {
      const instance = await instanceOf(binding, params)
      return instance !== null && !ENDED.has((await instance.status()).status)
    },
  }
}

/** At most 100 characters, of letters, digits, `_` and `-`. */
export function instanceIdOf({ tenantId, mode, customerId }: OnboardingParams): string {
  return `${tenantId}-${mode}-${customerId}`
}

/** Null: there is none, or none any more. */
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
