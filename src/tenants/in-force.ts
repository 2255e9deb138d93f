/**
 * The last step of every decision about a tenant: its database gets a copy of it, both gates load it from the primary and grant
 * no more leases under the old policy, then the Worker sleeps until the last earlier lease has expired. Safe to repeat.
 */
import type { Mode } from '../registry/customer.ts'
import { unavailable } from '../registry/errors.ts'
import { describeError, log } from '../shared/log.ts'
import type { StoredTenant, TenantDeps } from './ports.ts'

const MODES: Mode[] = ['live', 'test']

/** For changes of a tenant: a stored response is repeated once it is in force, because the first request may have died before. */
export function replayInForce<Made>(deps: TenantDeps, tenantIdOf: (made: Made) => string) {
  const { store, clock } = deps
  return {
    store,
    clock,
    async beforeReplay(made: Made) {
      const tenant = await store.get(tenantIdOf(made))
      if (tenant) await bringInForce(deps, tenant)
    },
  }
}

export type InForceDeps = Pick<TenantDeps, 'copyToDatabase' | 'sleep'> & {
  store: Pick<TenantDeps['store'], 'markApplied'>
  gates: Pick<TenantDeps['gates'], 'reload'>
}

/** Resolves when nothing older is in force anywhere. */
export async function bringInForce(deps: InForceDeps, tenant: StoredTenant): Promise<void> {
  if (tenant.policyAppliedVersion >= tenant.policyVersion) return
  await deps.copyToDatabase(tenant.id)
  const answers = await Promise.allSettled(MODES.map((mode) => deps.gates.reload(tenant.id, mode)))
  const waits = answers.map((answer) => {
    if (answer.status === 'fulfilled') return answer.value.waitMs
    const { id: tenantId, policyVersion: version } = tenant
    log('error', { event: 'policy_not_applied', tenantId, version, error: describeError(answer.reason) })
    throw unavailable()
  })
  const waitMs = Math.max(...waits)
  if (waitMs > 0) await deps.sleep(waitMs)
  await deps.store.markApplied(tenant.id, tenant.policyVersion).catch((error) => {
    // The policy is in force and only the mark is missing. The sweep will set it.
    log('warn', { event: 'policy_not_marked', tenantId: tenant.id, error: describeError(error) })
  })
}
