/** A caller who prefers `server-timing` receives the times that the answer waited for; no other caller does. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import worker from '../../../src/index.ts'
import { IoTimes, serverTiming } from '../../../src/observability/io-times.ts'
import { call, newCustomer, newTenant, requestTo } from '../support/roster.ts'

const TIMING = { prefer: 'server-timing' }
const PARTS = /^admit;dur=\d+, gate;dur=\d+, kv;dur=\d+, d1;dur=\d+, total;dur=\d+$/

it('gives each part the milliseconds of its own calls', () => {
  const io = new IoTimes()
  io.addCall('gate', 12)
  io.addCall('kv', 3)
  io.addCall('kv', 4)
  io.admitMs = 13
  expect(serverTiming(io, 20)).toBe('admit;dur=13, gate;dur=12, kv;dur=7, d1;dur=0, total;dur=20')
  expect(serverTiming(null, 20)).toBe('total;dur=20')
})

describe('server-timing', () => {
  it('is sent on reads, hot ones too, and on writes, lists and refusals, on request', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    const { key } = live
    for (const path of [`/v1/customers/${id}`, `/v1/customers/${id}`, '/v1/customers', '/v1/customers/cust_none']) {
      const { headers } = await call('GET', path, { key, headers: TIMING })
      expect([path, headers.get('server-timing')]).toEqual([path, expect.stringMatching(PARTS)])
    }
    const body = { name: 'Ada' }
    const written = await call('PUT', `/v1/customers/${id}`, {
      key,
      body,
      headers: { prefer: 'handling=strict, Server-Timing' },
    })
    expect(written.headers.get('server-timing')).toMatch(PARTS)
    const { headers } = await call('GET', `/customers/${id}`, { key, headers: TIMING })
    expect(headers.get('server-timing')).toMatch(PARTS)
  })

  it('has the time of a gate, a KV and a D1 that the answer waited for', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    await scheduler.wait(1_100)
    customersInMemory.clear()
    const slow = {
      ...env,
      GATE: { getByName: (name: string) => slowed(env.GATE.getByName(name), 80) },
      CACHE: slowed(env.CACHE, 40),
      DB: { withSession: (start: string) => slowed(env.DB.withSession(start), 20) },
    } as unknown as Cloudflare.Env
    const headers = { authorization: `Bearer ${live.key}`, ...TIMING }
    const request = requestTo(`/v1/customers/${id}`, { headers })
    const answer = await worker.fetch(request, slow, createExecutionContext())
    const parts = (answer.headers.get('server-timing') ?? '').split(', ').map((part) => part.split(';dur='))
    const { admit, gate, kv, d1, total } = Object.fromEntries(parts.map(([name, text]) => [name, Number(text)]))
    expect(answer.status).toBe(200)
    for (const [part, least] of [
      [gate, 80],
      [admit, 80],
      [kv, 40],
      [d1, 20],
      [total, 80],
    ]) {
      expect(part).toBeGreaterThanOrEqual((least ?? 0) - 2)
    }
  })

  it('has the total alone for a caller who is no tenant', async () => {
    const { headers } = await call('GET', '/healthz', { headers: TIMING })
    expect(headers.get('server-timing')).toMatch(/^total;dur=\d+$/)
    const stranger = await call('GET', '/v1/customers', { headers: TIMING })
    expect([stranger.status, stranger.headers.get('server-timing')]).toEqual([
      401,
      expect.stringMatching(/^total;dur=/),
    ])
  })

  it('is sent only on request', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    for (const headers of [{}, { prefer: 'handling=strict' }, { prefer: 'no-server-timing' }] as Record<
      string,
      string
    >[]) {
      const read = await call('GET', `/v1/customers/${id}`, { key: live.key, headers })
      expect(read.headers.has('server-timing')).toBe(false)
    }
  })
})

/** Returns the same object, with every promise of its methods delayed. */
function slowed<T extends object>(target: T, ms: number): T {
  return new Proxy(target, {
    get: (_, name) => {
      const member = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        const result = Reflect.apply(member, target, given)
        if (typeof result?.then === 'function') return scheduler.wait(ms).then(() => result)
        return typeof result === 'object' && result !== null ? slowed(result, ms) : result
      }
    },
  })
}
