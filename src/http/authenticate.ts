/**
 * Identifies the caller and sets its registry for this request, as the first step of the v1 and FlatPeak APIs: a tenant
 * by its credential, or an operator who names a tenant. The contract of the route begins its admission.
 */
import type { MiddlewareHandler, Next } from 'hono'
import { RegistryError } from '../registry/errors.ts'
import { identifyTenant, rememberedPrincipal, type TenantPrincipal } from '../tenants/principal.ts'
import { actingAsTenant, TENANT_HEADER } from './act-as-tenant.ts'
import type { HttpContext, HttpEnv } from './api.ts'
import type { IdentifyOperator } from './authenticate-operator.ts'
import { tenantCredentialsIn, usualCredentialIn } from './credentials.ts'
import type { Services } from './services.ts'

export function authenticate(services: Services, identifyOperator: IdentifyOperator): MiddlewareHandler<HttpEnv> {
  const actAsTenant = actingAsTenant(services, identifyOperator)

  return function authenticateTenant(c, next) {
    const { headers } = c.req.raw
    const tenant = headers.get(TENANT_HEADER)
    if (tenant !== null) return actAsTenant(c, tenant).then(() => next())
    const credential = usualCredentialIn(headers)
    // Not an async function, so that a caller that this isolate has seen before costs no extra promise.
    const principal = credential === null ? null : rememberedPrincipal(credential, c.get('nowMs'))
    return principal ? letIn(c, next, principal) : identify(c, next)
  }

  function letIn(c: HttpContext, next: Next, principal: TenantPrincipal): Promise<void> {
    c.set('registry', services.registryFor(c, principal))
    return next()
  }

  async function identify(c: HttpContext, next: Next): Promise<void> {
    const { signingSecrets } = services.bindings(c.env)
    for (const credential of tenantCredentialsIn(c.req.raw.headers)) {
      const principal = await identifyTenant(credential, signingSecrets, c.get('nowMs'))
      if (principal) return letIn(c, next, principal)
    }
    throw new RegistryError({ reason: 'unauthorized' })
  }
}
