/** What Hono costs by itself: one route, one ready string, no key, no limit, no headers of ours. */
import { Hono } from 'hono'

interface Env {
  /** The very bytes that Roster answers. */
  BODY: string
}

const app = new Hono<{ Bindings: Env }>()

app.get('/v1/customers/:id', (c) => c.body(c.env.BODY, 200, { 'content-type': 'application/json' }))

export default app
