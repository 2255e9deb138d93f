/**
 * What a version of Roster wrote is read by this one as it was meant, or ignored; it is never misread. What each version
 * writes is recorded in a file of its own, which stays when the next one is added.
 *
 * When the first test fails the shape of something has changed. Code of another version may meet it (during a deploy, after a
 * rollback, in KV for a week): give it a new number, or make the new field optional to its readers. If the version in
 * package.json is released, raise that, copy the newest file for it and add it to the list below. Then record what is written
 * now: `npx vitest run -u --project workerd test/versions`.
 */
import { createExecutionContext, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { sign } from 'hono/jwt'
import { describe, expect, it } from 'vitest'
import { version } from '../../package.json'
import { identifyTenant } from '../../src/access/principal.ts'
import { readCursor } from '../../src/dialects/v1-customers/list-translate.ts'
import { readMessage } from '../../src/events/messages.ts'
import { readToken } from '../../src/gate/consistency-token.ts'
import { absorb, admit, EdgeState } from '../../src/gate/edge-lease.ts'
import { bucketOf } from '../../src/gate/freshness.ts'
import { GateCore } from '../../src/gate/gate-core.ts'
import { gateSql } from '../../src/gate/gate-sql.ts'
import type { TenantGate } from '../../src/gate/tenant-gate.ts'
import worker from '../../src/index.ts'
import { newId } from '../../src/shared/ids.ts'
import { customerOfDocument, erasureOfDocument } from '../../src/storage/customer-row.ts'
import { kvCache } from '../../src/storage/kv-cache.ts'
import { readKey } from '../../src/tenants/key-format.ts'
import { ADMIN_KEY, call, newTenant, ORIGIN, type TestTenant } from '../support/roster.ts'
import { changesOf, oneOfEach, shapeOf, shapesOf } from './shape.ts'
import v010 from './v0.1.0.json'
import { type Examples, writtenToday } from './written.ts'

/** What each version wrote, oldest first. */
const recorded = [{ name: '0.1.0', examples: v010 as Examples }]
/** The secret that vitest.config.ts sets, under which everything was recorded. */
const SECRETS = ['test-signing-secret-0123456789abcdef']

it('what is written has the shape that is recorded for this version', async () => {
  const today = oneOfEach(await writtenToday())
  const ours = recorded.find(({ name }) => name === version)?.examples ?? {}
  const changed = changesOf(shapesOf(ours), shapesOf(today))
  if (changed.length > 0) console.error(`The shape of something has changed, see the head of this file: ${changed}`)
  const text = JSON.stringify(changed.length === 0 ? ours : today, null, 2)
  await expect(`${text}\n`).toMatchFileSnapshot(`./v${version}.json`)
})

it('between two versions, what has another shape has another number', () => {
  for (const [at, { examples }] of recorded.slice(1).entries()) {
    const before = recorded[at]?.examples ?? {}
    for (const [kind, all] of Object.entries(examples)) {
      const [old, now] = [before[kind], all].map((some) => some?.find((one) => typeof one.v === 'number')?.v)
      if (old === undefined || old !== now) continue
      expect(changesOf({ [kind]: shapeOf(before[kind] ?? []) }, { [kind]: shapeOf(all) })).toEqual([])
    }
  }
})

describe.each(recorded)('what v$name wrote', ({ examples }) => {
  const of = (kind: string) => examples[kind] ?? []
  const scope = { tenantId: String(of('api-keys')[0].tenantId), mode: 'live' } as const
  const newer = <T extends { v: number }>(example: T): T => ({ ...example, v: example.v + 1 })

  it('into KV is read under the keys it has there', async () => {
    const kv = kvCache(env.CACHE, scope)
    expect(of('kv-customers').some(({ value }) => value === null)).toBe(true)
    for (const { key, ...stored } of of('kv-customers')) {
      const id = key.split(':').at(-1)
      await env.CACHE.put(key, JSON.stringify(stored))
      expect(await kv.customer(id)).toEqual({ asof: stored.asof, value: stored.value })
      await env.CACHE.put(key, JSON.stringify(newer(stored)))
      expect(await kv.customer(id)).toBeNull()
      const { v: _, ...unversioned } = stored
      await env.CACHE.put(key, JSON.stringify(unversioned))
      expect(await kv.customer(id)).toBeNull()
    }
    for (const { key, ...stored } of of('kv-external-ids')) {
      await env.CACHE.put(key, JSON.stringify(stored))
      expect(await kv.customerId('child')).toBe(stored.id)
      await env.CACHE.put(key, JSON.stringify(newer(stored)))
      expect(await kv.customerId('child')).toBeNull()
    }
  })

  it('as an isolate, asking for a lease, is answered by a gate of today; another version is told to come again', async () => {
    const gate = await gateOfNewTenant()
    for (const request of of('lease-requests')) {
      expect(await gate.lease(request)).toMatchObject({ kind: 'lease', policy: { tier: 'enterprise' } })
      expect(await gate.lease(newer(request))).toMatchObject({ kind: 'busy' })
    }
  })

  it('as a gate, granting a lease, is spent by an isolate of today; another version grants nothing', () => {
    // Those that say everything, as to an isolate that knows nothing yet.
    const replies = of('lease-replies').filter(({ grant, freshness }) => grant && freshness.since === 0)
    expect(replies).not.toEqual([])
    for (const reply of replies) {
      const state = new EdgeState('isolate')
      absorb(state, reply, 1_000, 1_010, 0.5)
      expect(state.policy).toEqual(reply.policy)
      expect([admit(state, 1_020, null), state.view.seq]).toEqual(['admitted', reply.freshness.seq])
      const later = new EdgeState('isolate')
      absorb(later, newer(reply), 1_000, 1_010, 0.5)
      expect([later.policy, admit(later, 1_020, null)]).toEqual([null, 'unavailable'])
    }
  })

  it('as an isolate, changing a customer, is done by a gate of today; another version is not', async () => {
    const gate = await gateOfNewTenant()
    const requests = of('write-requests').map((request) => ({ ...request, credential: null, caller: 'test' }))
    const kinds = ['create', 'update', 'upsert', 'archive', 'restore', 'erase']
    expect(new Set(requests.map(({ command }) => command.kind))).toEqual(new Set(kinds))
    for (const request of requests.filter(({ command }) => ['create', 'upsert'].includes(command.kind))) {
      const { parent: _, ...fields } = request.command.fields ?? {}
      const command = { ...request.command, id: newId('customer', Date.now()), fields }
      await refuses(gate, (instance) => instance.write({ ...newer(request), command }))
      expect(await gate.write({ ...request, command })).toMatchObject({ ok: true, effect: 'created' })
      // Each example is a customer of its own, so that the next is not refused for its external id.
      await gate.write({
        ...request,
        command: { kind: 'archive', target: { id: command.id }, ifVersion: null },
        idempotency: null,
      })
    }
    const [archive] = requests.filter(({ command }) => command.kind === 'archive')
    expect(await gate.write(archive)).toMatchObject({ ok: false, failure: { reason: 'not_found' } })
  })

  it('as a gate, answering a change, is told to the caller; of another version the caller learns nothing, and may send again', async () => {
    const tenant = await newTenant()
    for (const reply of of('write-replies')) {
      const told = await putTo(tenant, { write: async () => reply })
      if (reply.ok)
        expect(told).toMatchObject({
          status: 200,
          body: { id: reply.customer.id, external_id: reply.customer.externalId },
        })
      else expect([told.status, told.body.success]).toEqual([409, false])
      const unheard = await putTo(tenant, { write: async () => newer(reply) })
      expect([unheard.status, unheard.headers.get('retry-after')]).toEqual([503, '1'])
    }
  })

  it('as an isolate, importing, is done by a gate of today; another version is not', async () => {
    const gate = await gateOfNewTenant()
    const requests = of('import-requests').filter(({ lines }) => lines.length > 0)
    expect(requests).not.toEqual([])
    for (const request of requests.map((one) => ({ ...one, credential: null, caller: 'test' }))) {
      await refuses(gate, (instance) => instance.importChunk(newer(request)))
      const reply = await gate.importChunk(request)
      expect(reply).toMatchObject({
        ok: true,
        outcomes: [{ result: 'created' }, { failure: { reason: 'parent_not_found' } }],
      })
      const recordedReply = of('import-replies').find(({ outcomes }) => outcomes.length === 2)
      expect(changesOf({ replies: shapeOf([recordedReply]) }, { replies: shapeOf([reply]) })).toEqual([])
    }
  })

  it('as a consistency token is honoured; another version is refused as none', async () => {
    for (const { text, body } of of('consistency-tokens')) {
      const [, seq, bookmark] = body.split('.')
      expect(await readToken(text, scope, SECRETS)).toEqual({ seq: Number(seq), bookmark })
      const { tenantId, live } = await newTenant()
      for (const [version, status] of [
        [1, 200],
        [2, 400],
      ]) {
        const token = await signedToken(`${version}.${seq}.${bookmark}`, tenantId)
        const headers = { 'consistency-token': token }
        expect([version, (await call('GET', '/v1/customers', { key: live.key, headers })).status]).toEqual([
          version,
          status,
        ])
      }
    }
  })

  it('as a cursor goes on where it was; another form is refused as none', async () => {
    const { live } = await newTenant()
    for (const { text, order, seen, position } of of('cursors-v1')) {
      expect(readCursor(text, [{ field: 'name', direction: 'asc' }])).toEqual({ seen, position })
      const path = '/v1/customers?limit=1&sort=name:asc&cursor='
      expect((await call('GET', path + text, { key: live.key })).status).toBe(200)
      const parts = [order, seen, ...position]
      for (const other of [{ v: 2, after: parts }, [2, ...parts], [...parts, 'more'], parts.slice(0, -1)]) {
        expect((await call('GET', path + base64Url(JSON.stringify(other)), { key: live.key })).status).toBe(400)
      }
    }
    for (const [kind, path] of [
      ['tenants', '/admin/customers'],
      ['audit', '/admin/audit'],
    ]) {
      for (const { text, after } of of(`cursors-${kind}`)) {
        const headers = { 'x-api-key': ADMIN_KEY }
        expect((await call('GET', `${path}?cursor=${text}`, { headers })).status).toBe(200)
        const other = base64Url(`2.${after}`)
        expect((await call('GET', `${path}?cursor=${other}`, { headers })).status).toBe(400)
      }
    }
  })

  it('as an API key is the same key; another form is none', async () => {
    const [{ text, tenantId, mode }] = of('api-keys')
    const [{ credential }] = of('login-tokens')
    expect(await readKey(text, SECRETS)).toEqual({ tenantId, mode, secretHash: credential })
    for (const other of [text.replace('sk_live_', 'sk2_live_'), text.replace('sk_live_', 'sk_test_'), `${text}0`]) {
      expect(await readKey(other, SECRETS)).toBeNull()
      expect((await call('GET', '/v1/customers', { key: other })).status).toBe(401)
    }
  })

  it('as a login token is the same caller; another form is none', async () => {
    const [claims] = of('login-tokens')
    const nowMs = Date.now()
    // As long as it lives: the recorded one is over.
    const alive = { ...claims, iat: Math.floor(nowMs / 1000) - 60, exp: Math.floor(nowMs / 1000) + 60 }
    const principal = await identifyTenant(await sign(alive, SECRETS[0] as string, 'HS256'), SECRETS, nowMs)
    const { sub: tenantId, mode, credential } = claims
    expect(principal).toEqual({ tenantId, mode, credential, expiresAtMs: alive.exp * 1000 })
    const others = [
      { aud: 'roster-login-2' },
      { sub: undefined },
      { mode: 'sandbox' },
      { credential: 1 },
      { exp: undefined },
    ]
    for (const other of others) {
      const token = await sign({ ...alive, ...other }, SECRETS[0] as string, 'HS256')
      expect(await identifyTenant(token, SECRETS, nowMs)).toBeNull()
      expect((await call('GET', '/customers', { key: token })).status).toBe(403)
    }
  })

  it('into the queue is understood; another version or kind is ignored', () => {
    for (const message of of('queue-messages')) {
      expect(readMessage(message)).toEqual(message)
      expect(readMessage(newer(message))).toBeNull()
      expect(readMessage({ ...message, kind: 'something new' })).toBeNull()
    }
  })

  it('into a gate’s storage is what a gate of today starts from, and not as a new one', async () => {
    const gate = env.GATE.getByName(`${crypto.randomUUID()}:live`)
    const [policy] = of('gate-policy')
    const [state] = of('gate-state')
    await runInDurableObject(gate, (_, { storage }) => {
      insertRows(storage.sql, { policy, state }, of('gate-writes'))
      const core = new GateCore(gateSql(storage), () => 0.5, state.horizonMs - 1_000)
      expect(core.policy).toEqual(policy.policy)
      const { yearStart, count } = core.usage(state.horizonMs - 1_000)
      const uncounted = of('gate-writes').filter(({ seq }) => seq > state.annual.countedSeq)
      const sum = uncounted.reduce((total, { body }) => total + body.uncounted, 0)
      expect([yearStart, count]).toEqual([state.annual.yearStart, state.annual.count + sum])
      // Started before the stored horizon: what leases of the start before may still spend is not there to be granted.
      const admission = core.admitWrite(policy.keys[0].secretHash, 'customers:write', state.horizonMs - 1_000)
      expect(admission).toMatchObject({ admitted: false, reason: 'rate_limited' })
      const seqs = of('gate-writes').map(({ seq }) => seq)
      expect(core.beginWrite({ tags: ['x'], changeId: 'evt_1', deadlineMs: 0, tickets: [] }, 0).seq).toBe(
        Math.max(...seqs) + 1,
      )
    })
  })

  it('about which customers changed means the same customers today', () => {
    for (const { tag, bucket } of of('buckets')) expect(bucketOf(tag)).toBe(bucket)
  })

  it('into events is read as the customer it was', () => {
    for (const document of of('event-documents')) {
      const customer = customerOfDocument(scope, document)
      expect(Object.entries(customer).filter(([, value]) => value === undefined)).toEqual([])
      const { id, external_id: externalId, version: itsVersion, stamps } = document
      expect(customer).toMatchObject({ ...scope, id, externalId, version: itsVersion, createdAtMs: stamps.created_at })
      expect(erasureOfDocument(document)?.customerId).toBe(document.erased_rows && id)
    }
  })
})

it('a gate whose storage newer code has extended goes on, and leaves the count of the extensions alone', async () => {
  const gate = await gateOfNewTenant()
  await runInDurableObject(gate, (_, { storage }) => {
    const { sql } = storage
    const before = gateSql(storage).load()
    sql.exec('UPDATE migrations SET count = 99')
    expect(gateSql(storage).load()).toEqual(before)
    expect(sql.exec('SELECT count FROM migrations').toArray()).toEqual([{ count: 99 }])
  })
})

/** Inside the object, because an error that leaves it fails the run. */
function refuses(gate: DurableObjectStub<TenantGate>, ask: (instance: TenantGate) => Promise<unknown>): Promise<void> {
  return runInDurableObject(gate, async (instance) => {
    await expect(ask(instance)).rejects.toThrow('a message of version 2 of the protocol, and this is version 1')
  })
}

/** The live gate of a tenant, which has its policy. */
async function gateOfNewTenant() {
  const { tenantId, live } = await newTenant()
  await call('GET', '/v1/customers', { key: live.key })
  return env.GATE.getByName(`${tenantId}:live`)
}

/** A PUT of a tenant whose gate answers as it is told. */
async function putTo(tenant: TestTenant, gate: object) {
  const bindings = { ...env, ANALYTICS: undefined, GATE: { getByName: () => gate } } as unknown as Cloudflare.Env
  const headers = { authorization: `Bearer ${tenant.live.key}`, 'content-type': 'application/json' }
  const path = '/v1/customers/cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const request = new Request(ORIGIN + path, { method: 'PUT', headers, body: '{"name": "Ada"}' })
  const answer = await worker.fetch(request, bindings, createExecutionContext())
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}

function insertRows(sql: SqlStorage, singletons: Record<string, object>, writes: Examples[string]): void {
  for (const [name, body] of Object.entries(singletons)) {
    sql.exec('INSERT INTO singletons (name, body) VALUES (?, ?)', name, JSON.stringify(body))
  }
  for (const { seq, state, bookmark, body } of writes) {
    sql.exec(
      'INSERT INTO writes (seq, state, bookmark, body) VALUES (?, ?, ?, ?)',
      seq,
      state,
      bookmark,
      JSON.stringify(body),
    )
  }
}

/** As whoever has the signing secret signs a token. */
async function signedToken(body: string, tenantId: string): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', bytes(SECRETS[0] as string), algorithm, false, ['sign'])
  const tag = await crypto.subtle.sign('HMAC', key, bytes(`roster consistency ${tenantId} live\n${body}`))
  return `${base64Url(body)}.${base64Url(String.fromCharCode(...new Uint8Array(tag, 0, 12)))}`
}

function base64Url(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}
