/**
 * Tests webhooks from end to end: Roster served by workerd with its own queue, and a receiver on loopback that verifies
 * each request with the library that receivers use. Tests over hours are in `test/workers/events`, where the test sets
 * the time.
 */
import { spawn } from 'node:child_process'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { bearer, Client, pause, type Tenant } from './client.ts'

const HOME = 'home'
/** Ends a wait that hangs. */
const SETTLED_MS = 120_000

interface Received {
  id: string
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read JSON of any shape
  body: any
}

/** A receiver that answers each request as the test says. */
class Receiver {
  readonly received: Received[] = []
  answer: (response: ServerResponse, request: Received, nth: number) => void = (response) => response.end('ok')
  readonly #server: Server

  constructor() {
    this.#server = createServer(async (request, response) => {
      let text = ''
      for await (const chunk of request) text += chunk
      const body = text === '' ? null : JSON.parse(text)
      const received = { id: String(request.headers['webhook-id']), headers: request.headers, text, body }
      this.received.push(received)
      this.answer(response, received, this.received.filter(({ id }) => id === received.id).length)
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async until(count: number): Promise<Received[]> {
    const deadline = Date.now() + SETTLED_MS
    while (this.received.length < count && Date.now() < deadline) await pause(50)
    expect(this.received.length).toBeGreaterThanOrEqual(count)
    return this.received
  }
}

let cluster: Cluster
let client: Client
let tenant: Tenant
let receiver: Receiver
let url: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
})
afterAll(() => cluster.dispose())

beforeEach(async () => {
  tenant = await client.newTenant({ tier: 'enterprise' })
  receiver = new Receiver()
  url = await receiver.listen()
})
afterEach(() => receiver.close())

function send(method: string, path: string, body?: object) {
  return client.send(0, method, `/v1/webhooks/endpoints${path}`, bearer(tenant.key), body)
}

async function newEndpoint(fields: object = {}): Promise<{ id: string; secret: string }> {
  const { status, body } = await send('POST', '', { url, ...fields })
  expect(status).toBe(201)
  return body
}

function verified(secret: string, { text, headers }: Received) {
  return new Webhook(secret).verify(text, headers as Record<string, string>)
}

async function freePort(): Promise<number> {
  const taken = new Receiver()
  const { port } = new URL(await taken.listen())
  taken.close()
  return Number(port)
}

/** Runs the sweep, as the cron does. */
async function sweep(): Promise<void> {
  const home = (await cluster.miniflare.getWorker(HOME)) as unknown as {
    scheduled(options: { cron: string }): Promise<unknown>
  }
  await home.scheduled({ cron: '* * * * *' })
}

/** Returns the deliveries of an endpoint once `isSo` is true of them. */
async function deliveries(id: string, isSo: (items: { status: string; attempts: object[] }[]) => boolean) {
  const deadline = Date.now() + SETTLED_MS
  for (;;) {
    const { body } = await send('GET', `/${id}/deliveries`)
    if (isSo(body.items)) return body.items
    if (Date.now() > deadline) throw new Error(`the deliveries do not settle: ${JSON.stringify(body.items)}`)
    await pause(100)
  }
}

const allDelivered = (items: { status: string }[]) => items.length > 0 && items.every((d) => d.status === 'delivered')

describe('an endpoint', () => {
  it('receives each change at once, with a signature that the library verifies, in both shapes', async () => {
    const { id, secret } = await newEndpoint()
    const customerId = await client.newCustomer(tenant, 'wh_1')
    await client.rename(0, tenant, customerId, 'Acme')
    const [created, updated] = await receiver.until(2)
    for (const received of [created, updated] as Received[]) {
      expect(verified(secret, received)).toEqual(received.body)
      expect(received.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Roster-Webhooks/1' })
      expect(received.body).toMatchObject({ id: received.id, event_type: received.body.type })
      expect(received.body.customer).toEqual(received.body.data.customer)
    }
    expect(created?.body).toMatchObject({ type: 'customer.created', data: { version: 1, actor: tenant.keyId } })
    expect(updated?.body).toMatchObject({ type: 'customer.updated', customer: { id: customerId, name: 'Acme' } })
    const items = await deliveries(id, (all) => all.length === 2 && allDelivered(all))
    expect(items.map((item: { event_id: string }) => item.event_id)).toEqual([updated?.id, created?.id])
    expect(items[0].attempts).toEqual([expect.objectContaining({ number: 1, status_code: 200, answer: 'ok' })])
  })

  it('receives only the types it wants, and nothing while it is disabled', async () => {
    const { id } = await newEndpoint({ event_types: ['customer.archived'] })
    const customerId = await client.newCustomer(tenant, 'wh_2')
    await client.send(0, 'DELETE', `/v1/customers/${customerId}`, bearer(tenant.key))
    const [archived] = await receiver.until(1)
    expect(archived?.body.type).toBe('customer.archived')
    await send('PATCH', `/${id}`, { enabled: false })
    const other = await client.newCustomer(tenant, 'wh_3')
    await client.send(0, 'DELETE', `/v1/customers/${other}`, bearer(tenant.key))
    await pause(500)
    expect(receiver.received).toHaveLength(1)
  })

  it('receives the same event again after it failed, and the next one only when that is done', async () => {
    receiver.answer = (response, { body }, nth) => {
      response.statusCode = body.type === 'customer.created' && nth === 1 ? 500 : 200
      response.end('done')
    }
    const { id, secret } = await newEndpoint()
    const customerId = await client.newCustomer(tenant, 'wh_4')
    await client.rename(0, tenant, customerId, 'Acme')
    const [first, again, updated] = await receiver.until(3)
    expect(again?.id).toBe(first?.id)
    expect(again?.text).toBe(first?.text)
    expect(verified(secret, again as Received)).toEqual(first?.body)
    expect(updated?.body.type).toBe('customer.updated')
    const [, created] = await deliveries(id, (all) => all.length === 2 && allDelivered(all))
    expect(created.attempts.map((a: { status_code: number }) => a.status_code)).toEqual([500, 200])
  })

  it('receives the event again after Cloudflare answered in its place, and the attempt says so', async () => {
    const made = { server: 'cloudflare', 'cf-ray': '8f1c2d3e4f5a6b7c-FRA' }
    receiver.answer = (response, _, nth) => {
      if (nth === 1) response.writeHead(522, made).end('error code: 522')
      // A challenge may have the status of a success.
      else if (nth === 2) response.writeHead(202, { ...made, 'cf-mitigated': 'challenge' }).end('Just a moment...')
      else response.end('ok')
    }
    const { id } = await newEndpoint()
    await client.newCustomer(tenant, 'wh_cf')
    await receiver.until(2)
    const [{ status, attempts }] = await deliveries(id, ([item]) => item?.attempts.length === 2)
    expect(status).toBe('pending')
    expect(attempts).toMatchObject([
      { status_code: 522, error: 'connection_failed', answer: 'error code: 522' },
      { status_code: 202, error: 'refused_by_cloudflare', answer: 'Just a moment...' },
    ])
    const { body } = await send('POST', `/${id}/test`)
    expect(body).toMatchObject({ delivered: false, status_code: 522, error: 'connection_failed' })
  })

  it('fails when it redirects: no redirect is followed', async () => {
    const elsewhere = new Receiver()
    const location = await elsewhere.listen()
    receiver.answer = (response) => response.writeHead(302, { location }).end()
    const { id } = await newEndpoint()
    await client.newCustomer(tenant, 'wh_5')
    const [item] = await deliveries(id, ([first]) => (first?.attempts.length ?? 0) > 0)
    expect(item).toMatchObject({
      status: 'pending',
      attempts: [{ status_code: 302, error: 'redirect_not_followed' }],
    })
    expect(elsewhere.received).toEqual([])
    elsewhere.close()
  })

  it('fails after 15 seconds when it hangs, and holds up no other', async () => {
    receiver.answer = () => {}
    const { id } = await newEndpoint()
    const quick = new Receiver()
    await newEndpoint({ url: await quick.listen() })
    await client.newCustomer(tenant, 'wh_6')
    await quick.until(1)
    const [item] = await deliveries(id, ([first]) => (first?.attempts.length ?? 0) > 0)
    expect(item.attempts[0]).toMatchObject({ status_code: null, error: 'timeout', answer: null })
    expect(item.attempts[0].duration_ms).toBeGreaterThanOrEqual(15_000)
    quick.close()
  })

  it('is disabled when it answers 410, with an event for the others', async () => {
    receiver.answer = (response) => response.writeHead(410).end('gone')
    const other = new Receiver()
    await newEndpoint({ url: await other.listen(), event_types: ['webhook.endpoint.disabled'] })
    const { id } = await newEndpoint()
    await client.newCustomer(tenant, 'wh_7')
    const [notified] = await other.until(1)
    expect(notified?.body).toMatchObject({
      type: 'webhook.endpoint.disabled',
      customer: null,
      data: { actor: 'roster', detail: { endpoint_id: id, reason: 'gone' } },
    })
    const { body } = await send('GET', `/${id}`)
    expect(body).toMatchObject({ enabled: false, status: 'disabled', disabled_reason: 'gone' })
    await client.newCustomer(tenant, 'wh_8')
    await pause(500)
    expect(receiver.received).toHaveLength(1)
    other.close()
  })

  it('is left alone as long as its 429 requests', async () => {
    receiver.answer = (response) => response.writeHead(429, { 'retry-after': '3600' }).end()
    const { id } = await newEndpoint()
    await client.newCustomer(tenant, 'wh_9')
    const [item] = await deliveries(id, ([first]) => (first?.attempts.length ?? 0) > 0)
    const [{ at, duration_ms: durationMs }] = item.attempts
    const waitMs = Date.parse(item.next_attempt_at) - Date.parse(at) - durationMs
    // An hour, and not the first of the usual delays, however long a busy machine takes between the two times.
    expect(Math.round(waitMs / 3_600_000)).toBe(1)
  })

  it('receives both signatures after a rotation, and then that of the new secret alone', async () => {
    const { id, secret } = await newEndpoint()
    const { body: renewed } = await send('POST', `/${id}/rotate`, { overlap_seconds: 3600 })
    await client.newCustomer(tenant, 'wh_10')
    const [both] = await receiver.until(1)
    for (const each of [secret, renewed.secret]) expect(verified(each, both as Received)).toEqual(both?.body)
    const { body: last } = await send('POST', `/${id}/rotate`, { overlap_seconds: 0 })
    await client.newCustomer(tenant, 'wh_11')
    const [, one] = await receiver.until(2)
    expect(verified(last.secret, one as Received)).toEqual(one?.body)
    for (const each of [secret, renewed.secret]) expect(() => verified(each, one as Received)).toThrow(/signature/)
  })

  it('receives a sample on request, which is stored nowhere', async () => {
    const { id, secret } = await newEndpoint()
    receiver.answer = (response) => response.writeHead(503).end('x'.repeat(10_000))
    const { status, body } = await send('POST', `/${id}/test`, { type: 'customer.created' })
    expect([status, body]).toEqual([
      200,
      {
        ...{ event_id: receiver.received[0]?.id, delivered: false, status_code: 503, error: null },
        ...{ duration_ms: expect.any(Number), answer: 'x'.repeat(500) },
      },
    ])
    expect(verified(secret, receiver.received[0] as Received)).toMatchObject({ type: 'customer.created' })
    expect((await send('GET', `/${id}/deliveries`)).body.items).toEqual([])
  })

  it('receives missed events on request: one, all that failed, or all since a time', async () => {
    const { id } = await newEndpoint()
    const customerId = await client.newCustomer(tenant, 'wh_12')
    const [created] = await receiver.until(1)
    await deliveries(id, allDelivered)
    await send('PATCH', `/${id}`, { enabled: false })
    await client.rename(0, tenant, customerId, 'Missed')
    expect((await send('POST', `/${id}/redeliver`, { failed: true })).body.details).toEqual({
      reason: 'endpoint_disabled',
    })
    await send('PATCH', `/${id}`, { enabled: true })

    const one = await send('POST', `/${id}/redeliver`, { event_id: created?.id })
    expect([one.status, one.body]).toEqual([202, { redelivered: 1, retried: 0, next_cursor: null, has_more: false }])
    const [, again] = await receiver.until(2)
    expect(again?.id).toBe(created?.id)
    await deliveries(id, allDelivered)

    expect((await send('POST', `/${id}/redeliver`, { failed: true })).body.redelivered).toBe(0)
    const since = await send('POST', `/${id}/redeliver`, { since: '2026-01-01T00:00:00Z' })
    expect(since.body).toEqual({ redelivered: 2, retried: 0, next_cursor: null, has_more: false })
    const all = await receiver.until(4)
    expect(all.slice(2).map(({ body }) => [body.type, body.data.version])).toEqual([
      ['customer.created', 1],
      ['customer.updated', 2],
    ])
  })
})

it('sends every event to every endpoint, those of a customer in order, while receivers fail now and then', async () => {
  const [customers, changes] = [8, 5]
  const receivers = [receiver, new Receiver()]
  for (const [at, each] of receivers.entries()) {
    // One event in six fails the first time, a different one at each endpoint.
    each.answer = (response, { id }, nth) => {
      response.statusCode = nth === 1 && (id.charCodeAt(id.length - 1) + at) % 6 === 0 ? 503 : 200
      response.end()
    }
    await newEndpoint(at === 0 ? {} : { url: await each.listen() })
  }
  const ids = await Promise.all(Array.from({ length: customers }, (_, at) => client.newCustomer(tenant, `all_${at}`)))
  for (let change = 1; change < changes; change++) {
    await Promise.all(ids.map((id) => client.rename(0, tenant, id, `Name ${change}`)))
  }
  const versions = Array.from({ length: changes }, (_, at) => at + 1)
  const versionsAt = ({ received }: Receiver, customerId: string) =>
    received.filter(({ body }) => body.customer.id === customerId).map(({ body }) => body.data.version)
  const isThrough = (each: Receiver) => ids.every((id) => versionsAt(each, id).includes(changes))
  const deadline = Date.now() + SETTLED_MS
  while (!receivers.every(isThrough) && Date.now() < deadline) await pause(100)
  for (const each of receivers) {
    for (const id of ids) {
      const seen = versionsAt(each, id)
      // Only an event that failed is sent again.
      expect(seen.filter((version, at) => version !== seen[at - 1])).toEqual(versions)
    }
    expect(each.received.length).toBeGreaterThan(customers * changes)
  }
  receivers[1]?.close()
})

describe('a consumer', () => {
  it('loses nothing when it is killed in the middle of a batch: each event arrives, perhaps twice', async () => {
    const underWay: ServerResponse[] = []
    receiver.answer = (response) => underWay.push(response)
    const since = new Date().toISOString()
    // The clock of a Worker stands still between I/O, so it is a little behind the one here.
    await pause(1_000)
    const customerIds: string[] = []
    for (let nth = 0; nth < 5; nth++) customerIds.push(await client.newCustomer(tenant, `killed_${nth}`))
    await client.rename(0, tenant, customerIds[0] ?? '', 'Acme')
    const { id, secret } = await newEndpoint()
    // Sent in one batch of messages, so that several are under way before the endpoint is known to fail.
    expect((await send('POST', `/${id}/redeliver`, { since })).body.redelivered).toBe(6)
    await receiver.until(3)
    await cluster.restart()

    receiver.answer = (response) => response.end('ok')
    const before = receiver.received.length
    const db = await cluster.miniflare.getD1Database('DB', HOME)
    const unfinished = await db
      .prepare(
        `SELECT count(*) AS count FROM webhook_deliveries d
         WHERE endpoint_id = ? AND claims > (SELECT count(*) FROM webhook_attempts WHERE delivery_id = d.id)`,
      )
      .bind(id)
      .first<{ count: number }>()
    expect(unfinished?.count).toBeGreaterThan(1)
    // A minute later, when the claims of the dead consumer are due again.
    await db
      .prepare(
        `UPDATE webhook_deliveries SET next_attempt_at = next_attempt_at - 120000
         WHERE endpoint_id = ? AND status = 'pending' AND next_attempt_at < 8640000000000000`,
      )
      .bind(id)
      .run()
    await sweep()
    await deliveries(id, (all) => all.length === 6 && allDelivered(all))
    const after = receiver.received.slice(before)
    const versionsOf = (customerId: string) =>
      after.filter(({ body }) => body.customer.id === customerId).map(({ body }) => body.data.version)
    expect(customerIds.map(versionsOf)).toEqual([[1, 2], [1], [1], [1], [1]])
    for (const received of after) expect(verified(secret, received)).toEqual(received.body)
    // Events that arrived before the kill arrive again with the id they had.
    const ids = new Set(after.map((received) => received.id))
    for (const received of receiver.received.slice(0, before)) expect(ids).toContain(received.id)
  })
})

describe('examples/webhook-receiver.mjs', () => {
  it('accepts what Roster sends, and nothing else', async () => {
    const port = await freePort()
    const { id, secret } = await newEndpoint({ url: `http://127.0.0.1:${port}/` })
    const child = spawn(process.execPath, ['examples/webhook-receiver.mjs'], {
      env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let output = ''
      child.stdout.on('data', (data) => (output += data))
      let sample = await send('POST', `/${id}/test`)
      const deadline = Date.now() + SETTLED_MS
      while (!sample.body.delivered && Date.now() < deadline) {
        await pause(100)
        sample = await send('POST', `/${id}/test`)
      }
      expect(sample.body).toMatchObject({ delivered: true, status_code: 204 })
      expect(output).toContain(`${sample.body.event_id} customer.updated`)
      const forged = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        body: '{}',
        headers: { 'webhook-id': 'x' },
      })
      expect(forged.status).toBe(400)
    } finally {
      child.kill()
    }
  })
})

describe('the queue', () => {
  it('may lose every message: the sweep finds the work that is left', async () => {
    const { id } = await newEndpoint()
    const customerId = await client.newCustomer(tenant, 'wh_13')
    await deliveries(id, allDelivered)
    // Makes the delivery look as if its message got lost a while ago.
    const db = await cluster.miniflare.getD1Database('DB', HOME)
    await db
      .prepare(
        `UPDATE webhook_deliveries SET status = 'pending', finished_at = NULL, next_attempt_at = 1 WHERE customer_id = ?`,
      )
      .bind(customerId)
      .run()
    await sweep()
    const [first, again] = await receiver.until(2)
    expect(again?.id).toBe(first?.id)
  })
})
