/**
 * Tests onboarding from end to end: Roster served by workerd with its own queue and engine, several isolates, real
 * time, and a tenant's system on loopback. `test/workers/onboarding` tests the single steps.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { bearer, Client, pause } from './client.ts'

const CUSTOMERS = 10
/** Ends a wait that hangs. */
const SETTLED_MS = 120_000

interface Received {
  id: string
  headers: Record<string, string>
  text: string
}

let cluster: Cluster
let client: Client
let system: Server
let url: string
const received: Received[] = []

beforeAll(async () => {
  cluster = await startCluster({ edges: 2 })
  client = new Client(cluster)
  system = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const headers = request.headers as Record<string, string>
    const id = headers['webhook-id'] ?? ''
    received.push({ id, headers, text })
    const isFirst = received.filter((one) => one.id === id).length === 1
    // Every other customer's system is away at first.
    if (isFirst && received.length % 2 === 0) return response.writeHead(503).end()
    const { data } = JSON.parse(text)
    const result = {
      metadata: { billing: 'ready' },
      integration_entity_mapping: [{ provider: 'billing', id: data.customer.id }],
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(result))
  })
  await new Promise<void>((resolve) => system.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(system.address() as AddressInfo).port}/`
})
afterAll(async () => {
  system.closeAllConnections()
  system.close()
  await cluster.dispose()
})

it('onboards every new customer once, through failures, by signals that come to any isolate', async () => {
  const tenant = await client.newTenant({ tier: 'enterprise' })
  const send = (edge: number, method: string, path: string, body?: object) =>
    client.send(edge, method, path, bearer(tenant.key), body)
  const steps = [
    { type: 'set_metadata', metadata: { plan: 'trial' } },
    { type: 'webhook', url },
    { type: 'wait', seconds: 1 },
    { type: 'wait_for', signal: 'signed', timeout_seconds: 3_600 },
  ]
  const { body: settings } = await send(0, 'PUT', '/v1/settings/customer_onboarding', {
    workflows: { default: { steps } },
  })
  const ids = await Promise.all(Array.from({ length: CUSTOMERS }, (_, at) => client.newCustomer(tenant, `ob_${at}`)))
  const signals = await Promise.all(
    ids.map((id, at) => send(at % 2, 'POST', `/v1/customers/${id}/onboarding/signal`, { signal: 'signed' })),
  )
  expect(signals.map(({ status }) => status)).toEqual(ids.map(() => 202))
  const deadline = Date.now() + SETTLED_MS
  for (const [at, id] of ids.entries()) {
    for (;;) {
      const { body } = await send(at % 2, 'GET', `/v1/customers/${id}/onboarding`)
      if (body.status === 'completed') break
      if (Date.now() > deadline) throw new Error(`an onboarding does not end: ${JSON.stringify(body)}`)
      await pause(200)
    }
    const { body: customer } = await send(at % 2, 'GET', `/v1/customers/${id}?expand=integrations`)
    expect(customer.metadata).toEqual({ plan: 'trial', billing: 'ready' })
    expect(customer.integrations).toMatchObject([{ provider: 'billing', id }])
    const { body: events } = await send(at % 2, 'GET', `/v1/customers/${id}/events`)
    expect(events.items.map(({ type }: { type: string }) => type).toReversed()).toEqual([
      'customer.created',
      'customer.updated',
      'customer.updated',
      'customer.onboarding.completed',
    ])
  }
  const webhook = new Webhook(settings.secret)
  for (const { headers, text } of received) expect(webhook.verify(text, headers)).toEqual(JSON.parse(text))
  expect(new Set(received.map(({ id }) => id)).size).toBe(CUSTOMERS)
  expect(new Set(received.map(({ text }) => text)).size).toBe(CUSTOMERS)
  expect(received.length).toBeGreaterThan(CUSTOMERS)
})
