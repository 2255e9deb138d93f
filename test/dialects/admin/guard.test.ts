/** Who gets in at the operator's door, and how often one may try. */
import { createExecutionContext, evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { adminDoor } from '../../../src/dialects/admin-customers/failures.ts'
import { FAILURE_MEMORY_MS, FAILURES_MAX, guardNameOf, judgeAttempt } from '../../../src/http/admin-guard.ts'
import { errorHandler } from '../../../src/http/answer.ts'
import { authenticateAdmin } from '../../../src/http/authenticate-admin.ts'
import type { HttpEnv } from '../../../src/http/door.ts'
import { wiring } from '../../../src/wiring.ts'
import { ADMIN_KEY, call } from '../../support/roster.ts'

let addresses = 0
function newAddress(): string {
  return `192.0.2.${addresses++}`
}

function knock(key: string | null, address: string) {
  const headers: Record<string, string> = { 'cf-connecting-ip': address }
  if (key !== null) headers['x-api-key'] = key
  return call('GET', '/admin/customers?limit=1', { headers })
}

const guard = (address: string) => env.ADMIN_GUARD.getByName(guardNameOf(address))

describe('an admin key', () => {
  it('is needed, and must be right to the letter', async () => {
    expect((await knock(ADMIN_KEY, newAddress())).status).toBe(200)
    for (const key of [
      null,
      '',
      'wrong',
      `${ADMIN_KEY}x`,
      ADMIN_KEY.slice(1),
      ADMIN_KEY.toUpperCase(),
      'x'.repeat(5_000),
    ]) {
      const { status, body } = await knock(key, newAddress())
      expect([status, body.code], String(key)).toEqual([401, 'unauthorized'])
    }
    const bearer = { authorization: `Bearer ${ADMIN_KEY}` }
    expect((await call('GET', '/admin/customers', { headers: bearer })).status).toBe(401)
    expect((await call('GET', '/admin/nothing', { headers: { 'x-api-key': ADMIN_KEY } })).status).toBe(404)
    expect((await call('GET', '/admin/nothing')).status).toBe(401)
  })

  it('may be one of several, so that they can be rotated', async () => {
    const [first, second] = ['first-admin-key-of-several', 'second-admin-key-of-several']
    const app = new Hono<HttpEnv>()
    app.use((c, next) => {
      c.set('nowMs', wiring.clock())
      c.set('requestId', 'test')
      return next()
    })
    app.use('/admin/*', authenticateAdmin(wiring))
    app.get('/admin/customers', (c) => c.text('in'))
    app.onError(errorHandler(adminDoor))
    const several = { ...env, ADMIN_KEYS: `${first}, ${second}` }
    const statusFor = async (key: string) => {
      const headers = { 'x-api-key': key, 'cf-connecting-ip': newAddress() }
      return (await app.request('/admin/customers', { headers }, several, createExecutionContext())).status
    }
    expect(await Promise.all([first, second, ADMIN_KEY, `${first}, ${second}`].map(statusFor))).toEqual([
      200, 200, 401, 401,
    ])
  })
})

describe('an address', () => {
  it('is refused after ten wrong keys, with the right key too, and is told how long; others are not', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) expect((await knock('wrong', address)).status).toBe(401)
    for (const key of ['wrong', ADMIN_KEY]) {
      const { status, body, headers } = await knock(key, address)
      expect([status, body.code, body.details]).toEqual([429, 'too_many_requests', { reason: 'rate_limited' }])
      const retryAfter = Number(headers.get('retry-after'))
      expect(retryAfter).toBeGreaterThan(50)
      expect(retryAfter).toBeLessThanOrEqual(60)
    }
    expect((await knock(ADMIN_KEY, newAddress())).status).toBe(200)
  })

  it('stays refused when the object that counts was evicted', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX; at++) await knock('wrong', address)
    await evictDurableObject(guard(address))
    expect((await knock(ADMIN_KEY, address)).status).toBe(429)
  })

  it('is not refused for right keys, for requests without a key, or for nine wrong ones', async () => {
    const address = newAddress()
    for (let at = 0; at < FAILURES_MAX - 1; at++) await knock('wrong', address)
    for (let at = 0; at < 2 * FAILURES_MAX; at++) expect((await knock(null, address)).status).toBe(401)
    for (let at = 0; at < 2 * FAILURES_MAX; at++) expect((await knock(ADMIN_KEY, address)).status).toBe(200)
  })

  it('of IPv6 counts with all that share its first 64 bits', async () => {
    for (let at = 0; at < FAILURES_MAX; at++) await knock('wrong', `2001:db8:1:2::${at + 1}`)
    expect((await knock(ADMIN_KEY, '2001:db8:1:2:ffff::1')).status).toBe(429)
    expect((await knock(ADMIN_KEY, '2001:db8:1:3::1')).status).toBe(200)
    for (let at = 0; at < FAILURES_MAX; at++) await knock('wrong', `2001:db8::${at + 1}`)
    expect((await knock(ADMIN_KEY, '2001:db8:0:0:1::')).status).toBe(429)
    expect((await knock(ADMIN_KEY, '::1')).status).toBe(200)
  })

  it('that races many wrong keys gets no more than ten answers about them', async () => {
    const address = newAddress()
    const answers = await Promise.all(Array.from({ length: 40 }, () => knock('wrong', address)))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(FAILURES_MAX)
  })
})

describe('the count', () => {
  it('lets no minute hold more than ten wrong keys, however they are spread, and lets in who waits as told', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(gaps, (gapsMs) => {
        let nowMs = 0
        let failuresMs: number[] = []
        const answeredMs: number[] = []
        for (const gapMs of gapsMs) {
          nowMs += gapMs
          const judged = judgeAttempt(failuresMs, false, nowMs)
          failuresMs = judged.failuresMs
          expect(failuresMs.length).toBeLessThanOrEqual(FAILURES_MAX)
          if (judged.blockedMs === 0) answeredMs.push(nowMs)
          else expect(judgeAttempt(failuresMs, true, nowMs + judged.blockedMs).blockedMs).toBe(0)
        }
        for (const [at, firstMs] of answeredMs.entries()) {
          const eleventhMs = answeredMs[at + FAILURES_MAX] ?? Number.POSITIVE_INFINITY
          expect(eleventhMs - firstMs).toBeGreaterThanOrEqual(FAILURE_MEMORY_MS)
        }
      }),
    )
  })

  it('is kept for a bounded number of addresses, and forgotten after its minute', async () => {
    await runInDurableObject(guard('192.0.2.1'), (object, { storage }) => {
      const count = () => storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM failures').one().n
      for (let at = 0; at < 1_050; at++) object.attempt(`flood-${at}`, false)
      expect(count()).toBe(1_000)
      storage.sql.exec('UPDATE failures SET latest = latest - ?', FAILURE_MEMORY_MS)
      object.attempt('one more', false)
      expect(count()).toBe(1)
    })
  })
})
