/**
 * `GET /login`: exchanges Basic credentials, an account id and a key, for a bearer token.
 */
import type { MiddlewareHandler } from 'hono'
import { auth } from 'hono/utils/basic-auth'
import type { HttpEnv } from '../../http/api.ts'
import { Hono } from '../../http/hono.ts'
import { respond } from '../../http/respond.ts'
import type { Services } from '../../http/services.ts'
import { RegistryError } from '../../registry/errors.ts'
import { identifyTenant, LOGIN_TOKEN_LIFE_SECONDS, mintLoginToken } from '../../tenants/principal.ts'
import { loginContracts } from './contract.ts'

const WRONG_LOGIN = { reason: 'unauthorized', sent: 'login' } as const

export function flatpeakLogin(services: Services) {
  const { login } = loginContracts

  /** Authenticates by Basic credentials (RFC 7617): the account's id is the user, its key the password. */
  const authenticateAccount: MiddlewareHandler<HttpEnv> = async function authenticateAccount(c, next) {
    const account = auth(c.req.raw)
    const { signingSecrets } = services.bindings(c.env)
    const principal = account && (await identifyTenant(account.password, signingSecrets, c.get('nowMs')))
    // A login token identifies its tenant too, but it is not a key: it must not renew itself.
    const isKeyOfAccount = principal?.expiresAtMs === null && principal.tenantId === account?.username.toLowerCase()
    if (!principal || !isKeyOfAccount) throw new RegistryError(WRONG_LOGIN)
    c.set('registry', services.registryFor(c, principal))
    c.set('principal', principal)
    return next()
  }

  return new Hono<HttpEnv>().get(
    login.path,
    authenticateAccount,
    login.handle(async (c) => {
      const refusal = await c.get('registry').admission.refusal()
      if (refusal) throw new RegistryError(refusal.reason === 'unauthorized' ? WRONG_LOGIN : refusal)
      const { signingSecrets } = services.bindings(c.env)
      const principal = c.get('principal')
      // env.ts refuses to start without a secret.
      const bearerToken = await mintLoginToken(principal, signingSecrets[0] as string, c.get('nowMs'))
      return respond(c, 200, {
        object: 'token' as const,
        live_mode: principal.mode === 'live',
        bearer_token: bearerToken,
        expires_in: LOGIN_TOKEN_LIFE_SECONDS,
      })
    }),
  )
}
