/**
 * A change of operators is in force on return in every isolate, also for those that have let the operator in a moment before: a
 * demotion, a removal, a revoked key and a sign-out.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../support/cluster.ts'

const EDGES = 3
let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ edges: EDGES, databases: 3, quiet: true })
})

afterAll(() => cluster.dispose())

type Headers = Record<string, string>
const OWNER: Headers = { 'x-api-key': CLUSTER_ADMIN_KEY }

let addresses = 0
/** Wrong keys are counted by address, and a revoked key is one. */
const anAddress = () => ({ 'cf-connecting-ip': `10.6.${addresses >> 8}.${addresses++ & 255}` })

async function send(edge: number, method: string, path: string, headers: Headers = OWNER, body?: object) {
  const init = { method, headers: { ...anAddress(), ...headers, ...(body && { 'content-type': 'application/json' }) } }
  const answer = await fetch(new URL(path, cluster.edges[edge]), {
    ...init,
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
}

async function newOperator(role: string) {
  const email = `${crypto.randomUUID()}@example.com`
  const { body } = await send(0, 'POST', '/admin/operators', OWNER, { name: 'Ada', email, role })
  const path = `/admin/operators/${body.operator_id}`
  const made = await send(0, 'POST', `${path}/keys`)
  const key: Headers = { 'x-api-key': made.body.key }
  const started = await send(1, 'POST', '/admin/session', key)
  const session: Headers = {
    cookie: started.headers.get('set-cookie')?.split(';')[0] ?? '',
    'roster-console': '1',
  }
  return { path, keyPath: `${path}/keys/${made.body.key_id}`, credentials: { key, session } }
}

/** Returns the statuses of requests that every isolate gets with each credential, at once. */
function everywhere(credentials: Headers[], path = '/admin/operators?limit=1'): Promise<number[]> {
  const edges = Array.from({ length: EDGES }, (_, edge) => edge)
  const sent = edges.flatMap((edge) => credentials.map((headers) => send(edge, 'GET', path, headers)))
  return Promise.all(sent.map(async (one) => (await one).status))
}

type Operator = Awaited<ReturnType<typeof newOperator>>
const CHANGES: [
  name: string,
  make: (operator: Operator) => Promise<{ status: number }>,
  statuses: [key: number, session: number],
][] = [
  ['a demotion', ({ path }) => send(2, 'PATCH', path, OWNER, { role: 'viewer' }), [403, 403]],
  ['a removal', ({ path }) => send(2, 'DELETE', path), [401, 401]],
  ['a revoked key, with the sessions that were made with it', ({ keyPath }) => send(2, 'DELETE', keyPath), [401, 401]],
  ['a sign-out', ({ credentials }) => send(2, 'DELETE', '/admin/session', credentials.session), [200, 401]],
]

describe('in force on return, in every isolate', () => {
  it.each(CHANGES)('is %s', async (_name, change, [ofKey, ofSession]) => {
    // Somebody has to stay an owner.
    await newOperator('owner')
    for (let round = 0; round < 3; round++) {
      const operator = await newOperator('owner')
      const { key, session } = operator.credentials
      expect(new Set(await everywhere([key, session]))).toEqual(new Set([200]))
      // Goes on all the while. Whatever begins after the answer is refused.
      let isAnswered = false
      const late: number[] = []
      const traffic = Array.from({ length: EDGES }, async (_, edge) => {
        for (let at = 0; at < 100 && late.length < 10 * EDGES; at++) {
          const isLate = isAnswered
          const { status } = await send(edge, 'GET', '/admin/operators?limit=1', session)
          if (isLate) late.push(status)
        }
      })
      expect((await change(operator)).status).toBeLessThan(300)
      isAnswered = true
      expect(new Set(await everywhere([key]))).toEqual(new Set([ofKey]))
      expect(new Set(await everywhere([session]))).toEqual(new Set([ofSession]))
      await Promise.all(traffic)
      expect(new Set(late)).toEqual(new Set([ofSession]))
    }
  })
})
