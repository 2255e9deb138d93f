/**
 * The attacker of `npm run bench:neighbour`, in a thread of its own, so that the work of sending an attack does not delay the
 * clock of its neighbour. It has two tenants: one without endpoints, and one whose endpoints never answer.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ATTACKS, type Attacker } from './neighbour-attacks.ts'
import { adminOf, newTenant, sender } from './neighbour-tenants.ts'

export interface AttackerOptions {
  origin: string
  customers: number
}

/** One attack, for so long. */
export interface Order {
  attack: string
  durationMs: number
}

/** How often each status was answered. */
export type Statuses = Record<number, number>

/** Requests that are under way at once. */
const CLIENTS = 4
const ENDPOINTS = 5
/** The wait after a refusal: a client that does not wait at all measures itself. */
const REFUSED_WAIT_MS = 5

const { origin, customers } = workerData as AttackerOptions
const attackers = { plain: await prepare([]), deliveries: await prepare(['customer.updated']) }
parentPort?.on('message', ({ attack, durationMs }: Order) => {
  attackFor(attack, durationMs).then((statuses) => parentPort?.postMessage(statuses))
})
parentPort?.postMessage('ready')

async function attackFor(name: string, durationMs: number): Promise<Statuses> {
  const attack = ATTACKS[name]
  if (!attack) throw new Error(`there is no attack ${name}`)
  const untilMs = performance.now() + durationMs
  const statuses: Statuses = {}
  let sent = 0
  const client = async () => {
    while (performance.now() < untilMs) {
      const answer = await attack.send(attackers[attack.by ?? 'plain'], sent++)
      await answer.arrayBuffer()
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
      if (answer.status === 429) await new Promise((resolve) => setTimeout(resolve, REFUSED_WAIT_MS))
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return statuses
}

/** Makes a tenant with its customers, and endpoints for these types of events at a port where nothing listens. */
async function prepare(events: string[]): Promise<Attacker> {
  const { tenantId, key } = await newTenant(origin, 'scale')
  const send = sender(origin, key)
  const upload: Attacker['upload'] = (path, text, type = 'application/x-ndjson') =>
    fetch(new URL(path, origin), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': type },
      body: text,
    })
  const endpoints: string[] = []
  for (let at = 0; at < (events.length > 0 ? ENDPOINTS : 0); at++) {
    const made = await send('POST', '/v1/webhooks/endpoints', { url: `http://127.0.0.1:9/${at}`, event_types: events })
    if (!made.ok) throw new Error(`the endpoint was not made: ${await made.text()}`)
    endpoints.push(((await made.json()) as { id: string }).id)
  }
  const lines = Array.from({ length: customers }, (_, at) => ({
    external_id: `user_${at}`,
    name: `Customer ${at}`,
    email: `user_${at}@example.com`,
    metadata: Object.fromEntries(Array.from({ length: 20 }, (_, pair) => [`k${pair}`, 'v'])),
    ...(at >= customers / 2 && { parent_customer_external_id: 'user_0' }),
  }))
  const answer = await upload('/v1/customers/import', lines.map((line) => JSON.stringify(line)).join('\n'))
  const results = (await answer.text()).trimEnd().split('\n')
  const ids = results.map((line) => (JSON.parse(line) as { id: string }).id)
  const admin = adminOf(origin)
  const { key: revoked, key_id: keyId } = await admin('POST', `/${tenantId}/keys`, {})
  await admin('DELETE', `/${tenantId}/keys/${keyId}`)
  return { send, upload, ids, endpoints, revoked: String(revoked) }
}
