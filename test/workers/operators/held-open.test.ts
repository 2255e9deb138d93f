/**
 * A caller may take as long as it likes to send the body of a request. An operator that loses its role, its key or its session
 * meanwhile changes nothing with it, and nothing that it changed as a tenant before is missing in the audit.
 */
import { env, exports } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { asOwner, callWith, fromConsole, newOperator, signIn, type TestOperator } from '../support/operators.ts'
import { call, newTenant, requestTo, type TestTenant } from '../support/roster.ts'
import { asTenant, REASON } from './support.ts'

const ENDPOINT = '{"url": "http://127.0.0.1:9/"}'

let tenant: TestTenant
let operator: TestOperator
let cookie: string

beforeEach(async () => {
  tenant = await newTenant()
  operator = await newOperator('admin')
  cookie = await signIn(operator.key)
})

/** Begins a request and sends the first part of its body. Returns the function that sends the rest and gives the response. */
function hold(path: string, credential: Record<string, string>, parts: [string, string], type = 'application/json') {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
      given.enqueue(encoder.encode(parts[0]))
    },
  })
  const headers = { ...credential, 'content-type': type }
  const response = exports.default.fetch(requestTo(path, { method: 'POST', headers, body }))
  return async () => {
    controller?.enqueue(encoder.encode(parts[1]))
    controller?.close()
    return response
  }
}

const byKey = () => ({ 'x-api-key': operator.key })
const bySession = () => ({ cookie, 'roster-console': '1' })
const remove = () => asOwner('DELETE', `/admin/operators/${operator.operatorId}`)
const demote = () => asOwner('PATCH', `/admin/operators/${operator.operatorId}`, { body: { role: 'viewer' } })
const revoke = () => asOwner('DELETE', `/admin/operators/${operator.operatorId}/keys/${operator.keyId}`)
const signOut = () => fromConsole(cookie, 'DELETE', '/admin/session')

describe('a request that is held open', () => {
  const ENDS: [string, () => Record<string, string>, () => Promise<unknown>, number][] = [
    ['the removal of its operator', byKey, remove, 401],
    ['the demotion of its operator', byKey, demote, 403],
    ['the revocation of its key', byKey, revoke, 401],
    ['the end of its session', bySession, signOut, 401],
  ]

  it.each(ENDS)('creates no endpoint of a tenant after %s', async (_what, credential, end, status) => {
    const headers = { ...credential(), ...asTenant(tenant.tenantId) }
    const finish = hold('/v1/webhooks/endpoints', headers, [ENDPOINT.slice(0, -1), '}'])
    await end()
    expect((await finish()).status).toBe(status)
    expect((await call('GET', '/v1/webhooks/endpoints', { key: tenant.live.key })).body.items).toEqual([])
  })

  it.each(ENDS)('creates no key after %s', async (_what, credential, end, status) => {
    const path = `/admin/customers/${tenant.tenantId}/keys`
    const finish = hold(path, credential(), ['{"name": "left behind"', '}'])
    await end()
    expect((await finish()).status).toBe(status)
    const { body } = await asOwner('GET', path)
    expect(body.items.map((key: { name: string }) => key.name)).not.toContain('left behind')
  })

  it('imports no further lines after the revocation of its key', async () => {
    const lines = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => `{"external_id": "line-${from + at}"}\n`).join('')
    const headers = { ...byKey(), ...asTenant(tenant.tenantId) }
    const finish = hold('/v1/customers/import', headers, [lines(0, 200), lines(200, 210)], 'application/x-ndjson')
    const count = async () =>
      (await call('GET', '/v1/customers?limit=1', { key: tenant.live.key })).body.pagination.total as number
    await expect.poll(count, { timeout: 20_000 }).toBe(200)
    await revoke()
    await (await finish()).text().catch(() => '')
    expect(await count()).toBe(200)
  })
})

describe('a session', () => {
  it('is none if it was stored after its key was revoked', async () => {
    // A sign-in reads the key before it stores the session: in between, nothing of the key is there to be ended.
    await env.DB.prepare('DELETE FROM operator_keys WHERE id = ?').bind(operator.keyId).run()
    expect((await fromConsole(cookie, 'GET', '/admin/me')).status).toBe(401)
  })

  it('that has ended can write no entry of the audit, and so no change that has one', async () => {
    const { session_id: sessionId } = (await fromConsole(cookie, 'GET', '/admin/session')).body
    const insert = () =>
      env.DB.prepare(
        'INSERT INTO admin_audit (id, type, tenant_id, actor, created_at, role, session_id) VALUES (?, ?, ?, ?, 0, ?, ?)',
      )
        .bind(crypto.randomUUID(), 'tenant.updated', tenant.tenantId, operator.operatorId, 'admin', sessionId)
        .run()
    expect((await insert()).success).toBe(true)
    await signOut()
    await expect(insert()).rejects.toThrow('operator_not_in_force')
  })
})

it('states in the audit each setting that an operator changed as the tenant', async () => {
  const by = { headers: asTenant(tenant.tenantId) }
  const send = (method: string, path: string, body?: object) =>
    callWith(operator.key, method, path, { ...by, ...(body && { body }) })
  const made = await send('POST', '/v1/webhooks/endpoints', JSON.parse(ENDPOINT))
  await send('POST', `/v1/webhooks/endpoints/${made.body.id}/rotate`)
  await send('PUT', '/v1/settings/customer_onboarding', { workflows: {} })
  await send('POST', '/v1/settings/customer_onboarding/rotate')
  const audit = await asOwner('GET', `/admin/audit?tenant_id=${tenant.tenantId}&actor=${operator.operatorId}`)
  const author = { actor: operator.operatorId, role: 'admin', reason: REASON }
  expect(audit.body.items).toMatchObject([
    { ...author, type: 'onboarding.secret_rotated', after: { version: 1 } },
    { ...author, type: 'onboarding.settings.replaced', after: { name: 'customer_onboarding', mode: 'live' } },
    { ...author, type: 'webhook.endpoint.secret_rotated', after: { id: made.body.id } },
    { ...author, type: 'webhook.endpoint.created', after: { id: made.body.id, url: 'http://127.0.0.1:9/' } },
  ])
  expect(audit.text).not.toContain(made.body.secret)
})

it('gives no operator the stored response of another', async () => {
  const other = await newOperator('admin')
  const headers = { ...asTenant(tenant.tenantId), 'idempotency-key': 'the-same' }
  const create = (key: string) =>
    callWith(key, 'POST', '/v1/webhooks/endpoints', { headers, body: JSON.parse(ENDPOINT) })
  const [first, again, second] = [await create(operator.key), await create(operator.key), await create(other.key)]
  expect(again.body).toEqual(first.body)
  expect(second.body.id).not.toBe(first.body.id)
})
