/**
 * A change that an operator sent before a demotion, a removal or a sign-out is not made after it was answered, whatever it waited
 * for: the transaction of the change checks once more. The messages here are those that an isolate sends after it has let
 * the request in.
 */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { PROTOCOL_VERSION } from '../../../src/gate/protocol/leases.ts'
import { newId } from '../../../src/shared/ids.ts'
import { asOwner, callWith, fromConsole, newOperator, signIn, type TestOperator } from '../support/operators.ts'
import { call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { asTenant, REASON } from './support.ts'

let tenant: TestTenant
let customer: string
let operator: TestOperator
let cookie: string
let sessionId: string

beforeEach(async () => {
  tenant = await newTenant()
  customer = (await newCustomer(tenant.live.key, { external_id: 'a', name: 'Before' })).id
  operator = await newOperator('admin')
  cookie = await signIn(operator.key)
  sessionId = (await fromConsole(cookie, 'GET', '/admin/session')).body.session_id
})

const gate = () => env.GATE.getByName(`${tenant.tenantId}:live`)
const sending = (session: string | null) => ({
  v: PROTOCOL_VERSION,
  sentAtMs: Date.now(),
  isolate: 'isolate',
  credential: null,
  caller: operator.operatorId,
  operator: { role: 'admin', sessionId: session },
  requestId: 'req',
  reason: REASON,
})

/** Sends the change that an isolate has let in. */
async function write(name: string, session: string | null = null) {
  const command = { kind: 'update', target: { id: customer }, changes: { name }, ifVersion: null } as const
  const reply = await gate().write({ ...sending(session), command })
  return 'ok' in reply ? (reply.ok ? 'made' : reply.failure.reason) : reply.kind
}

/** Sends the chunk of an import that an isolate has let in. */
async function importTwo(session: string | null = null) {
  const lines = ['a', 'b'].map((externalId) => {
    return { id: newId('customer', Date.now()), externalId, fields: { name: 'Imported' } }
  })
  const chunk = { lines, assumed: [], dryRun: false, permits: 1, permitsPaid: 0 }
  const reply = await gate().importChunk({ ...sending(session), ...chunk })
  return 'ok' in reply ? (reply.ok ? reply.outcomes.map(({ result }) => result) : reply.failure.reason) : reply.kind
}

const names = async () => {
  const { body } = await call('GET', '/v1/customers', { key: tenant.live.key })
  return body.items.map((one: { name: string }) => one.name)
}

describe('a change that an operator sent before', () => {
  it('is made while the operator has its role and its session', async () => {
    expect(await write('After', sessionId)).toBe('made')
    expect(await importTwo(sessionId)).toEqual(['updated', 'created'])
  })

  const ENDS: [string, () => Promise<unknown>, (() => string) | null][] = [
    [
      'a demotion',
      () => asOwner('PATCH', `/admin/operators/${operator.operatorId}`, { body: { role: 'support' } }),
      null,
    ],
    ['the removal', () => asOwner('DELETE', `/admin/operators/${operator.operatorId}`), null],
    ['the end of its session', () => fromConsole(cookie, 'DELETE', '/admin/session'), () => sessionId],
  ]

  it.each(ENDS)('is not made after %s was answered', async (_what, end, session) => {
    await end()
    expect(await write('After', session?.() ?? null)).toBe('unauthorized')
    expect(await importTwo(session?.() ?? null)).toBe('unauthorized')
    expect(await names()).toEqual(['Before'])
    const changes = await env.DB.prepare('SELECT count(*) AS count FROM operator_changes WHERE tenant_id = ?')
      .bind(tenant.tenantId)
      .first<{ count: number }>()
    expect(changes?.count).toBe(0)
  })

  it('is made after a promotion', async () => {
    await asOwner('PATCH', `/admin/operators/${operator.operatorId}`, { body: { role: 'owner' } })
    expect(await write('After')).toBe('made')
  })

  it('spoils no change of others in the same batch', async () => {
    await asOwner('DELETE', `/admin/operators/${operator.operatorId}`)
    const rename = (name: string) =>
      call('PATCH', `/v1/customers/${customer}`, { key: tenant.live.key, body: { name } })
    const [barred, ...own] = await Promise.all([write('Barred'), rename('One'), rename('Two'), rename('Three')])
    expect([barred, ...own.map(({ status }) => status)]).toEqual(['unauthorized', 200, 200, 200])
  })
})

describe('a request of an operator', () => {
  it('is refused from the moment that its demotion was answered', async () => {
    const patch = (name: string) =>
      callWith(operator.key, 'PATCH', `/v1/customers/${customer}`, {
        body: { name },
        headers: asTenant(tenant.tenantId),
      })
    expect((await patch('One')).status).toBe(200)
    await asOwner('PATCH', `/admin/operators/${operator.operatorId}`, { body: { role: 'viewer' } })
    const { status, body } = await patch('Two')
    expect([status, body.details]).toEqual([403, { reason: 'missing_role', role: 'viewer', needed: 'support' }])
    const read = { headers: asTenant(tenant.tenantId) }
    expect((await callWith(operator.key, 'GET', `/v1/customers/${customer}`, read)).status).toBe(200)
    await asOwner('DELETE', `/admin/operators/${operator.operatorId}`)
    expect((await callWith(operator.key, 'GET', `/v1/customers/${customer}`, read)).status).toBe(401)
  })
})

describe('the audit', () => {
  it('names the operator, its role, its session and the reason, also for each line of an import', async () => {
    const headers = asTenant(tenant.tenantId)
    await fromConsole(cookie, 'PATCH', `/v1/customers/${customer}`, { body: { name: 'Ada' }, headers })
    const body = '{"external_id": "a", "name": "Bea"}\n{"external_id": "b"}\n'
    await fromConsole(cookie, 'POST', '/v1/customers/import', {
      body,
      headers: { ...headers, 'content-type': 'application/x-ndjson' },
    })
    await callWith(operator.key, 'DELETE', `/v1/customers/${customer}`, { headers })
    const audit = await asOwner('GET', `/admin/audit?tenant_id=${tenant.tenantId}&actor=${operator.operatorId}`)
    const by = { actor: operator.operatorId, role: 'admin', reason: REASON }
    expect(audit.body.items).toMatchObject([
      { ...by, type: 'customer.archived', session_id: null },
      { ...by, type: 'customer.created', session_id: sessionId },
      { ...by, type: 'customer.updated', session_id: sessionId },
      { ...by, type: 'customer.updated', session_id: sessionId },
    ])
    const own = await asOwner('GET', `/admin/audit?customer_id=${customer}&type=customer.created`)
    expect(own.body.items).toMatchObject([{ role: null, session_id: null }])
  })

  it('does not show the tenant the role or the session', async () => {
    await fromConsole(cookie, 'PATCH', `/v1/customers/${customer}`, {
      body: { name: 'Ada' },
      headers: asTenant(tenant.tenantId),
    })
    const { text, body } = await call('GET', '/v1/events', { key: tenant.live.key })
    expect(body.items[0].data.actor).toBe(operator.operatorId)
    expect(text).not.toContain(sessionId)
  })
})
