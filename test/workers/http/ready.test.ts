/**
 * `/readyz` reports to any caller whether D1, KV and the gates answer, without the cause of a failure and without load
 * behind it.
 */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import { expectAsDocumented } from '../support/documented.ts'
import { call, requestTo } from '../support/roster.ts'

const ALL_OK = { d1: 'ok', kv: 'ok', gate: 'ok' }

function appWith(probe: (typeof services)['probe'], clock = services.clock) {
  const app = createApp({ ...services, probe, clock, sleep: () => new Promise((resolve) => setTimeout(resolve, 50)) })
  return async () => {
    const answer = await app.fetch(requestTo('/readyz'), env, createExecutionContext())
    const text = await answer.text()
    const { status, headers } = answer
    expectAsDocumented('GET', '/readyz', { status, headers, text, body: JSON.parse(text) })
    return { status, headers, body: JSON.parse(text) }
  }
}

describe('GET /readyz', () => {
  it('reports that D1, KV and a gate answered, to a caller without a key', async () => {
    const { status, body } = await call('GET', '/readyz')
    expect([status, body]).toEqual([200, { status: 'ready', checks: ALL_OK }])
  })

  it.each(['d1', 'kv', 'gate'] as const)('answers 503 naming %s when that fails, without the cause', async (broken) => {
    const sendProbe = appWith(async (_env, name) => {
      if (name === broken) throw new Error('secret cause')
    })
    const { status, body, headers } = await sendProbe()
    expect([status, body]).toEqual([503, { status: 'not_ready', checks: { ...ALL_OK, [broken]: 'failed' } }])
    expect(headers.get('retry-after')).toBe('1')
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  it('does not wait for a part that never answers', async () => {
    const sendProbe = appWith((_env, name) => (name === 'kv' ? new Promise(() => undefined) : Promise.resolve()))
    expect((await sendProbe()).body.checks).toEqual({ ...ALL_OK, kv: 'failed' })
  })

  it('probes once a second, however often it is requested', async () => {
    let nowMs = 1_000_000
    let probes = 0
    const sendProbe = appWith(
      async () => {
        probes++
      },
      () => nowMs,
    )
    for (let at = 0; at < 5; at++) await sendProbe()
    expect(probes).toBe(3)
    nowMs += 1_000
    await sendProbe()
    expect(probes).toBe(6)
  })

  it('probes once a second while the probes are slow, and answers the others with the result before', async () => {
    let nowMs = 1_000_000
    let probes = 0
    let respond = () => {}
    let isSlow = false
    const sendProbe = appWith(
      () => {
        probes++
        return isSlow ? new Promise((resolve) => (respond = () => resolve(undefined))) : Promise.resolve()
      },
      () => nowMs,
    )
    const first = await Promise.all(Array.from({ length: 20 }, sendProbe))
    expect([probes, ...new Set(first.map(({ status }) => status))]).toEqual([3, 200])
    isSlow = true
    nowMs += 1_000
    const slow = sendProbe()
    for (let at = 0; at < 20; at++) expect((await sendProbe()).status).toBe(200)
    nowMs += 999
    expect((await sendProbe()).status).toBe(200)
    expect(probes).toBe(6)
    expect((await slow).status, 'its own result: nothing has answered in time').toBe(503)
    expect((await sendProbe()).status).toBe(503)
    expect(probes).toBe(6)
    respond()
  })

  it('fails when the migrations are missing', async () => {
    const db = { prepare: (sql: string) => env.DB.prepare(sql.replace('tenants', 'no_such_table')) }
    const bindings = { ...env, DB: db } as unknown as Cloudflare.Env
    await expect(services.probe(bindings, 'd1')).rejects.toThrow('no such table')
  })
})
