/**
 * Runs the alerts Worker of the example as the tail consumer of a real Roster in workerd: the log lines of failures
 * arrive at a webhook, once.
 */
import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { unstable_readConfig as readConfig } from 'wrangler'
import type { Seen } from '../../../examples/alerts/src/decide.ts'
import { bundle, CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../support/cluster.ts'
import { Client, pause } from './client.ts'

const NAME = 'roster-alerts'
/** Ends a wait that hangs. */
const ARRIVED_MS = 120_000

let cluster: Cluster
let client: Client
let server: Server
let statusCode = 200
const posted: string[] = []

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    posted.push(JSON.parse(body).text)
    response.writeHead(statusCode).end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { compatibility_date: compatibilityDate, durable_objects: objects } = readConfig({
    config: 'examples/alerts/wrangler.toml',
  })
  const classes = objects.bindings as { name: string; class_name: string }[]
  const alerts = {
    name: NAME,
    modules: true as const,
    script: await bundle('examples/alerts/src/index.ts'),
    compatibilityDate: compatibilityDate ?? '',
    durableObjects: Object.fromEntries(
      classes.map(({ name, class_name: className }) => [name, { className, useSQLite: true }]),
    ),
    bindings: {
      // Waits for no cron longer than a test does.
      SWEEP_MISSING_MINUTES: 0.01,
      ALERT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    },
  }
  cluster = await startCluster({ edges: 1, others: [alerts], tails: [NAME] })
  client = new Client(cluster)
})

afterAll(async () => {
  server.close()
  await cluster.dispose()
})

async function storage() {
  return await cluster.miniflare.unsafeGetDurableObjectStorage(NAME, 'Alerts', { name: 'roster' })
}

/** Returns the alerts Worker's state of an event, once it meets the condition. */
async function remembered(event: string, isSo: (seen: Seen) => boolean): Promise<Seen> {
  const deadline = Date.now() + ARRIVED_MS
  for (;;) {
    const [row] = await (await storage()).exec<{ seen: string }>('SELECT seen FROM seen WHERE event = ?', event)
    const seen = row && (JSON.parse(row.seen) as Seen)
    if (seen && isSo(seen)) return seen
    if (Date.now() > deadline) throw new Error(`${event}: ${row?.seen}`)
    await pause(20)
  }
}

/** Ends the time in which the event is not posted again. */
async function endQuiet(event: string): Promise<void> {
  const of = await storage()
  await of.exec(`UPDATE seen SET seen = json_set(seen, '$.quietUntilMs', 0) WHERE event = ?`, event)
}

async function arrived(text: RegExp): Promise<string> {
  const deadline = Date.now() + ARRIVED_MS
  for (;;) {
    const found = posted.find((each) => text.test(each))
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(`${text} is not among ${JSON.stringify(posted)}`)
    await pause(20)
  }
}

/** Makes an admin request while a table is missing, which Roster reports as a bug. */
async function fail(): Promise<void> {
  const db = await cluster.miniflare.getD1Database('DB', 'home')
  await db.prepare('ALTER TABLE admin_audit RENAME TO away').run()
  const answer = await fetch(new URL('/admin/audit', cluster.edges[0]), { headers: { 'x-api-key': CLUSTER_ADMIN_KEY } })
  await db.prepare('ALTER TABLE away RENAME TO admin_audit').run()
  expect(answer.status).toBe(500)
}

it('posts a failure with what to do, once, however often it comes', async () => {
  await fail()
  const text = await arrived(/^error failed, 1 line:/)
  expect(text).toContain('To do: report it')
  expect(text).toMatch(/requestId=\S+/)
  await fail()
  await fail()
  await remembered('failed', ({ waiting }) => waiting === 2)
  expect(posted.filter((each) => each.includes('failed'))).toHaveLength(1)
})

it('posts an alert that the webhook refused again with the next line', async () => {
  statusCode = 500
  await endQuiet('failed')
  await fail()
  await remembered('failed', ({ waiting, quietUntilMs }) => waiting === 3 && quietUntilMs > 0)
  statusCode = 200
  posted.length = 0
  await endQuiet('failed')
  await fail()
  await arrived(/^error failed, 4 lines:/)
})

it('posts that the cron has not run since', async () => {
  const home = (await cluster.miniflare.getWorker('home')) as unknown as {
    scheduled(options: { cron: string }): Promise<unknown>
  }
  await home.scheduled({ cron: '* * * * *' })
  expect(await arrived(/sweep_missing/)).toContain('cron')
})

it('posts nothing about other lines', async () => {
  const tenant = await client.newTenant({ tier: 'starter' })
  await client.newCustomer(tenant, 'quiet')
  expect((await client.send(0, 'GET', '/v1/customers', { authorization: 'Bearer wrong' })).status).toBe(401)
  // When this line has arrived, those before it have too.
  await endQuiet('failed')
  posted.length = 0
  await fail()
  await arrived(/failed/)
  expect(posted).toHaveLength(1)
  const rows = await (await storage()).exec<{ event: string }>('SELECT event FROM seen')
  expect(rows.map(({ event }) => event).filter((event) => !['failed', 'refused'].includes(event))).toEqual([])
})

it('is a Worker that wrangler would deploy', async () => {
  const args = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '-c', 'examples/alerts/wrangler.toml', '--dry-run']
  const child = spawn(process.execPath, args, { env: { ...process.env, CI: '1' } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(code, output).toBe(0)
  expect(output).toMatch(/env\.ALERTS \(Alerts\)/)
})
