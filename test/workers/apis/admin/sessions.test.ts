/** The sessions of the console: who gets one, what it is worth, and that no other site can use it. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../../src/app.ts'
import { services } from '../../../../src/composition/services.ts'
import {
  asOwner,
  callWith,
  cookieOf,
  fromConsole,
  newOperator,
  newOperatorKey,
  newToken,
  signIn,
} from '../../support/operators.ts'
import { ADMIN_KEY, call, newAddress, newTenant, requestTo } from '../../support/roster.ts'

const ME = '/admin/me'
const SESSION = '/admin/session'
const statusOf = async (called: Promise<{ status: number }>) => (await called).status

describe('a session', () => {
  it('is started by an operator key, lasts twelve hours, and cannot be read by scripts', async () => {
    const { operatorId, email, key } = await newOperator('support')
    const started = await callWith(key, 'POST', SESSION)
    expect([started.status, started.body]).toEqual([
      201,
      {
        ...{ operator_id: operatorId, name: 'A support', email, role: 'support', via: 'session' },
        ...{ session_id: expect.stringMatching(/^ses_/), session_expires_at: expect.any(String) },
      },
    ])
    expect(Date.parse(started.body.session_expires_at) - Date.now()).toBeGreaterThan(11.9 * 3_600_000)
    expect(started.headers.get('set-cookie')).toMatch(
      /^__Host-roster-session=os_[0-9A-Za-z]{69}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    )
    const cookie = cookieOf(started)
    for (const path of [ME, SESSION]) expect((await fromConsole(cookie, 'GET', path)).body).toEqual(started.body)
    expect((await callWith(key, 'GET', SESSION)).status).toBe(404)
  })

  it('that an admin key starts is that of an owner without an operator, and ends with the key', async () => {
    const named = { ...env, ADMIN_KEYS: `${ADMIN_KEY},eve:eves-key-of-24-characters` }
    const send = async (bindings: object, method: string, headers: Record<string, string>) => {
      const context = createExecutionContext()
      return createApp(services).fetch(requestTo(SESSION, { method, headers }), bindings, context)
    }
    const started = await send(named, 'POST', { 'x-api-key': 'eves-key-of-24-characters' })
    const owner = { operator_id: null, name: 'admin:eve', email: null, role: 'owner', via: 'session' }
    expect([started.status, await started.json()]).toMatchObject([201, owner])
    const headers = { cookie: cookieOf(started), 'roster-console': '1' }
    expect((await send(named, 'GET', headers)).status).toBe(200)
    // Another secret under the same name is another key.
    const changed = { ...env, ADMIN_KEYS: `${ADMIN_KEY},eve:eves-next-key-of-24-characters` }
    for (const bindings of [changed, env]) expect((await send({ ...bindings }, 'GET', headers)).status).toBe(401)
  })

  it('ends at once when it is ended, and the browser forgets it', async () => {
    const { operatorId, key } = await newOperator('viewer')
    const [cookie, other] = [await signIn(key), await signIn(key)]
    const ended = await fromConsole(cookie, 'DELETE', SESSION)
    expect([ended.status, ended.headers.get('set-cookie')]).toEqual([
      204,
      '__Host-roster-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0',
    ])
    expect(await statusOf(fromConsole(cookie, 'GET', ME))).toBe(401)
    expect(await statusOf(fromConsole(cookie, 'DELETE', SESSION))).toBe(401)
    expect(await statusOf(fromConsole(other, 'GET', ME))).toBe(200)
    const { body } = await asOwner('GET', `/admin/audit?actor=${operatorId}&type=operator.session.ended`)
    expect(body.items).toMatchObject([
      { role: 'viewer', session_id: expect.stringMatching(/^ses_/), operator_id: operatorId },
    ])
  })

  it('ends when the browser signs in again', async () => {
    const { key, operatorId } = await newOperator('viewer')
    const first = await signIn(key)
    const second = cookieOf(await callWith(key, 'POST', SESSION, { headers: { cookie: first } }))
    const body = { token: await newToken(operatorId) }
    const third = cookieOf(await call('POST', SESSION, { headers: { cookie: second }, body }))
    const statuses = [first, second, third].map((cookie) => statusOf(fromConsole(cookie, 'GET', ME)))
    expect(await Promise.all(statuses)).toEqual([401, 401, 200])
  })

  it('ends at its end, and no later than the key that it was made with', async () => {
    const { operatorId } = await newOperator('viewer')
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString()
    const { key } = await newOperatorKey(operatorId, { expires_at: expiresAt })
    const started = await callWith(key, 'POST', SESSION)
    expect(started.body.session_expires_at).toBe(expiresAt)
    await env.DB.prepare('UPDATE operator_sessions SET expires_at = 1 WHERE id = ?').bind(started.body.session_id).run()
    expect(await statusOf(fromConsole(cookieOf(started), 'GET', ME))).toBe(401)
  })

  it('is not renewed by itself', async () => {
    const cookie = await signIn((await newOperator('viewer')).key)
    expect(await statusOf(fromConsole(cookie, 'POST', SESSION))).toBe(401)
  })

  it('is one of at most 50 of its operator: the oldest one ends', async () => {
    const { key } = await newOperator('viewer')
    const first = await signIn(key)
    const second = await signIn(key)
    for (let at = 2; at < 51; at++) await signIn(key)
    expect(await statusOf(fromConsole(first, 'GET', ME))).toBe(401)
    expect(await statusOf(fromConsole(second, 'GET', ME))).toBe(200)
  })

  it('has a row that proves nothing: neither the cookie nor a key stands in the database', async () => {
    const { key, operatorId } = await newOperator('viewer')
    const cookie = await signIn(key)
    const token = await newToken(operatorId)
    const tables = ['operators', 'operator_keys', 'operator_sessions', 'sign_in_links', 'admin_audit']
    const rows = await Promise.all(tables.map((table) => env.DB.prepare(`SELECT * FROM ${table}`).all()))
    const text = JSON.stringify(rows)
    for (const secret of [key, cookie.split('=')[1] ?? '', token]) {
      expect(text).not.toContain(secret.slice(3))
      expect(text).not.toContain(secret.slice(-43))
    }
  })
})

describe('a cookie', () => {
  const changes: [name: string, headers: Record<string, string>, status: number][] = [
    ['with the header of the console', { 'roster-console': '1' }, 200],
    ['with it, from the same origin', { 'roster-console': '1', 'sec-fetch-site': 'same-origin' }, 200],
    ['without the header', {}, 401],
    ['without the header, from the same origin', { 'sec-fetch-site': 'same-origin' }, 401],
    ['with another value of the header', { 'roster-console': 'true' }, 401],
    ['from another origin', { 'roster-console': '1', 'sec-fetch-site': 'cross-site' }, 401],
    ['from another host of the same site', { 'roster-console': '1', 'sec-fetch-site': 'same-site' }, 401],
    ['from the address bar', { 'roster-console': '1', 'sec-fetch-site': 'none' }, 401],
  ]

  it.each(changes)('counts as it is sent %s', async (_name, headers, status) => {
    const { key, operatorId } = await newOperator('owner')
    const cookie = await signIn(key)
    const path = `/admin/operators/${operatorId}`
    const body = { name: 'Changed' }
    expect(await statusOf(call('PATCH', path, { headers: { cookie, ...headers }, body }))).toBe(status)
    expect((await asOwner('GET', path)).body.name).toBe(status === 200 ? 'Changed' : 'A owner')
    expect(await statusOf(call('GET', ME, { headers: { cookie, ...headers } }))).toBe(status)
    await asOwner('PATCH', path, { body: { role: 'viewer' } })
  })

  it('cannot be sent by a page of another origin with the header: the browser asks first, and gets no leave for credentials', async () => {
    for (const origins of [undefined, 'https://evil.example', '*']) {
      const bindings = { ...env, ...(origins && { CORS_ORIGINS: origins }) }
      const headers = {
        origin: 'https://evil.example',
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'roster-console',
      }
      const context = createExecutionContext()
      const asked = await createApp(services).fetch(requestTo(ME, { method: 'OPTIONS', headers }), bindings, context)
      expect(asked.headers.get('access-control-allow-credentials')).toBeNull()
    }
  })

  it('opens no route of tenants by itself', async () => {
    const cookie = await signIn((await newOperator('owner')).key)
    const { tenantId } = await newTenant()
    expect(await statusOf(fromConsole(cookie, 'GET', '/v1/customers'))).toBe(401)
    expect(await statusOf(fromConsole(cookie, 'GET', `/customers?account_id=${tenantId}`))).toBe(403)
  })

  it('is not set for another site: a token from elsewhere signs nobody in', async () => {
    const token = await newToken((await newOperator('owner')).operatorId)
    const send = (site: string) => call('POST', SESSION, { body: { token }, headers: { 'sec-fetch-site': site } })
    expect(await statusOf(send('cross-site'))).toBe(401)
    expect(await statusOf(send('same-origin'))).toBe(201)
  })
})

describe('a sign-in', () => {
  it('without a credential is 401, and says how to sign in', async () => {
    for (const body of [undefined, {}]) {
      const refused = await call('POST', SESSION, { ...(body && { body }) })
      expect([refused.status, refused.body.code]).toEqual([401, 'unauthorized'])
    }
    const used = await call('POST', SESSION, { body: { token: 'ol_used' } })
    expect([used.status, used.body.message]).toEqual([401, expect.stringContaining('sign-in link')])
  })

  it('with wrong tokens is blocked after ten a minute of one address, and a right one is not', async () => {
    const headers = { 'cf-connecting-ip': newAddress() }
    const token = await newToken((await newOperator('viewer')).operatorId)
    const guesses = Array.from({ length: 14 }, (_, at) => `${token.slice(0, -2)}${at + 10}`).filter(
      (guess) => guess !== token,
    )
    const statuses: number[] = []
    for (const guess of guesses.slice(0, 12)) {
      statuses.push(await statusOf(call('POST', SESSION, { body: { token: guess }, headers })))
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429])
    expect(await statusOf(call('POST', SESSION, { body: { token }, headers }))).toBe(201)
  })

  it('goes on with a right session beside a wrong key, and counts nothing', async () => {
    const cookie = await signIn((await newOperator('viewer')).key)
    const headers = { 'x-api-key': 'wrong', 'cf-connecting-ip': newAddress() }
    for (let at = 0; at < 12; at++) expect(await statusOf(fromConsole(cookie, 'GET', ME, { headers }))).toBe(200)
  })
})
