/** Hono alone, to compare with: one constant string by two routes, no key, no limit. */
import { Hono } from 'hono'

interface Env {
  /** The bytes that Roster returns. */
  BODY: string
}

const app = new Hono<{ Bindings: Env }>()

app.get('/v1/customers/:id', (c) => c.body(c.env.BODY, 200, { 'content-type': 'application/json' }))

/** With as many headers as Roster returns, in the cheapest way to make them. */
app.get(
  '/headers/:id',
  (c) =>
    new Response(c.env.BODY, {
      headers: {
        'x-request-id': crypto.randomUUID(),
        'ratelimit-policy': '"custom";q=1000000;w=10',
        ratelimit: '"custom";r=999999;t=1',
        'x-ratelimit-limit': '1000000',
        'x-ratelimit-remaining': '999999',
        'x-ratelimit-reset': '1',
        'cache-status': 'roster; hit; detail=memory',
        etag: '"1"',
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'strict-transport-security': 'max-age=31536000',
      },
    }),
)

export default app
