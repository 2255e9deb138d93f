/**
 * The data that today's code writes where another version of it may read: one run through the APIs, with a record of
 * everything that passes on the way to a gate and to KV, and of the stored data afterwards.
 */
import { createExecutionContext, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { decode } from 'hono/jwt'
import { deliverMessage, onboardMessage } from '../../../src/events/messages.ts'
import { bucketOf } from '../../../src/gate/core/freshness.ts'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import { pageCursor } from '../../../src/http/cursor.ts'
import worker from '../../../src/index.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { DOCUMENT_COLUMNS } from '../../../src/storage/event-documents.ts'
import { events as eventRows } from '../../../src/storage/schema/tables.ts'
import { ADMIN_KEY, requestTo } from '../support/roster.ts'

/** Examples by their kind. */
// biome-ignore lint/suspicious/noExplicitAny: data of many shapes, which is what the tests are about
export type Examples = Record<string, any[]>

const PAUSE_MS = 1_050
/** The signing secret that vitest.config.ts sets. */
const SECRET = 'test-signing-secret-0123456789abcdef'

export async function writtenToday(): Promise<Examples> {
  const examples: Examples = {}
  const note = (kind: string, example: unknown) => {
    examples[kind] = [...(examples[kind] ?? []), structuredClone(example)]
  }
  const send = sender(note)
  const admin = { 'x-api-key': ADMIN_KEY }
  const company = { company_name: 'Acme', contact_email: 'ops@example.com', tier: 'scale' }
  const { customer_id: tenantId } = await send('POST', '/admin/customers', admin, company)
  const { key } = await send('POST', `/admin/customers/${tenantId}/keys`, admin, { name: 'billing' })
  const bearer = { authorization: `Bearer ${key}` }
  note('api-keys', { text: key, tenantId, mode: 'live' })

  const address = { address_line1: 'a', address_line2: 'b', address_city: 'c', address_state: 'd' }
  const parent = await send('POST', '/v1/customers', bearer, { external_id: 'parent' })
  const whole = {
    external_id: 'child',
    name: 'Ada',
    email: 'ada@example.com',
    contact: '+49',
    ...address,
    address_postal_code: 'e',
    address_country: 'DE',
    timezone: 'Europe/Berlin',
    metadata: { plan: 'pro' },
    parent_customer_id: parent.id,
    integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }],
  }
  const keyed = { ...bearer, 'idempotency-key': 'once', 'x-reason': 'ticket' }
  const { id } = await send('POST', '/v1/customers', keyed, whole)
  await send('POST', '/v1/customers', bearer, { external_id: 'child' })
  await send('PUT', `/v1/customers/${id}`, bearer, { name: 'Ada Lovelace' })
  await send('PATCH', `/v1/customers/${id}`, bearer, { metadata: { plan: null } })
  await send('PUT', '/v1/customers/external/new', bearer, { name: 'New' })
  await send(
    'POST',
    '/v1/customers/import',
    { ...bearer, 'content-type': 'application/x-ndjson' },
    '{"external_id": "line"}\n{"external_id": "child", "parent_customer_external_id": "nobody"}\n',
  )
  const { id: gone } = await send('POST', '/v1/customers', bearer, { external_id: 'gone' })
  await send('GET', `/v1/customers/${gone}`, bearer)
  await send('DELETE', `/v1/customers/${gone}`, bearer)
  await send('POST', `/v1/customers/${gone}/restore`, bearer)
  await scheduler.wait(PAUSE_MS)
  customersInMemory.clear()
  for (const read of [id, gone]) await send('GET', `/v1/customers/${read}`, bearer)
  await send('GET', '/v1/customers/external/child', bearer)
  // An erased customer that is still in KV is answered with a tombstone.
  await send('POST', `/v1/customers/${gone}/erase`, bearer)
  await env.CACHE.put(`c:${tenantId}:live:${gone}`, JSON.stringify({ v: 1, asof: 1, value: { id: gone } }))
  await scheduler.wait(PAUSE_MS)
  customersInMemory.clear()
  await send('GET', `/v1/customers/${gone}`, bearer)
  await send('GET', `/v1/customers/${id}`, { authorization: `Bearer ${key}` })

  const list = { path: '/v1/customers', scope: `${tenantId} live` }
  const { pagination } = await send('GET', `${list.path}?limit=1&sort=name:asc`, bearer)
  const query = { limit: 50, sort: [{ field: 'name', direction: 'asc' }] }
  const { position } = await pageCursor([SECRET], { ...list, query }, pagination.next_cursor)
  note('cursors', { text: pagination.next_cursor, ...list, query, position })
  const login = await send('GET', '/login', { authorization: `Basic ${btoa(`${tenantId}:${key}`)}` })
  note('login-tokens', decode(login.bearer_token).payload)

  const scope = { tenantId, mode: 'live' } as const
  note('queue-messages', deliverMessage(scope, 'we_1', id))
  note('queue-messages', onboardMessage(scope, id))

  // A change of the policy makes the gate store what it knows of the isolate, however little time has passed.
  await send('PUT', `/admin/customers/${tenantId}`, admin, { tier: 'enterprise' })
  const rows = await runInDurableObject(env.GATE.getByName(`${tenantId}:live`), (_, { storage: { sql } }) => ({
    singletons: sql.exec<{ name: string; body: string }>('SELECT name, body FROM singletons').toArray(),
    writes: sql.exec('SELECT seq, body FROM writes ORDER BY seq').toArray(),
    keyUses: sql.exec('SELECT key_id, used_at FROM key_uses').toArray(),
  }))
  for (const tag of ['list', id, parent.id]) note('buckets', { tag, bucket: bucketOf(tag) })
  for (const { name, body } of rows.singletons) note(`gate-${name}`, JSON.parse(body))
  for (const row of rows.writes) note('gate-writes', { ...row, body: JSON.parse(String(row.body)) })
  for (const row of rows.keyUses) note('gate-key-uses', row)
  const events = await openDatabase(env.DB)
    .select({ ...DOCUMENT_COLUMNS, before: eventRows.before, after: eventRows.after })
    .from(eventRows)
    .where(eq(eventRows.tenantId, tenantId))
  for (const event of events) note('event-documents', event)
  return examples
}

/** Sends requests through the APIs, and records what passes on the way to the gate and to KV. */
function sender(note: (kind: string, example: unknown) => void) {
  const recorded =
    <Input, Output>(kind: string, send: (input: Input) => Promise<Output>) =>
    async (input: Input): Promise<Output> => {
      note(`${kind}-requests`, input)
      const answer = await send(input)
      note(`${kind}-replies`, answer)
      return answer
    }
  const bindings = {
    ...env,
    ANALYTICS: undefined,
    GATE: {
      getByName(name: string) {
        const gate = env.GATE.getByName(name)
        return {
          lease: recorded('lease', async (input: Parameters<typeof gate.lease>[0]) => gate.lease(input)),
          write: recorded('write', async (input: Parameters<typeof gate.write>[0]) => gate.write(input)),
          importChunk: recorded('import', async (input: Parameters<typeof gate.importChunk>[0]) =>
            gate.importChunk(input),
          ),
          reload: (sentAtMs: number) => gate.reload(sentAtMs),
        }
      },
    },
    CACHE: {
      get: (key: string) => env.CACHE.get(key, 'json'),
      delete: (key: string) => env.CACHE.delete(key),
      async put(key: string, value: string, options: KVNamespacePutOptions) {
        note(key.startsWith('c:') ? 'kv-customers' : 'kv-external-ids', { key, ...JSON.parse(value) })
        await env.CACHE.put(key, value, options)
      },
    },
  } as unknown as Cloudflare.Env

  return async function send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
    // biome-ignore lint/suspicious/noExplicitAny: whatever JSON an answer holds
  ): Promise<any> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const request = requestTo(path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: text }),
    })
    const answer = await worker.fetch(request, bindings, createExecutionContext())
    const answered = await answer.text()
    const token = answer.headers.get('consistency-token')
    if (token !== null) note('consistency-tokens', { text: token, body: fromBase64(token.split('.')[0] ?? '') })
    return answered.startsWith('{') && !answered.includes('}\n{') ? JSON.parse(answered) : answered
  }
}

function fromBase64(text: string): string {
  return atob(text.replaceAll('-', '+').replaceAll('_', '/'))
}
