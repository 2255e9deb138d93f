/**
 * The last step of every decision on a tenant: both gates read it from the primary and from then on lease nothing under the
 * old policy, and the Worker sleeps until the last lease that was given before has run out. May be repeated.
 */
import type { Mode } from '../registry/customer.ts'
import { Refused } from '../registry/failures.ts'
import { describeError, log } from '../shared/log.ts'
import type { StoredTenant, TenantDeps } from './ports.ts'

const MODES: Mode[] = ['live', 'test']
const RETRY_AFTER_MS = 1_000

/** Nothing older is in force anywhere when it resolves. */
export async function bringInForce(deps: TenantDeps, tenant: StoredTenant): Promise<void> {
  if (tenant.policyAppliedVersion >= tenant.policyVersion) return
  const answers = await Promise.allSettled(MODES.map((mode) => deps.gates.reload(tenant.id, mode)))
  const waits = answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value.waitMs
    const { id: tenantId, policyVersion: version } = tenant
    log('error', { event: 'policy_not_applied', tenantId, version, error: describeError(answer.reason) })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  })
  const waitMs = Math.max(...waits)
  if (waitMs > 0) await deps.sleep(waitMs)
  await deps.store.markApplied(tenant.id, tenant.policyVersion).catch((error) => {
    // It is in force; only the mark is missing, and the sweep will set it.
    log('warn', { event: 'policy_not_marked', tenantId: tenant.id, error: describeError(error) })
  })
}
