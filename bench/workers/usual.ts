/**
 * The design of most guides, to compare with: the API key in KV, a Durable Object that checks the limit of every
 * request, the customer in KV. It is no part of Roster.
 */
import { DurableObject } from 'cloudflare:workers'
import { Hono } from 'hono'

interface Env {
  CACHE: KVNamespace
  LIMITER: DurableObjectNamespace<Limiter>
}

/** A token bucket in memory: one call for each request. */
export class Limiter extends DurableObject<Env> {
  #tokens = 0
  #atMs = 0

  take(ratePerSecond: number, burst: number): { ok: boolean; remaining: number } {
    const nowMs = Date.now()
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * ratePerSecond)
    this.#atMs = nowMs
    const ok = this.#tokens >= 1
    if (ok) this.#tokens -= 1
    return { ok, remaining: Math.floor(this.#tokens) }
  }
}

const app = new Hono<{ Bindings: Env }>()

app.get('/v1/customers/:id', async (c) => {
  const key = c.req.header('authorization')?.slice('Bearer '.length) ?? ''
  const tenant = await c.env.CACHE.get<{ id: string; ratePerSecond: number; burst: number }>(`key:${key}`, 'json')
  if (!tenant) return c.json({ error: 'unauthorized' }, 401)
  const { ok, remaining } = await c.env.LIMITER.getByName(tenant.id).take(tenant.ratePerSecond, tenant.burst)
  const limits = { 'x-ratelimit-limit': String(tenant.burst), 'x-ratelimit-remaining': String(remaining) }
  if (!ok) return c.json({ error: 'too many requests' }, 429, limits)
  const customer = await c.env.CACHE.get(`customer:${tenant.id}:${c.req.param('id')}`)
  if (!customer) return c.json({ error: 'not found' }, 404, limits)
  return c.body(customer, 200, { 'content-type': 'application/json', ...limits })
})

export default app
