/**
 * Routes of the console's session: sign-in by a key, a sign-in link or Cloudflare Access, sign-out, and who the caller is.
 * A session is a cookie that scripts cannot read. It is refused everywhere once its end was answered.
 */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import type { OperatorIdentifier } from '../../../http/authenticate-operator.ts'
import { isFromElsewhere, NO_SESSION_COOKIE, sessionCookie, sessionTextIn } from '../../../http/console-request.ts'
import { Hono } from '../../../http/hono.ts'
import { requestOptionsOf } from '../../../http/request-options.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import type { OperatorPrincipal } from '../../../operators/operator.ts'
import { endSession, type NewSession, startSession, startSessionByLink } from '../../../operators/sessions.ts'
import { notFound, RegistryError } from '../../../registry/errors.ts'
import { log } from '../../../shared/log.ts'
import { checkedReason } from '../../../validation/reason.ts'
import { authorOf, operatorOf } from '../request.ts'
import { sessionContracts, signInContracts } from './contract.ts'
import { toAdminMe } from './mapping.ts'

/** The sign-in. It stands before the middleware that lets only operators in. */
export function signIn(services: Services, operators: OperatorIdentifier) {
  const { startSession: start } = signInContracts

  async function sessionOf(c: HttpContext, token: string | undefined): Promise<NewSession | null> {
    const replaced = sessionTextIn(c)
    if (token === undefined) {
      const proved = await operators.proveOperator(c)
      if (!proved) return null
      c.set('operator', proved.principal)
      return startSession(services.operators(c.env, authorOf(c)), proved, replaced)
    }
    // Another site must not be able to sign a browser in as somebody else.
    if (isFromElsewhere(c.req.raw.headers)) return null
    const link = await operators.operatorOfLink(c, token)
    if (!link) return null
    const { id: actor, role } = link.operator
    const { requestId, reason } = requestOptionsOf(c)
    const author = { actor, role, sessionId: null, requestId, reason: checkedReason(reason) }
    return startSessionByLink(services.operators(c.env, author), link, replaced)
  }

  return new Hono<HttpEnv>().post(
    start.path,
    start.handle(async (c, { body }) => {
      const session = await sessionOf(c, body.token)
      if (!session)
        throw new RegistryError({ reason: 'unauthorized', ...(body.token !== undefined && { sent: 'link' }) })
      logSession(c, 'session_started', session.principal)
      return respond(c, 201, toAdminMe(session.principal), { 'set-cookie': sessionCookie(session.text) })
    }),
  )
}

export function session(services: Services) {
  const { getSession, endSession: end, getMe } = sessionContracts
  return new Hono<HttpEnv>()
    .get(
      getSession.path,
      getSession.handle((c) => {
        if (operatorOf(c).sessionId === null) throw notFound('session')
        return respond(c, 200, toAdminMe(operatorOf(c)))
      }),
    )
    .delete(
      end.path,
      end.handle(async (c) => {
        const operator = operatorOf(c)
        if (operator.sessionId === null) throw notFound('session')
        await endSession(services.operators(c.env, authorOf(c)), operator.sessionId)
        logSession(c, 'session_ended', operator)
        return respond(c, 204, null, { 'set-cookie': NO_SESSION_COOKIE })
      }),
    )
    .get(
      getMe.path,
      getMe.handle((c) => respond(c, 200, toAdminMe(operatorOf(c)))),
    )
}

function logSession(c: HttpContext, event: string, { actor, sessionId }: OperatorPrincipal): void {
  log('info', { event, requestId: c.get('requestId'), actor, sessionId })
}
