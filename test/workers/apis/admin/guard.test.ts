/** Authentication at the admin API and its limit on wrong keys. */
import { createExecutionContext, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { adminApi } from '../../../../src/apis/admin/errors.ts'
import { createApp } from '../../../../src/app.ts'
import { services } from '../../../../src/composition/services.ts'
import {
  FAILURE_MEMORY_MS,
  FAILURES_MAX,
  guardOf,
  judgeFailure,
  networksOf,
  SITE_FAILURES_MAX,
} from '../../../../src/http/admin-attempts.ts'
import type { HttpEnv } from '../../../../src/http/api.ts'
import { authenticateOperator, operatorIdentifier } from '../../../../src/http/authenticate-operator.ts'
import { errorHandler } from '../../../../src/http/respond.ts'
import { ADMIN_KEY, call, newAddress, requestTo } from '../../support/roster.ts'

function sendRequest(key: string | null, address = newAddress()) {
  const headers: Record<string, string> = { 'cf-connecting-ip': address }
  if (key !== null) headers['x-api-key'] = key
  return call('GET', '/admin/customers?limit=1', { headers })
}

/** The signing secret that vitest.config.ts sets. */
const SECRET = 'test-signing-secret-0123456789abcdef'

async function guard(address: string) {
  return env.ADMIN_GUARD.getByName((await guardOf(networksOf(address), SECRET)).name)
}

/** Requests through a second isolate: its own memory, and the same Durable Objects that count. */
function anotherIsolate(bindings: object = env) {
  const app = new Hono<HttpEnv>()
  app.use((c, next) => {
    c.set('nowMs', services.clock())
    c.set('requestId', 'test')
    return next()
  })
  app.use('/admin/*', authenticateOperator(operatorIdentifier(services).identifyOperator))
  app.get('/admin/customers', (c) => c.text('in'))
  app.onError(errorHandler(adminApi, services.countError))
  return async (key: string, address = newAddress()) => {
    const headers = { 'x-api-key': key, 'cf-connecting-ip': address }
    return (await app.fetch(requestTo('/admin/customers', { headers }), bindings, createExecutionContext())).status
  }
}

describe('an admin key', () => {
  it('is required, and must match exactly', async () => {
    expect((await sendRequest(ADMIN_KEY)).status).toBe(200)
    for (const key of [
      null,
      '',
      'wrong',
      `${ADMIN_KEY}x`,
      ADMIN_KEY.slice(1),
      ADMIN_KEY.toUpperCase(),
      'x'.repeat(5_000),
    ]) {
      const { status, body } = await sendRequest(key)
      expect([status, body.code], String(key)).toEqual([401, 'unauthorized'])
    }
    const bearer = { authorization: `Bearer ${ADMIN_KEY}` }
    expect((await call('GET', '/admin/customers', { headers: bearer })).status).toBe(401)
    expect((await call('GET', '/admin/nothing', { headers: { 'x-api-key': ADMIN_KEY } })).status).toBe(404)
    expect((await call('GET', '/admin/nothing')).status).toBe(401)
  })

  it('may be one of several, so that they can be rotated', async () => {
    const [first, second] = ['first-admin-key-of-several', 'second-admin-key-of-several']
    const attempt = anotherIsolate({ ...env, ADMIN_KEYS: `${first}, ${second}` })
    const keys = [first, second, ADMIN_KEY, `${first}, ${second}`]
    expect(await Promise.all(keys.map((key) => attempt(key)))).toEqual([200, 200, 401, 401])
  })
})

describe('an admin key with a name', () => {
  const named = { ...env, ADMIN_KEYS: `${ADMIN_KEY},alice:alices-key-of-24-characters` }

  it('is accepted as its secret, or as it was set, and under no other name', async () => {
    const attempt = anotherIsolate(named)
    const texts = [
      'alices-key-of-24-characters',
      'alice:alices-key-of-24-characters',
      'bob:alices-key-of-24-characters',
      'alice',
    ]
    expect(await Promise.all([...texts, ADMIN_KEY].map((key) => attempt(key)))).toEqual([200, 200, 401, 401, 200])
  })

  it('is named in the audit, and the others are `admin`', async () => {
    const made = async (key: string) => {
      const body = JSON.stringify({ company_name: 'Named', contact_email: 'ops@example.com' })
      const headers = { 'x-api-key': key, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body }
      const answer = await createApp(services).fetch(
        requestTo('/admin/customers', init),
        named,
        createExecutionContext(),
      )
      return ((await answer.json()) as { customer_id: string }).customer_id
    }
    const actorsOf = async (tenantId: string) => {
      const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}`, { headers: { 'x-api-key': ADMIN_KEY } })
      return body.items.map((entry: { actor: string }) => entry.actor)
    }
    expect(await actorsOf(await made('alices-key-of-24-characters'))).toEqual(['admin:alice'])
    expect(await actorsOf(await made(ADMIN_KEY))).toEqual(['admin'])
  })
})

describe('an address', () => {
  it('is refused further wrong keys after ten, with the time to wait; other addresses are not', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) expect((await sendRequest('wrong', address)).status).toBe(401)
    const { status, body, headers } = await sendRequest('wrong', address)
    expect([status, body.code, body.details]).toEqual([429, 'too_many_requests', { reason: 'rate_limited' }])
    const retryAfter = Number(headers.get('retry-after'))
    expect(retryAfter).toBeGreaterThan(0)
    expect(retryAfter).toBeLessThanOrEqual(60)
    expect((await sendRequest('wrong')).status).toBe(401)
  })

  it('passes with a right key despite the wrong keys of others behind it, at any isolate', async () => {
    const address = newAddress()
    for (let at = 0; at < 2 * FAILURES_MAX; at++) await sendRequest('wrong', address)
    expect((await sendRequest('wrong', address)).status).toBe(429)
    for (const attempt of [anotherIsolate(), anotherIsolate()]) {
      expect([await attempt('wrong', address), await attempt(ADMIN_KEY, address)]).toEqual([429, 200])
    }
    expect((await sendRequest(ADMIN_KEY, address)).status).toBe(200)
  })

  it('stays refused after the object that counts was evicted', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) await sendRequest('wrong', address)
    await evictDurableObject(await guard(address))
    expect(await anotherIsolate()('wrong', address)).toBe(429)
  })

  it('is not refused for right keys, for requests without a key, or for nine wrong ones', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX - 1; at++) await sendRequest('wrong', address)
    for (let at = 0; at < 2 * FAILURES_MAX; at++) expect((await sendRequest(null, address)).status).toBe(401)
    for (let at = 0; at < 2 * FAILURES_MAX; at++) expect((await sendRequest(ADMIN_KEY, address)).status).toBe(200)
    expect((await sendRequest('wrong', address)).status).toBe(401)
  })

  it('counts together with all IPv6 addresses that share its first 64 bits', async () => {
    for (let at = 0; at < FAILURES_MAX; at++) await sendRequest('wrong', `2001:db8:1:2::${at + 1}`)
    expect((await sendRequest('wrong', '2001:db8:1:2:ffff::1')).status).toBe(429)
    expect((await sendRequest('wrong', '2001:db8:1:3::1')).status).toBe(401)
    for (let at = 0; at < FAILURES_MAX; at++) await sendRequest('wrong', `2001:db8::${at + 1}`)
    expect((await sendRequest('wrong', '2001:db8:0:0:1::')).status).toBe(429)
    expect((await sendRequest('wrong', '::1')).status).toBe(401)
  })

  it('counts together with all IPv6 addresses of its site, the first 48 bits, which may send three times as many', async () => {
    const networks = SITE_FAILURES_MAX / FAILURES_MAX
    for (let network = 0; network < networks; network++) {
      for (let at = 0; at < FAILURES_MAX; at++) {
        expect((await sendRequest('wrong', `2001:db8:aa:${network}::${at + 1}`)).status).toBe(401)
      }
    }
    const further = '2001:db8:aa:ffff::1'
    expect((await sendRequest('wrong', further)).status).toBe(429)
    expect(await anotherIsolate()('wrong', further), 'at another isolate').toBe(429)
    expect((await sendRequest(ADMIN_KEY, further)).status).toBe(200)
    expect((await sendRequest('wrong', '2001:db8:ab::1')).status).toBe(401)
  })

  it('is counted under a hash that nobody without a secret of the deployment can make, in an object that it names', async () => {
    const address = '2001:db8:cc:dd::1'
    await sendRequest('wrong', address)
    const stored = await runInDurableObject(await guard(address), (_, { storage }) =>
      storage.sql
        .exec<{ address: string }>('SELECT address FROM failures')
        .toArray()
        .map((row) => row.address),
    )
    const hashed = await guardOf(networksOf(address), SECRET)
    expect(stored).toEqual(expect.arrayContaining(hashed.networks.map(({ network }) => network)))
    expect(stored.join(' ')).not.toMatch(/[.:]/)
    // The object of an address cannot be computed without the secret, and two of one site have the same.
    const names = new Set<string>()
    for (let at = 0; at < 20; at++) names.add((await guardOf(networksOf(address), `another secret ${at}`)).name)
    expect(names.size).toBeGreaterThan(10)
    expect((await guardOf(networksOf('2001:db8:cc:ee::9'), SECRET)).name).toBe(hashed.name)
  })

  it('is counted in the isolate first: no call of the object once it is blocked, nor for right keys', async () => {
    let calls = 0
    const getByName = (name: string) => {
      calls++
      return env.ADMIN_GUARD.getByName(name)
    }
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) await sendRequest('wrong', address)
    const attempt = anotherIsolate({ ...env, ADMIN_GUARD: { getByName } })
    for (let at = 0; at < 3; at++) expect(await attempt('wrong', address)).toBe(429)
    expect(calls).toBe(1)
    const other = newAddress()
    for (let at = 0; at < 2 * FAILURES_MAX; at++) await attempt('wrong', other)
    expect(calls).toBe(1 + FAILURES_MAX)
    expect(await attempt(ADMIN_KEY, other)).toBe(200)
    expect(calls).toBe(1 + FAILURES_MAX)
  })

  it('is the same for all requests without one, which Cloudflare never sends', () => {
    expect(networksOf(null)).toEqual([{ network: 'unknown', failuresMax: FAILURES_MAX }])
  })

  it('is still counted, and passes with a right key, while the object that counts is unreachable', async () => {
    const countFailure = () => Promise.reject(new Error('the guard is away'))
    const attempt = anotherIsolate({ ...env, ADMIN_GUARD: { getByName: () => ({ countFailure }) } })
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) expect(await attempt('wrong', address)).toBe(401)
    expect([await attempt('wrong', address), await attempt(ADMIN_KEY, address)]).toEqual([429, 200])
  })

  it('gets at most ten verdicts when it sends many wrong keys at once', async () => {
    const address = newAddress()
    const answers = await Promise.all(Array.from({ length: 40 }, () => sendRequest('wrong', address)))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(FAILURES_MAX)
  })
})

describe('the count', () => {
  it('allows at most ten wrong keys in any minute, however they are spread, and judges again after the announced wait', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(gaps, (gapsMs) => {
        let nowMs = 0
        let failuresMs: number[] = []
        const answeredMs: number[] = []
        for (const gapMs of gapsMs) {
          nowMs += gapMs
          const judged = judgeFailure(failuresMs, nowMs)
          failuresMs = judged.failuresMs
          expect(failuresMs.length).toBeLessThanOrEqual(FAILURES_MAX)
          if (judged.blockedMs === 0) answeredMs.push(nowMs)
          else expect(judgeFailure(failuresMs, nowMs + judged.blockedMs).blockedMs).toBe(0)
        }
        for (const [at, firstMs] of answeredMs.entries()) {
          const eleventhMs = answeredMs[at + FAILURES_MAX] ?? Number.POSITIVE_INFINITY
          expect(eleventhMs - firstMs).toBeGreaterThanOrEqual(FAILURE_MEMORY_MS)
        }
      }),
    )
  })

  it('is kept for a bounded number of addresses, and dropped after its minute', async () => {
    const flooded = await guard('192.0.2.1')
    await runInDurableObject(flooded, async (object, { storage }) => {
      const count = () => storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM failures').one().n
      for (let at = 0; at < 1_050; at++) await object.countFailure([{ network: `flood-${at}`, failuresMax: 10 }])
      expect(count()).toBe(1_000)
      storage.sql.exec('UPDATE failures SET latest = latest - ?', FAILURE_MEMORY_MS)
      await object.countFailure([{ network: 'one more', failuresMax: 10 }])
      expect(count()).toBe(1)
      storage.sql.exec('UPDATE failures SET latest = latest - ?', FAILURE_MEMORY_MS)
    })
    expect(await runDurableObjectAlarm(flooded)).toBe(true)
    await runInDurableObject(flooded, async (_, { storage }) => {
      expect(storage.sql.exec('SELECT * FROM failures').toArray()).toEqual([])
      expect(await storage.getAlarm()).toBeNull()
    })
  })
})
