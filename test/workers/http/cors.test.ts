/** A page of another origin reads answers only if the operator has listed the origin in CORS_ORIGINS. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import { call, newCustomer, newTenant, requestTo } from '../support/roster.ts'

const PAGE = 'https://dashboard.example'
const PREFLIGHT = {
  origin: PAGE,
  'access-control-request-method': 'PUT',
  'access-control-request-headers': 'x-api-key',
}

function send(origins: string, method: string, path: string, headers: Record<string, string>): Promise<Response> {
  const bindings = { ...env, CORS_ORIGINS: origins } as Cloudflare.Env
  const request = requestTo(path, { method, headers })
  return Promise.resolve(createApp(services).fetch(request, bindings, createExecutionContext()))
}

function corsHeaders(headers: Headers): string[] {
  return [...headers.keys()].filter((name) => name.startsWith('access-control-'))
}

describe('without CORS_ORIGINS', () => {
  it('sends no CORS header, and answers OPTIONS as a method that no path has', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    const read = await call('GET', `/v1/customers/${id}`, { key: live.key, headers: { origin: PAGE } })
    expect([read.status, corsHeaders(read.headers)]).toEqual([200, []])
    const preflight = await call('OPTIONS', `/v1/customers/${id}`, { key: live.key, headers: PREFLIGHT })
    expect([preflight.status, corsHeaders(preflight.headers)]).toEqual([405, []])
    const stranger = await call('OPTIONS', `/v1/customers/${id}`, { headers: PREFLIGHT })
    expect([stranger.status, corsHeaders(stranger.headers)]).toEqual([401, []])
  })
})

describe('with CORS_ORIGINS', () => {
  const origins = `https://other.example, ${PAGE}`

  it('lets a page of a listed origin send a preflight without a key, and cache the answer', async () => {
    const answer = await send(origins, 'OPTIONS', '/v1/customers/x', PREFLIGHT)
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(answer.headers.get('access-control-allow-methods')).toContain('PUT')
    expect(answer.headers.get('access-control-allow-headers')).toBe('x-api-key')
    expect(answer.headers.get('access-control-max-age')).toBe('7200')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  })

  it('lets it read answers, refusals too, and the headers that matter', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    const read = await send(origins, 'GET', `/v1/customers/${id}`, { origin: PAGE, 'x-api-key': live.key })
    expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([200, PAGE])
    expect(read.headers.get('access-control-expose-headers')).toContain('etag')
    expect(read.headers.get('etag')).toBe('"1"')
    const refused = await send(origins, 'GET', `/v1/customers/${id}`, { origin: PAGE })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, PAGE])
  })

  it('refuses a page of any other origin', async () => {
    for (const origin of ['https://evil.example', `${PAGE}.evil.example`, 'null']) {
      const answer = await send(origins, 'OPTIONS', '/v1/customers/x', { ...PREFLIGHT, origin })
      expect([origin, answer.headers.get('access-control-allow-origin')]).toEqual([origin, null])
    }
  })

  it('allows every origin with *', async () => {
    const answer = await send('*', 'GET', '/healthz', { origin: 'https://any.example' })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  })
})
