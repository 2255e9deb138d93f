/**
 * Runs the example of a bound Worker: a second Worker in workerd, bound by the props of its wrangler.toml to the entrypoint of a
 * first. test/workers/apis/rpc tests the calls themselves.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unstable_readConfig as readConfig } from 'wrangler'
import { Client } from '../isolates/client.ts'
import { bundle, type Cluster, startCluster } from '../support/cluster.ts'

const { services = [], compatibility_date: compatibilityDate } = readConfig({
  config: 'examples/bound-worker/wrangler.toml',
})
const [service] = services
const props = service?.props as { tenantId: string; mode: string; scopes: string[]; caller: string }

let cluster: Cluster
let client: Client
let origin: URL
let wrong: URL

beforeAll(async () => {
  const script = await bundle('examples/bound-worker/src/index.ts')
  const worker = (name: string, bound: object) => ({
    name,
    modules: true as const,
    script,
    compatibilityDate: compatibilityDate ?? '',
    serviceBindings: {
      ROSTER: { name: 'edge-1', entrypoint: service?.entrypoint ?? '', props: { ...props, ...bound } },
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  })
  cluster = await startCluster({
    edges: 1,
    others: [worker('bound-worker', {}), worker('wrong', { tenantId: 'acme', scope: 'all' })],
  })
  client = new Client(cluster)
  origin = await cluster.urlOf('bound-worker')
  wrong = await cluster.urlOf('wrong')
  await makeTenant(props.tenantId)
})

afterAll(() => cluster.dispose())

/** Makes a tenant with the id of the props. An operator would put the id of the tenant into the props instead. */
async function makeTenant(id: string) {
  const { tenantId } = await client.newTenant({ tier: 'enterprise' })
  const db = await cluster.miniflare.getD1Database('DB', 'home')
  const { results } = await db.prepare('SELECT name FROM pragma_table_info(?)').bind('tenants').all()
  const others = (results as { name: string }[]).map(({ name }) => name).filter((name) => name !== 'id')
  await db
    .prepare(`INSERT INTO tenants (id, ${others}) SELECT ?, ${others} FROM tenants WHERE id = ?`)
    .bind(id, tenantId)
    .run()
}

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const answer = await fetch(new URL(path, origin), { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const token = answer.headers.get('consistency-token') ?? ''
  const text = await answer.text()
  return { status: answer.status, token, body: text.startsWith('{') ? JSON.parse(text) : text }
}

describe('the bound Worker of the example', () => {
  it('is bound to the entrypoint by its wrangler.toml', () => {
    expect(service).toMatchObject({ binding: 'ROSTER', service: 'roster', entrypoint: 'Customers' })
    expect(props).toMatchObject({ mode: 'live', caller: 'bound-worker' })
  })

  it('makes one customer for a user without any key, and reads it back', async () => {
    const user = { name: 'Ada', email: 'ada@example.com' }
    const made = await ask('PUT', '/users/ada', user)
    expect(made).toMatchObject({
      status: 201,
      body: { externalId: 'ada', ...user, tenantId: props.tenantId, createdBy: 'bound-worker' },
    })
    expect(await ask('PUT', '/users/ada', { name: 'Other' })).toMatchObject({ status: 200, body: made.body })
    const read = await ask('GET', '/users/ada', undefined, { 'consistency-token': made.token })
    expect([read.status, read.body]).toEqual([200, made.body])
  })

  it('loses no note of a user that is set at the same time', async () => {
    await ask('PUT', '/users/grace', {})
    const names = ['plan', 'seats', 'region', 'owner', 'source']
    const noted = await Promise.all(names.map((name) => ask('PUT', `/users/grace/notes/${name}`, { name })))
    expect(noted.map(({ status }) => status)).toEqual(names.map(() => 200))
    const last = noted.toSorted((a, b) => a.body.version - b.body.version).at(-1)?.body
    expect(last.metadata).toEqual(Object.fromEntries(names.map((name) => [name, JSON.stringify({ name })])))
  })

  it('receives failures as data, and returns to its own callers what they may see', async () => {
    expect(await ask('GET', '/users/nobody')).toMatchObject({ status: 404, body: { reason: 'not_found' } })
    const wrongEmail = await ask('PUT', '/users/linus', { email: 'wrong' })
    expect(wrongEmail).toMatchObject({ status: 400, body: { reason: 'invalid_input' } })
    expect(wrongEmail.body.message).toContain('email is not a valid e-mail address')
  })

  it('is refused from the moment that its tenant is suspended, and served again afterwards', async () => {
    await ask('PUT', '/users/edsger', {})
    await client.admin('PUT', `/${props.tenantId}`, { status: 'suspended' })
    for (const answer of [await ask('GET', '/users/edsger'), await ask('PUT', '/users/niklaus', {})]) {
      expect(answer).toMatchObject({ status: 500, body: { reason: 'tenant_suspended' } })
    }
    await client.admin('PUT', `/${props.tenantId}`, { status: 'active' })
    expect((await ask('GET', '/users/edsger')).status).toBe(200)
  })

  it('throws if its props are wrong', async () => {
    const answer = await fetch(new URL('/users/ada', wrong))
    expect(answer.status).toBe(500)
  })
})
