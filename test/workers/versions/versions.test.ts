/**
 * This version of Roster reads the data of every version as it was meant, or ignores it, and never misreads it. The
 * data of each version is recorded in a file of its own, which stays when the next one is added.
 *
 * When the first test fails the shape of something has changed. Code of another version may meet it (during a deploy,
 * after a rollback, in KV for a week): give it a new number (src/gate/protocol/versions.ts says how, for messages to
 * gates), or make the new field optional to its readers. If the version in package.json is released, raise that, copy
 * the newest file for it and add it to the list below. Then record what is written now:
 * `npx vitest run -u --project 'workerd alone' test/workers/versions`.
 */
import { createExecutionContext, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { sign } from 'hono/jwt'
import { describe, expect, it } from 'vitest'
import { version } from '../../../package.json'
import { readMessage } from '../../../src/events/messages.ts'
import { bucketOf } from '../../../src/gate/core/freshness.ts'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import { readToken } from '../../../src/gate/isolate/consistency-token.ts'
import { admit } from '../../../src/gate/isolate/lease.ts'
import { absorb } from '../../../src/gate/isolate/lease-exchange.ts'
import { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
import { gateSql } from '../../../src/gate/object/gate-sql.ts'
import { PROTOCOL_VERSION } from '../../../src/gate/protocol/leases.ts'
import { pageCursor } from '../../../src/http/cursor.ts'
import worker from '../../../src/index.ts'
import { newId } from '../../../src/shared/ids.ts'
import { customerOfDocument, erasureOfDocument } from '../../../src/storage/customer-row.ts'
import { documentAfter, documentBefore } from '../../../src/storage/event-documents.ts'
import { kvCache } from '../../../src/storage/kv-cache.ts'
import { readKey } from '../../../src/tenants/key-format.ts'
import { identifyTenant } from '../../../src/tenants/principal.ts'
import { ADMIN_KEY, call, newTenant, requestTo, type TestTenant } from '../support/roster.ts'
import { changesOf, oneOfEach, shapeOf, shapesOf } from './shape.ts'
import v010 from './v0.1.0.json'
import { type Examples, writtenToday } from './written.ts'

/** The recorded data of each version, oldest first. */
const recorded = [{ name: '0.1.0', examples: v010 as Examples }]
/** The secret that vitest.config.ts sets, under which everything was recorded. */
const SECRETS = ['test-signing-secret-0123456789abcdef']
/** Cursors as they were before they were sealed: of customers, of tenants, of the audit. */
const UNSEALED_CURSORS = [
  { text: 'WyJuYW1lIGFzYyxpZCBhc2MiLDEsIiIsImN1c3RfMDFNOERNTUdES000SEdWSDVLRlRWMzNUQTUiXQ' },
  { text: 'MDFhMjFiNGEtNTJmOC03ZDU3LTkxOTMtNTliMDdhYTVmOTU5' },
  { text: 'ZXZ0XzAxTThETU1NUVJQUThSWkdQUERBVFZGWlA1' },
]

it('writes data of the shape that is recorded for this version', async () => {
  const today = oneOfEach(await writtenToday())
  const ours = recorded.find(({ name }) => name === version)?.examples ?? {}
  const changed = changesOf(shapesOf(ours), shapesOf(today))
  if (changed.length > 0) console.error(`The shape of something has changed, see the head of this file: ${changed}`)
  const text = JSON.stringify(changed.length === 0 ? ours : today, null, 2)
  await expect(`${text}\n`).toMatchFileSnapshot(`./v${version}.json`)
})

it('numbers data anew whose shape differs between two versions', () => {
  for (const [at, { examples }] of recorded.slice(1).entries()) {
    const before = recorded[at]?.examples ?? {}
    for (const [kind, all] of Object.entries(examples)) {
      const [old, now] = [before[kind], all].map((some) => some?.find((one) => typeof one.v === 'number')?.v)
      if (old === undefined || old !== now) continue
      expect(changesOf({ [kind]: shapeOf(before[kind] ?? []) }, { [kind]: shapeOf(all) })).toEqual([])
    }
  }
})

describe.each(recorded)('data of v$name', ({ examples }) => {
  const of = (kind: string) => examples[kind] ?? []
  const scope = { tenantId: String(of('api-keys')[0].tenantId), mode: 'live' } as const
  const otherVersion = { v: PROTOCOL_VERSION, kind: 'other_version', asked: PROTOCOL_VERSION + 1 }
  const newer = <T extends { v: number }>(example: T): T => ({ ...example, v: example.v + 1 })

  it('is read from KV under the keys it has there', async () => {
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

  it('is answered by a gate of today, as a lease request of an isolate; another version learns which one this is', async () => {
    const gate = await gateOfNewTenant()
    for (const request of of('lease-requests')) {
      expect(await gate.lease(request)).toMatchObject({ kind: 'lease', policy: { tier: 'enterprise' } })
      expect(await gate.lease(newer(request))).toEqual(otherVersion)
    }
  })

  it('is spent by an isolate of today, as a lease of a gate; another version grants nothing', () => {
    // Those that carry everything, as to an isolate without any data yet.
    const replies = of('lease-replies').filter(({ grant, freshness }) => grant && freshness.since === 0)
    expect(replies).not.toEqual([])
    for (const reply of replies) {
      const state = new LeaseState('isolate')
      absorb(state, reply, 1_000, 1_010, 0.5)
      expect(state.policy).toEqual(reply.policy)
      expect([admit(state, 1_020, null), state.view.seq]).toEqual(['admitted', reply.freshness.seq])
      const later = new LeaseState('isolate')
      absorb(later, newer(reply), 1_000, 1_010, 0.5)
      expect([later.policy, admit(later, 1_020, null)]).toEqual([null, 'unavailable'])
    }
  })

  it('is carried out by a gate of today, as a change of an isolate; another version is not', async () => {
    const gate = await gateOfNewTenant()
    const requests = of('write-requests').map((request) => ({ ...request, credential: null, caller: 'test' }))
    const kinds = ['create', 'update', 'upsert', 'archive', 'restore', 'erase']
    expect(new Set(requests.map(({ command }) => command.kind))).toEqual(new Set(kinds))
    for (const request of requests.filter(({ command }) => ['create', 'upsert'].includes(command.kind))) {
      const { parent: _, ...fields } = request.command.fields ?? {}
      const command = { ...request.command, id: newId('customer', Date.now()), fields }
      expect(await gate.write({ ...newer(request), command })).toEqual(otherVersion)
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

  it('is passed on to the caller, as a gate’s answer to a change; the caller of another version gets a retryable error', async () => {
    const tenant = await newTenant()
    for (const reply of of('write-replies')) {
      const response = await putTo(tenant, { write: async () => reply })
      if (reply.ok)
        expect(response).toMatchObject({
          status: 200,
          body: { id: reply.customer.id, external_id: reply.customer.externalId },
        })
      else expect([response.status, response.body.success]).toEqual([409, false])
      const unheard = await putTo(tenant, { write: async () => newer(reply) })
      expect([unheard.status, unheard.headers.get('retry-after')]).toEqual([503, '1'])
    }
  })

  it('is carried out by a gate of today, as an import of an isolate; another version is not', async () => {
    const gate = await gateOfNewTenant()
    const requests = of('import-requests').filter(({ lines }) => lines.length > 0)
    expect(requests).not.toEqual([])
    for (const request of requests.map((one) => ({ ...one, credential: null, caller: 'test' }))) {
      expect(await gate.importChunk(newer(request))).toEqual(otherVersion)
      const reply = await gate.importChunk(request)
      expect(reply).toMatchObject({
        ok: true,
        outcomes: [{ result: 'created' }, { failure: { reason: 'parent_not_found' } }],
      })
      const recordedReply = of('import-replies').find(({ outcomes }) => outcomes.length === 2)
      expect(changesOf({ replies: shapeOf([recordedReply]) }, { replies: shapeOf([reply]) })).toEqual([])
    }
  })

  it('is honoured as a consistency token; another version is refused as invalid', async () => {
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

  it('continues where it was as a cursor; another form is refused as invalid', async () => {
    const { live } = await newTenant()
    for (const { text, path, scope: owner, query, position } of of('cursors')) {
      expect((await pageCursor(SECRETS, { path, scope: owner, query }, text)).position).toBe(position)
      expect((await call('GET', `${path}?sort=name:asc&cursor=${text}`, { key: live.key })).status).toBe(400)
    }
    for (const { text } of UNSEALED_CURSORS) {
      const { status, body } = await call('GET', `/v1/customers?sort=name:asc&cursor=${text}`, { key: live.key })
      expect([status, body.details.errors[0].field]).toEqual([400, 'cursor'])
      const headers = { 'x-api-key': ADMIN_KEY }
      expect((await call('GET', `/admin/audit?cursor=${text}`, { headers })).status).toBe(400)
    }
  })

  it('is the same key as an API key; another form is invalid', async () => {
    const [{ text, tenantId, mode }] = of('api-keys')
    const [{ credential }] = of('login-tokens')
    expect(await readKey(text, SECRETS)).toEqual({ tenantId, mode, secretHash: credential })
    for (const other of [text.replace('sk_live_', 'sk2_live_'), text.replace('sk_live_', 'sk_test_'), `${text}0`]) {
      expect(await readKey(other, SECRETS)).toBeNull()
      expect((await call('GET', '/v1/customers', { key: other })).status).toBe(401)
    }
  })

  it('is the same caller as a login token; another form is invalid', async () => {
    const [claims] = of('login-tokens')
    const nowMs = Date.now()
    // The recorded token has expired, so its claims are signed again with times that are valid now.
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

  it('is understood in the queue; another version or kind is ignored', () => {
    for (const message of of('queue-messages')) {
      expect(readMessage(message)).toEqual(message)
      expect(readMessage(newer(message))).toBeNull()
      expect(readMessage({ ...message, kind: 'something new' })).toBeNull()
    }
  })

  it('starts a gate of today from its storage, and not as a new one', async () => {
    const gate = env.GATE.getByName(`${crypto.randomUUID()}:live`)
    const [policy] = of('gate-policy')
    const [state] = of('gate-state')
    const [loaded] = of('gate-loaded')
    await runInDurableObject(gate, (_, { storage }) => {
      insertRows(storage.sql, { policy, state, loaded }, of('gate-writes'))
      for (const { key_id, used_at } of of('gate-key-uses')) {
        storage.sql.exec('INSERT INTO key_uses (key_id, used_at) VALUES (?, ?)', key_id, used_at)
      }
      const core = new GateCore(gateSql(storage), () => 0.5, state.horizonMs - 1_000)
      const uses = of('gate-key-uses').map(({ key_id, used_at }) => [key_id, used_at])
      expect(core.usage(state.horizonMs - 1_000).keyUses).toEqual(Object.fromEntries(uses))
      expect(core.policy).toEqual(policy.policy)
      expect(core.loaded).toEqual(loaded)
      const { yearStart, count } = core.usage(state.horizonMs - 1_000)
      const uncounted = of('gate-writes').filter(({ seq }) => seq > state.annual.countedSeq)
      const sum = uncounted.reduce((total, { body }) => total + body.uncounted, 0)
      expect([yearStart, count]).toEqual([state.annual.yearStart, state.annual.count + sum])
      // Started before the stored horizon: it cannot grant what leases of the earlier start may still spend.
      const admission = core.admitWrite(
        policy.keys[0].secretHash,
        'customers:write',
        { sentAtMs: state.horizonMs - 1_000, isolate: 'isolate' },
        state.horizonMs - 1_000,
      )
      expect(admission).toMatchObject({ admitted: false, reason: 'rate_limited' })
      const seqs = of('gate-writes').map(({ seq }) => seq)
      expect(core.beginWrite({ tags: ['x'], deadlineMs: 0, tickets: [] }, 0).seq).toBe(Math.max(...seqs) + 1)
    })
  })

  it('names the same customers today as a list of changed customers', () => {
    for (const { tag, bucket } of of('buckets')) expect(bucketOf(tag)).toBe(bucket)
  })

  it('is read from events as the customer it was', () => {
    for (const event of of('event-documents')) {
      const { customerId: id, version: itsVersion, before, after } = event
      const document = documentAfter(event, after)
      const customer = customerOfDocument(scope, document)
      expect(Object.entries(customer).filter(([, value]) => value === undefined)).toEqual([])
      const createdAtMs = after.stamps.created_at ?? event.createdAtMs
      expect(customer).toMatchObject({ ...scope, id, externalId: after.external_id, version: itsVersion, createdAtMs })
      expect(erasureOfDocument(document)?.customerId).toBe(document.erased_rows && id)
      const earlier = documentBefore(event, event)
      expect(earlier && { id: earlier.id, version: earlier.version }).toEqual(before && { id, version: itsVersion - 1 })
    }
  })
})

it('keeps a gate running whose storage newer code has extended, and leaves the count of the extensions alone', async () => {
  const gate = await gateOfNewTenant()
  await runInDurableObject(gate, (_, { storage }) => {
    const { sql } = storage
    const before = gateSql(storage).load()
    sql.exec('UPDATE migrations SET count = 99')
    expect(gateSql(storage).load()).toEqual(before)
    expect(sql.exec('SELECT count FROM migrations').toArray()).toEqual([{ count: 99 }])
  })
})

/** Returns the live gate of a tenant, which has its policy. */
async function gateOfNewTenant() {
  const { tenantId, live } = await newTenant()
  await call('GET', '/v1/customers', { key: live.key })
  return env.GATE.getByName(`${tenantId}:live`)
}

/** Sends a PUT of a tenant whose gate gives these answers. */
async function putTo(tenant: TestTenant, gate: object) {
  const bindings = { ...env, ANALYTICS: undefined, GATE: { getByName: () => gate } } as unknown as Cloudflare.Env
  const headers = { authorization: `Bearer ${tenant.live.key}`, 'content-type': 'application/json' }
  const path = '/v1/customers/cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const request = requestTo(path, { method: 'PUT', headers, body: '{"name": "Ada"}' })
  const answer = await worker.fetch(request, bindings, createExecutionContext())
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}

function insertRows(sql: SqlStorage, singletons: Record<string, object>, writes: Examples[string]): void {
  for (const [name, body] of Object.entries(singletons)) {
    sql.exec('INSERT INTO singletons (name, body) VALUES (?, ?)', name, JSON.stringify(body))
  }
  for (const { seq, body } of writes) {
    sql.exec('INSERT INTO writes (seq, body) VALUES (?, ?)', seq, JSON.stringify(body))
  }
}

/** Signs a token as any holder of the signing secret can. */
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
