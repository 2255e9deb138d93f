/** Hono alone, to compare with: one route, one constant string, no key, no limit, no headers of ours. */
import { Hono } from 'hono'

interface Env {
  /** The bytes that Roster returns. */
  BODY: string
}

const app = new Hono<{ Bindings: Env }>()

app.get('/v1/customers/:id', (c) => c.body(c.env.BODY, 200, { 'content-type': 'application/json' }))

export default app
