/**
 * The first step of every tenant door: who calls, and their registry for this request. Admission comes with the first use
 * of the registry, so that it can run beside the read it is for.
 */
import type { MiddlewareHandler, Next } from 'hono'
import { identifyTenant, rememberedPrincipal, type TenantPrincipal } from '../access/principal.ts'
import { Refused } from '../registry/failures.ts'
import type { Wiring } from '../wiring.ts'
import type { HttpContext, HttpEnv } from './door.ts'

export function authenticate(wiring: Wiring): MiddlewareHandler<HttpEnv> {
  return function authenticateTenant(c, next) {
    const credential = credentialOf(c.req.raw.headers)
    if (credential === null) throw unauthorized()
    // Not an async function: a caller this isolate has seen before is let through without a promise of its own.
    const principal = rememberedPrincipal(credential, c.get('nowMs'))
    return principal ? letIn(c, next, principal) : identify(c, next, credential)
  }

  function letIn(c: HttpContext, next: Next, principal: TenantPrincipal): Promise<void> {
    const registry = wiring.registryFor(c, principal)
    c.set('registry', registry)
    // A change is admitted by the gate itself, in the one call that makes it.
    if (c.req.method === 'GET' || c.req.method === 'HEAD') registry.beginAdmission()
    return next()
  }

  async function identify(c: HttpContext, next: Next, credential: string): Promise<void> {
    const { signingSecrets } = wiring.bindings(c.env)
    const principal = await identifyTenant(credential, signingSecrets, c.get('nowMs'))
    if (!principal) throw unauthorized()
    return letIn(c, next, principal)
  }
}

/** For a read that comes as POST: before its body is read and parsed. */
export const admitFirst: MiddlewareHandler<HttpEnv> = function admitFirst(c, next) {
  c.get('registry').beginAdmission()
  return next()
}

function unauthorized(): Refused {
  return new Refused({ reason: 'unauthorized' })
}

/** `Authorization: Bearer …`, or `x-api-key: …` as the FlexPrice SDK sends it. */
function credentialOf(headers: Headers): string | null {
  const authorization = headers.get('authorization')
  if (authorization === null) return headers.get('x-api-key')
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null
}
