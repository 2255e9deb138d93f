/**
 * The Worker: which handler and which class is what. Wires, decides nothing.
 */
import { createApp } from './http/app.ts'
import { applyPendingPolicies } from './tenants/operations.ts'
import { consume } from './wiring/outbox.ts'
import { wiring } from './wiring.ts'

export { Customers } from './dialects/rpc/entrypoint.ts'
export { TenantGate } from './gate/tenant-gate.ts'
export { AdminGuard } from './http/admin-guard.ts'
export { Onboarding } from './onboarding/workflow.ts'

/** Whom the audit would name, should a sweep ever decide anything. */
const SWEEP = { actor: 'sweep', requestId: null, reason: null }

const app = createApp(wiring)

export default {
  fetch: app.fetch,
  queue: consume,
  async scheduled(_controller, env) {
    await Promise.all([applyPendingPolicies(wiring.tenants(env, SWEEP)), wiring.sweep(env)])
  },
} satisfies ExportedHandler<Cloudflare.Env>
