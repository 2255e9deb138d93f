/**
 * The Worker: which handler and which class is what. Wires, decides nothing.
 */
import { createApp } from './http/app.ts'
import { applyPendingPolicies } from './tenants/operations.ts'
import { wiring } from './wiring.ts'

export { TenantGate } from './gate/tenant-gate.ts'
export { AdminGuard } from './http/admin-guard.ts'

const app = createApp(wiring)

export default {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    await applyPendingPolicies(wiring.tenants(env))
  },
} satisfies ExportedHandler<Cloudflare.Env>
