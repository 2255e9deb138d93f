/**
 * The main module of the Worker: exports its handlers and its classes, and has no logic of its own.
 */
import { createApp } from './app.ts'
import { consume } from './composition/queue-consumer.ts'
import { services } from './composition/services.ts'
import { applyPendingPolicies } from './tenants/operations.ts'

export { AdminGuard } from './entrypoints/admin-guard.ts'
export { Onboarding } from './entrypoints/onboarding-workflow.ts'
export { Customers } from './entrypoints/rpc.ts'
export { TenantGate } from './entrypoints/tenant-gate.ts'

/**
 * The author that the audit log would name. A sweep completes changes that others made, so it writes no audit record
 * yet.
 */
const SWEEP = { actor: 'sweep', role: null, sessionId: null, requestId: null, reason: null }

const app = createApp(services)

export default {
  fetch: app.fetch,
  queue: consume,
  async scheduled(_controller, env) {
    await Promise.all([applyPendingPolicies(services.tenants(env, SWEEP)), services.sweep(env)])
  },
} satisfies ExportedHandler<Cloudflare.Env>
