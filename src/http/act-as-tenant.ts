/**
 * Lets an operator send a request to the v1 API as a tenant, which it names in `roster-tenant`. Nobody else may send that
 * header, so a key of a tenant that gets it, by a mistake of a client or a proxy, is refused and never widened.
 */
import { atLeast } from '../operators/operator.ts'
import type { Mode } from '../registry/customer.ts'
import { invalidField, notFound, RegistryError } from '../registry/errors.ts'
import { identifyTenant } from '../tenants/principal.ts'
import { isTenantId } from '../tenants/tenant.ts'
import type { HttpContext } from './api.ts'
import { type IdentifyOperator, setOperator } from './authenticate-operator.ts'
import { tenantCredentialsIn } from './credentials.ts'
import type { Services } from './services.ts'

export const TENANT_HEADER = 'roster-tenant'
export const MODE_HEADER = 'roster-mode'

/**
 * Returns a function that sets the operator and the registry of the tenant that the request names. It throws
 * `RegistryError` with `operators_only` for a credential of a tenant or an API other than v1, with `unauthorized` for no
 * operator, with `invalid_input` for a wrong mode, and with `not_found` for a tenant that does not exist.
 */
export function actingAsTenant(services: Services, identifyOperator: IdentifyOperator) {
  return async function actAsTenant(c: HttpContext, tenant: string): Promise<void> {
    if (!c.req.path.startsWith('/v1/')) throw new RegistryError({ reason: 'operators_only' })
    const { signingSecrets } = services.bindings(c.env)
    for (const credential of tenantCredentialsIn(c.req.raw.headers)) {
      const isTenant = await identifyTenant(credential, signingSecrets, c.get('nowMs'))
      if (isTenant) throw new RegistryError({ reason: 'operators_only' })
    }
    const operator = await setOperator(c, identifyOperator)
    const mode = modeOf(c.req.raw.headers.get(MODE_HEADER))
    const tenantId = tenant.toLowerCase()
    if (!isTenantId(tenantId) || !(await services.tenantExists(c.env, tenantId))) throw notFound('tenant')

    async function recheck(): Promise<void> {
      const { role } = await setOperator(c, identifyOperator)
      // The registry records the role that the request began with.
      if (!atLeast(role, operator.role))
        throw new RegistryError({ reason: 'missing_role', role, needed: operator.role })
    }
    c.set('registry', services.registryForOperator(c, { tenantId, mode }, operator, recheck))
  }
}

function modeOf(text: string | null): Mode {
  if (text === 'live' || text === 'test') return text
  const message = text === null ? 'is missing' : 'is neither live nor test'
  throw invalidField(MODE_HEADER, message, `send ${MODE_HEADER}: live or ${MODE_HEADER}: test`)
}
