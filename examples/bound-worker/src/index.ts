/**
 * A small billing Worker: it keeps a customer in Roster for every user of its own, and needs no key, no HTTP and no
 * client library for it. Shows three things: failures are data, a read can show a write that was just made, and changes
 * can name a version.
 */
import { Hono } from 'hono'

/** The result of a call, as TypeScript infers it from the binding. */
type Answer = Awaited<ReturnType<Env['ROSTER']['get']>>
type Failure = Extract<Answer, { ok: false }>['failure']

interface User {
  email?: string | null
  name?: string | null
}

const ATTEMPTS_MAX = 20
const ATTEMPT_EVERY_MS = 100

const app = new Hono<{ Bindings: Env }>()

/** Signs a user up. There is one customer for the user, however often this is called. */
app.put('/users/:user', async (c) => {
  const { email = null, name = null } = await c.req.json<User>()
  const answer = await c.env.ROSTER.getOrCreate({ externalId: c.req.param('user'), email, name })
  if (!answer.ok) return refuse(answer.failure)
  // The caller sends the token back with its next read, wherever in the world that is served, and sees this write.
  return Response.json(answer.customer, {
    status: answer.created ? 201 : 200,
    headers: { 'consistency-token': answer.consistencyToken },
  })
})

app.get('/users/:user', async (c) => {
  const consistencyToken = c.req.header('consistency-token')
  const options = consistencyToken === undefined ? {} : { consistencyToken }
  const answer = await c.env.ROSTER.getByExternalId(c.req.param('user'), options)
  return answer.ok ? Response.json(answer.customer) : refuse(answer.failure)
})

/** Sets one note of a user, and keeps its other notes, also those that another request sets at the same time. */
app.put('/users/:user/notes/:name', async (c) => {
  const { user, name } = c.req.param()
  const note = await c.req.text()
  for (let attempt = 1; ; attempt++) {
    const found = await c.env.ROSTER.getByExternalId(user)
    if (!found.ok) return refuse(found.failure)
    const { id, version, metadata } = found.customer
    const changes = { metadata: { ...metadata, [name]: note } }
    const changed = await c.env.ROSTER.update(id, changes, { ifVersion: version, reason: `noted ${name}` })
    if (changed.ok) return Response.json(changed.customer)
    // Another request was faster: read again. A read may be up to a second old, so this goes on for longer than that.
    if (changed.failure.reason !== 'version_conflict' || attempt === ATTEMPTS_MAX) return refuse(changed.failure)
    await scheduler.wait(ATTEMPT_EVERY_MS)
  }
})

export default app

const STATUSES: { [Reason in Failure['reason']]?: number } = {
  invalid_input: 400,
  not_found: 404,
  version_conflict: 409,
  rate_limited: 429,
  unavailable: 503,
}

/** Returns the response to a failure, with the parts of it that this Worker's own callers may see. */
function refuse(failure: Failure): Response {
  const headers: HeadersInit =
    'retryAfterMs' in failure ? { 'retry-after': String(Math.ceil(failure.retryAfterMs / 1000)) } : {}
  const { reason, message } = failure
  return Response.json({ reason, message }, { status: STATUSES[reason] ?? 500, headers })
}
