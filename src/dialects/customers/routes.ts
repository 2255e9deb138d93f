/**
 * FlatPeak's door: `/customers`, and `/login`, where an account id and a key are exchanged for a bearer token.
 * Answers changes with 202 and takes plain API keys as bearers too.
 */
import { Hono } from 'hono'
import { identifyTenant, LOGIN_TOKEN_LIFE_SECONDS, mintLoginToken } from '../../access/principal.ts'
import { answer, answerFound } from '../../http/answer.ts'
import { jsonBody } from '../../http/body.ts'
import { etagOf, isNotModified, versionFromIfMatch } from '../../http/conditional.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { idempotencyOf } from '../../http/idempotency.ts'
import { noQuery, refuseQuery, validJson, validQuery } from '../../http/validate.ts'
import type { Customer } from '../../registry/customer.ts'
import { Refused } from '../../registry/failures.ts'
import {
  archiveCustomer,
  createCustomer,
  getCustomer,
  listCustomers,
  updateCustomer,
} from '../../registry/operations.ts'
import { fromBase64Url } from '../../shared/bytes.ts'
import type { Wiring } from '../../wiring.ts'
import { customerCreate, customerUpdate, isCustomerId, listQuery } from './schema.ts'
import { toChanges, toFlatpeak, toFlatpeakList, toListQuery, toNewCustomer } from './translate.ts'

export function flatpeakCustomers(_wiring: Wiring) {
  return new Hono<HttpEnv>()
    .post('/', noQuery, jsonBody, validJson(customerCreate), async (c) => {
      const fields = toNewCustomer(c.req.valid('json'))
      // This door has no word for onboarding.
      const onboarding = { ifExists: 'fail', onboarding: null } as const
      const options = { nowMs: c.get('nowMs'), ...onboarding, idempotency: await idempotencyOf(c) }
      const { customer } = await createCustomer(c.get('registry'), fields, options)
      return answerCustomer(c, 201, customer)
    })
    .get('/', validQuery(listQuery), async (c) => {
      const page = await listCustomers(c.get('registry'), toListQuery(c.req.valid('query')), { total: false })
      return answer(c, 200, toFlatpeakList(page))
    })
    .get('/:id', noQuery, async (c) => {
      const { customer, bodies } = await getCustomer(c.get('registry'), customerId(c.req.param('id')))
      // A deleted customer is gone at this door; others still show it.
      if (customer.status === 'archived') throw notFound()
      const etag = etagOf(customer.version)
      if (isNotModified(c.req.raw.headers.get('if-none-match'), etag)) return answer(c, 304, null, { etag })
      bodies.flatpeak ??= JSON.stringify(toFlatpeak(customer))
      return answerFound(c, bodies.flatpeak, etag)
    })
    .patch('/:id', noQuery, jsonBody, validJson(customerUpdate), async (c) => {
      const target = { id: customerId(c.req.param('id')) }
      const changes = toChanges(c.req.valid('json'))
      const { customer } = await updateCustomer(c.get('registry'), target, changes, ifVersion(c))
      return answerCustomer(c, 202, customer)
    })
    .delete('/:id', noQuery, async (c) => {
      await archiveCustomer(c.get('registry'), { id: customerId(c.req.param('id')) }, ifVersion(c))
      return answer(c, 202, { message: 'Accepted' })
    })
}

export function flatpeakLogin(wiring: Wiring) {
  return new Hono<HttpEnv>().get('/', async (c) => {
    const { signingSecrets } = wiring.bindings(c.env)
    const account = basicCredentials(c.req.raw.headers.get('authorization'))
    const principal = account && (await identifyTenant(account.key, signingSecrets, c.get('nowMs')))
    // A login token identifies its tenant as well, but it is no key: it does not renew itself.
    const isKeyOfAccount = principal?.expiresAtMs === null && principal.tenantId === account?.id.toLowerCase()
    if (!principal || !isKeyOfAccount) throw new Refused({ reason: 'unauthorized' })
    const registry = wiring.registryFor(c, principal)
    c.set('registry', registry)
    refuseQuery(c)
    const refusal = await registry.refusalOfCaller()
    if (refusal) throw new Refused(refusal)
    // env.ts starts nothing without a secret.
    const bearerToken = await mintLoginToken(principal, signingSecrets[0] as string, c.get('nowMs'))
    return answer(c, 200, {
      object: 'token',
      live_mode: principal.mode === 'live',
      bearer_token: bearerToken,
      expires_in: LOGIN_TOKEN_LIFE_SECONDS,
    })
  })
}

/** The account's id as the user, its key as the password (RFC 7617). */
function basicCredentials(authorization: string | null): { id: string; key: string } | null {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+)=* *$/i.exec(authorization ?? '')?.[1]
  const bytes = encoded && fromBase64Url(encoded.replaceAll('+', '-').replaceAll('/', '_'))
  const [, id, key] = /^([^:]*):(.*)$/s.exec(bytes ? new TextDecoder().decode(bytes) : '') ?? []
  return id !== undefined && key !== undefined ? { id, key } : null
}

function answerCustomer(c: HttpContext, status: number, customer: Customer): Response {
  return answer(c, status, toFlatpeak(customer), { etag: etagOf(customer.version) })
}

function customerId(id: string): string {
  if (!isCustomerId(id)) throw notFound()
  return id
}

function notFound(): Refused {
  return new Refused({ reason: 'not_found', resource: 'customer' })
}

function ifVersion(c: HttpContext): number | null {
  return versionFromIfMatch(c.req.raw.headers.get('if-match'))
}
