/**
 * Merging two customers: what the survivor gets, that every id of the source leads to it in every API as soon as the merge
 * is answered, and what is refused. And taking a merge back.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { UNMERGE_TTL_MS } from '../../../src/registry/unmerge.ts'
import { sweepErasures } from '../../../src/storage/customers/erasures.ts'
import { sweepMerges } from '../../../src/storage/customers/merge-retention.ts'
import { bound } from '../apis/drivers.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { type Called, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'

const MISSING = 'cust_01JD0000000000000000000000'

function at({ live }: TestTenant) {
  return (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(method, path, { key: live.key, headers, ...(body !== undefined && { body }) })
}

function merge(
  tenant: TestTenant,
  source: string,
  into: string,
  more: object = {},
  headers: Record<string, string> = {},
) {
  return at(tenant)('POST', `/v1/customers/${source}/merge`, { into, ...more }, headers)
}

function rpcOf({ tenantId }: TestTenant) {
  return bound({ tenantId, mode: 'live', scopes: ['customers:read', 'customers:write'], caller: 'merger' })
}

/** A survivor with a little, and a source that has what a customer can have. */
async function pair(tenant: TestTenant) {
  const { key } = tenant.live
  const parent = await newCustomer(key)
  const survivor = await newCustomer(key, {
    external_id: 's',
    name: 'Acme',
    metadata: { plan: 'pro' },
    integration_entity_mapping: [{ provider: 'stripe', id: '1' }],
  })
  const source = await newCustomer(key, {
    external_id: 'a0',
    name: 'Acme Inc.',
    email: 'billing@acme.example',
    address_line1: '1 Main Street',
    address_city: 'Springfield',
    timezone: 'Europe/Berlin',
    parent_customer_id: parent.id,
    metadata: { plan: 'free', seats: '7' },
    integration_entity_mapping: [{ provider: 'adyen', id: '2', zone: 'eu' }],
  })
  await at(tenant)('PUT', `/v1/customers/${source.id}`, { external_id: 'a' })
  await at(tenant)('PATCH', `/customers/${source.id}`, { geo_location: { latitude: '51.50', longitude: '0.12' } })
  const child = await newCustomer(key, { external_id: 'child', parent_customer_id: source.id })
  return { parent, survivor, source, child }
}

describe('a merge', () => {
  it('gives the survivor what it lacks, and says what moved', async () => {
    const tenant = await newTenant()
    const { parent, survivor, source, child } = await pair(tenant)
    const send = at(tenant)
    const merged = await merge(tenant, source.id, survivor.id)
    expect(merged.status, merged.text).toBe(200)
    expect(merged.headers.get('content-location')).toBe(`/v1/customers/${survivor.id}`)
    expect(merged.headers.get('etag')).toBe('"4"')
    expect(merged.body).toEqual({
      customer: {
        ...survivor,
        email: 'billing@acme.example',
        address_line1: '1 Main Street',
        address_city: 'Springfield',
        timezone: 'Europe/Berlin',
        parent_customer_id: parent.id,
        metadata: { plan: 'pro', seats: '7' },
        updated_at: expect.any(String),
        updated_by: tenant.live.keyId,
      },
      source_id: source.id,
      moved: {
        external_ids: ['a', 'a0'],
        integrations: [{ provider: 'adyen', id: '2' }],
        children: 1,
        fields: ['email', 'address_line1', 'address_city', 'timezone', 'parent_customer_id', 'profile'],
        metadata: ['seats'],
      },
      dry_run: false,
    })
    const shown = await send('GET', `/v1/customers/${survivor.id}?expand=integrations,aliases,children`)
    expect(shown.body).toMatchObject({
      old_external_ids: ['a', 'a0'],
      integrations: [{ provider: 'stripe' }, { provider: 'adyen', id: '2', zone: 'eu' }],
      children: [{ id: child.id, parent_customer_id: survivor.id }],
    })
    expect((await send('GET', `/customers/${survivor.id}`)).body.geo_location).toEqual({
      latitude: '51.50',
      longitude: '0.12',
    })
    expect((await send('GET', `/v1/customers/${child.id}`)).headers.get('etag')).toBe('"2"')
  })

  it('leads every id of the source to the survivor in every API, whatever was cached', async () => {
    const tenant = await newTenant()
    const { survivor, source } = await pair(tenant)
    const send = at(tenant)
    const rpc = rpcOf(tenant)
    const byId = ['/v1/customers/', '/customers/'].map((path) => path + source.id)
    const byName = ['a', 'a0'].flatMap((name) => ['external', 'lookup'].map((path) => `/v1/customers/${path}/${name}`))
    const before = await Promise.all([...byId, ...byName].map((path) => send('GET', path)))
    for (const { status } of before) expect(status).toBe(200)
    expect((await merge(tenant, source.id, survivor.id)).status).toBe(200)
    for (const [nth, path] of [...byId, ...byName].entries()) {
      // No copy of the source is current any more, though versions of both customers are small numbers.
      const { status, body, headers } = await send('GET', path, undefined, {
        'if-none-match': before[nth]?.headers.get('etag') ?? '',
      })
      expect([path, status, body.id]).toEqual([path, 200, survivor.id])
      const api = path.startsWith('/v1') ? '/v1/customers/' : '/customers/'
      expect(headers.get('content-location')).toBe(api + survivor.id)
    }
    expect(await rpc.get(source.id)).toMatchObject({ customer: { id: survivor.id } })
    for (const name of ['a', 'a0']) {
      expect(await rpc.getByExternalId(name)).toMatchObject({ customer: { id: survivor.id } })
    }
    const changes: [string, string, object][] = [
      ['PUT', `/v1/customers/${source.id}`, { name: '1' }],
      ['PATCH', `/v1/customers/${source.id}`, { name: '2' }],
      ['PUT', `/v1/customers/${source.id}?external_customer_id=a`, { name: '3' }],
      ['PUT', `/v1/customers?id=${source.id}`, { name: '4' }],
      ['PUT', '/v1/customers?external_customer_id=a0', { name: '5' }],
      ['PUT', '/v1/customers/external/a', { name: '6' }],
      ['PATCH', `/customers/${source.id}`, { personal_details: { phone: '7' } }],
    ]
    for (const [method, path, body] of changes) {
      const { status, headers, body: changed } = await send(method, path, body)
      expect([path, status < 300, changed.id]).toEqual([path, true, survivor.id])
      expect(headers.get('content-location'), path).toMatch(survivor.id)
    }
    const own = await send('GET', `/v1/customers/${survivor.id}`)
    expect(own.body).toMatchObject({ name: '6', contact: '7' })
    expect(own.headers.get('content-location')).toBeNull()
    expect(await rpc.update(source.id, { name: '8' })).toMatchObject({ customer: { id: survivor.id, name: '8' } })
    // A new child, an import and a restored child find the survivor too.
    const child = await newCustomer(tenant.live.key, { parent_customer_id: source.id })
    expect(child.parent_customer_id).toBe(survivor.id)
    const { text } = await send('POST', '/v1/customers/import', `{"external_id":"a","name":"9"}\n`, {
      'content-type': 'application/x-ndjson',
    })
    expect(JSON.parse(text)).toMatchObject({ result: 'updated', id: survivor.id })
  })

  it('ends the source for good: it cannot be archived, erased, restored or merged', async () => {
    const tenant = await newTenant()
    const { survivor, source, parent } = await pair(tenant)
    const send = at(tenant)
    await merge(tenant, source.id, survivor.id)
    const refused = { reason: 'merged', customer_id: source.id, merged_into: survivor.id }
    for (const [method, path, body] of [
      ['DELETE', `/v1/customers/${source.id}`],
      ['POST', `/v1/customers/${source.id}/restore`],
      ['POST', `/v1/customers/${source.id}/erase`],
      ['POST', `/v1/customers/${source.id}/merge`, { into: parent.id }],
    ] as const) {
      const { status, body: answer } = await send(method, path, body)
      expect([path, status, answer.code, answer.details]).toEqual([path, 409, 'merged', refused])
    }
    expect((await send('DELETE', `/customers/${source.id}`)).body).toMatchObject({ type: 'conflict', code: 'merged' })
    const rpc = rpcOf(tenant)
    const failure = { reason: 'merged', customerId: source.id, mergedInto: survivor.id }
    expect(await rpc.archive(source.id)).toMatchObject({ failure })
    expect(await rpc.archive({ externalId: 'a' })).toMatchObject({ failure })
    expect(await rpc.merge({ externalId: 'a0' }, parent.id)).toMatchObject({ failure })
    expect((await send('GET', `/v1/customers/${survivor.id}`)).body.status).toBe('published')
  })

  it('takes the source out of lists, searches, exports and counts', async () => {
    const tenant = await newTenant()
    const { parent, survivor, source, child } = await pair(tenant)
    const send = at(tenant)
    await merge(tenant, source.id, survivor.id)
    const ids = async (query: string) =>
      (await send('GET', `/v1/customers${query}`)).body.items.map(({ id }: { id: string }) => id)
    expect(await ids('')).toEqual([child.id, survivor.id, parent.id])
    expect(await ids('?status=archived')).toEqual([])
    expect(await ids('?email=billing@acme.example&status=archived,published')).toEqual([survivor.id])
    expect(await ids(`?customer_ids=${source.id}&status=archived`)).toEqual([])
    expect(await ids('?q=acme&status=archived,published,draft')).toEqual([survivor.id])
    expect((await send('GET', '/v1/customers?status=archived')).body.pagination.total).toBe(0)
    expect((await send('GET', '/v1/customers')).body.pagination.total).toBe(3)
    const exported = (await send('GET', '/v1/customers/export?include_archived=true')).text.trim().split('\n')
    expect(exported.map((line) => JSON.parse(line).id)).toEqual([parent.id, survivor.id, child.id])
    expect(JSON.parse(exported[1] ?? '')).toMatchObject({ old_external_ids: ['a', 'a0'] })
  })

  it('says what it would do and changes nothing in a dry run, refusals too', async () => {
    const tenant = await newTenant()
    const { survivor, source } = await pair(tenant)
    const send = at(tenant)
    const tried = await merge(tenant, source.id, survivor.id, { dry_run: true, prefer: 'source' })
    expect(tried.status, tried.text).toBe(200)
    for (const { id } of [survivor, source]) {
      expect((await send('GET', `/v1/customers/${id}`)).body.id).toBe(id)
    }
    expect((await send('GET', `/v1/customers/${survivor.id}`)).body).toEqual(survivor)
    const keys = Object.fromEntries(Array.from({ length: 49 }, (_, at) => [`key${at}`, 'x']))
    const full = await newCustomer(tenant.live.key, { metadata: keys })
    for (const dry_run of [true, false]) {
      const { status, body } = await merge(tenant, source.id, full.id, { dry_run })
      expect([status, body.details.reason]).toEqual([400, 'metadata_too_many_keys'])
    }
    const merged = await merge(tenant, source.id, survivor.id, { prefer: 'source' })
    const { updated_at: _at, ...customer } = merged.body.customer
    expect(tried.body).toEqual({
      ...merged.body,
      dry_run: true,
      customer: { ...customer, updated_at: expect.any(String) },
    })
  })

  it('keeps the value of the side that the caller prefers', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const fields = (side: string) => ({
      name: side,
      email: `${side}@acme.example`,
      address_city: side,
      ...(side === 'source' && { address_country: 'DE' }),
      ...(side === 'target' && { address_line1: side }),
      metadata: { both: side, [side]: 'x' },
    })
    const merged = async (prefer: unknown) => {
      const [target, source] = [await newCustomer(key, fields('target')), await newCustomer(key, fields('source'))]
      return (await merge(tenant, source.id, target.id, { prefer })).body.customer
    }
    const united = { target: 'x', source: 'x' }
    expect(await merged(undefined)).toMatchObject({
      ...fields('target'),
      address_country: '',
      metadata: { ...united, both: 'target' },
    })
    expect(await merged('source')).toMatchObject({
      ...fields('source'),
      address_line1: '',
      metadata: { ...united, both: 'source' },
    })
    expect(await merged({ email: 'source', metadata: 'source', name: 'target' })).toMatchObject({
      ...{ name: 'target', email: 'source@acme.example', address_city: 'target' },
      metadata: { ...united, both: 'source' },
    })
    const { status, body } = await merge(tenant, MISSING, MISSING, { prefer: { emial: 'source' } })
    expect([status, body.details.errors[0].field]).toEqual([400, 'prefer.emial'])
  })

  it('is refused when either customer has another version, or cannot take part', async () => {
    const tenant = await newTenant()
    const { survivor, source } = await pair(tenant)
    const send = at(tenant)
    const conflict = await merge(tenant, source.id, survivor.id, {}, { 'if-match': '"2"' })
    expect([conflict.status, conflict.body.details]).toEqual([412, { current_version: 3 }])
    const other = await merge(tenant, source.id, survivor.id, { into_version: 2 }, { 'if-match': '"3"' })
    expect([other.status, other.body.details]).toEqual([412, { current_version: 1, field: 'into_version' }])
    const archived = await newCustomer(tenant.live.key)
    await send('DELETE', `/v1/customers/${archived.id}`)
    for (const into of [MISSING, source.id, archived.id, 'a']) {
      const { status, body } = await merge(tenant, source.id, into)
      expect([into, status, body.details.errors?.[0]?.field]).toEqual([into, 400, 'into'])
    }
    expect((await merge(tenant, MISSING, survivor.id)).status).toBe(404)
    expect((await merge(tenant, source.id, survivor.id, { into_version: 1 }, { 'if-match': '"3"' })).status).toBe(200)
    expect((await merge(tenant, survivor.id, source.id)).body.details.errors[0].field).toBe('into')
  })

  it('is done once for an idempotency key, and a repeat gets the same response', async () => {
    const tenant = await newTenant()
    const { survivor, source } = await pair(tenant)
    const keyed = (key: string, more = {}) =>
      merge(tenant, source.id, survivor.id, more, { 'idempotency-key': key, 'x-reason': 'twins' })
    const sent = await Promise.all([keyed('k'), keyed('k'), keyed('k')])
    const isReplayed = ({ headers }: Called) => headers.get('idempotent-replayed') === 'true'
    const done = sent.filter((called) => called.status === 200 && !isReplayed(called))
    expect(done).toHaveLength(1)
    const again = await keyed('k')
    expect(isReplayed(again)).toBe(true)
    expect(again.body).toEqual(done[0]?.body)
    expect((await keyed('k', { prefer: 'source' })).status).toBe(422)
    const refused = await keyed('other')
    expect(refused.status).toBe(409)
    expect(isReplayed(await keyed('other'))).toBe(true)
    const { items } = (await at(tenant)('GET', `/v1/customers/${survivor.id}/events`)).body
    expect(items.map(({ type }: { type: string }) => type)).toEqual(['customer.merged', 'customer.created'])
    expect(items[0].data).toMatchObject({
      version: 4,
      detail: { source_id: source.id, survivor_id: survivor.id, moved: done[0]?.body.moved },
      previous_attributes: { email: '', metadata: { plan: 'pro' } },
    })
  })

  it('follows a chain of merges, also to a customer that is named by an id merged before', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const [a, b, c, d, e] = [
      await newCustomer(key, { external_id: 'ca' }),
      await newCustomer(key, { external_id: 'cb' }),
      await newCustomer(key, { external_id: 'cc' }),
      await newCustomer(key, { external_id: 'cd' }),
      await newCustomer(key, { external_id: 'ce' }),
    ]
    const send = at(tenant)
    await merge(tenant, a.id, b.id)
    // Remembered as one that leads to b.
    expect((await send('GET', `/v1/customers/${a.id}`)).body.id).toBe(b.id)
    await merge(tenant, b.id, c.id)
    await merge(tenant, d.id, a.id)
    expect((await merge(tenant, c.id, e.id)).body.moved.external_ids).toEqual(['cc', 'ca', 'cb', 'cd'])
    for (const { id, external_id } of [a, b, c, d]) {
      expect((await send('GET', `/v1/customers/${id}`)).body.id).toBe(e.id)
      expect((await send('GET', `/v1/customers/external/${external_id}`)).body.id).toBe(e.id)
    }
    expect((await merge(tenant, a.id, b.id)).body.details.merged_into).toBe(e.id)
  })

  it('leaves the past before it to the customer, by id and by the external id of then', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const { survivor, source } = await pair(tenant)
    const { body: before } = await send('GET', `/v1/customers/${source.id}`)
    const archived = await newCustomer(tenant.live.key, { external_id: 'archived' })
    await send('DELETE', `/v1/customers/${archived.id}`)
    await scheduler.wait(2)
    await merge(tenant, source.id, survivor.id)
    await merge(tenant, archived.id, survivor.id)
    const { body: after } = await send('GET', `/v1/customers/${survivor.id}`)
    const byId = (id: string, query: string) => send('GET', `/v1/customers/${id}?${query}`)
    const past = (name: string, time: string) => send('GET', `/v1/customers/external/${name}?as_of=${time}`)
    // Also when the notes of the merges are gone.
    for (const notesAreKept of [true, false]) {
      if (!notesAreKept) await env.DB.prepare('DELETE FROM customer_merges').run()
      expect((await past('a', before.updated_at)).body).toEqual(before)
      // The name that it had at first.
      expect((await past('a0', source.updated_at)).body).toEqual(source)
      expect((await byId(source.id, `as_of=${before.updated_at}`)).body).toEqual(before)
      expect((await byId(source.id, 'version=3')).body).toEqual(before)
      expect((await byId(source.id, 'version=1')).body).toEqual(source)
      expect((await byId(archived.id, 'version=2')).body.status).toBe('archived')
      expect((await byId(archived.id, `as_of=${archived.updated_at}`)).body).toEqual(archived)
      // From the merge on, its ids lead to the survivor, and nobody has a as a present external id.
      for (const query of ['version=4', `as_of=${after.updated_at}`]) {
        expect((await byId(source.id, query)).status).toBe(410)
      }
      expect((await past('a', after.updated_at)).status).toBe(404)
    }
    const taker = await newCustomer(tenant.live.key, { external_id: 'a' })
    expect((await past('a', taker.created_at)).body.id).toBe(taker.id)
    await send('DELETE', `/v1/customers/${taker.id}`)
    expect((await past('a', before.updated_at)).body.id).toBe(source.id)
  })

  it('keeps the tree of customers a tree', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const send = at(tenant)
    const chain = [await newCustomer(key)]
    for (let level = 1; level < 5; level++) {
      chain.push(await newCustomer(key, { parent_customer_id: chain[level - 1]?.id }))
    }
    const [top, second, third, fourth, fifth] = chain.map(({ id }) => id)
    const parentOf = async (id: string) => (await send('GET', `/v1/customers/${id}`)).body.parent_customer_id
    // Below its own grandchild a customer would be below itself.
    expect((await merge(tenant, top, third)).body.details.reason).toBe('parent_cycle')
    // A child takes the place of its parent.
    expect((await merge(tenant, second, third)).status).toBe(200)
    expect(await parentOf(third)).toBe(top)
    // A customer above keeps its own place.
    expect((await merge(tenant, fifth, third)).status).toBe(200)
    expect(await parentOf(third)).toBe(top)
    expect((await merge(tenant, fourth, top)).status).toBe(200)
    expect(await parentOf(top)).toBeNull()
  })

  it('moves at most 200 children, and says what to do with more', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const [source, survivor] = [await newCustomer(key), await newCustomer(key)]
    const lines = Array.from({ length: 201 }, (_, at) =>
      JSON.stringify({ external_id: `child_${at}`, parent_customer_id: source.id }),
    )
    const send = at(tenant)
    await send('POST', '/v1/customers/import', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    const refused = await merge(tenant, source.id, survivor.id)
    expect([refused.status, refused.body.details]).toEqual([
      409,
      { reason: 'merge_too_large', what: 'children', max: 200 },
    ])
    await send('PUT', '/v1/customers/external/child_7', { parent_customer_id: null })
    expect((await merge(tenant, source.id, survivor.id)).body.moved.children).toBe(200)
    expect((await send('GET', `/v1/customers?parent_customer_id=${survivor.id}`)).body.pagination.total).toBe(200)
  })

  it('leaves what an archived source has given up where it is', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const { key } = tenant.live
    const stripe = { integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }
    const source = await newCustomer(key, { external_id: 'x', name: 'Old', email: 'x@acme.example', ...stripe })
    await send('DELETE', `/v1/customers/${source.id}`)
    const survivor = await newCustomer(key, { external_id: 'x', name: 'New', ...stripe })
    const { status, body, text } = await merge(tenant, source.id, survivor.id)
    expect(status, text).toBe(200)
    expect(body.moved).toEqual({ external_ids: [], integrations: [], children: 0, fields: ['email'], metadata: [] })
    expect((await send('GET', `/v1/customers/${source.id}`)).body.id).toBe(survivor.id)
    expect((await send('GET', '/v1/customers?status=archived')).body.pagination.total).toBe(0)
  })

  it('is undone by no erasure: that of the survivor leaves no trace of the source', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const who = `jane${crypto.randomUUID().slice(0, 8)}`
    const reason = { 'x-reason': `asked by ${who}`, 'idempotency-key': who }
    const made = await send(
      'POST',
      '/v1/customers',
      { external_id: `${who}-id`, name: who, email: `${who}@person.example`, metadata: { nickname: who } },
      reason,
    )
    const first = await newCustomer(tenant.live.key)
    const last = await newCustomer(tenant.live.key)
    await send('GET', `/v1/customers/external/${who}-id`)
    await merge(tenant, made.body.id, first.id)
    await merge(tenant, first.id, last.id)
    await send('GET', `/v1/customers/${made.body.id}`)
    const gates = [`${tenant.tenantId}:live`]
    expect(await everythingStored(gates)).toContain(who)
    const { status, body } = await send('POST', `/v1/customers/${last.id}/erase`)
    expect([status, body.rows]).toEqual([
      200,
      {
        customers: 3,
        events: 5,
        aliases: 2,
        integrations: 0,
        idempotency_records: 1,
        webhook_attempts: 0,
        onboarding_runs: 0,
      },
    ])
    await mergeRemovedWords()
    const stored = await everythingStored(gates)
    const found = stored.indexOf(who)
    expect(found === -1 ? '' : stored.slice(Math.max(0, found - 200), found + 200)).toBe('')
    for (const id of [made.body.id, first.id, last.id]) {
      expect((await send('GET', `/v1/customers/${id}`)).status).toBe(404)
    }
  })
})

function unmerge(
  tenant: TestTenant,
  survivor: string,
  source: string,
  more: object = {},
  headers: Record<string, string> = {},
) {
  return at(tenant)('POST', `/v1/customers/${survivor}/unmerge`, { source, ...more }, headers)
}

const WHOLE = '?expand=integrations,aliases,children,parent_customer'

describe('an unmerge', () => {
  it('gives the source back to the byte, and takes from the survivor what it got', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const { parent, survivor, source, child } = await pair(tenant)
    const shown = async (id: string) => (await send('GET', `/v1/customers/${id}${WHOLE}`)).body
    const before = { source: await shown(source.id), survivor: await shown(survivor.id) }
    await merge(tenant, source.id, survivor.id, { prefer: 'source' })
    const merged = (await send('GET', `/v1/customers/${source.id}`)).headers.get('etag')
    const tried = await unmerge(tenant, survivor.id, source.id, { dry_run: true })
    expect((await send('GET', `/v1/customers/${source.id}`)).body.id).toBe(survivor.id)
    const done = await unmerge(tenant, survivor.id, source.id, {}, { 'x-reason': 'no twins' })
    expect([done.status, done.text], done.text).toEqual([200, expect.any(String)])
    const stamps = { updated_at: expect.any(String), updated_by: tenant.live.keyId }
    const { customer, source: again, ...others } = done.body
    expect(others).toEqual({
      moved: {
        external_ids: ['a', 'a0'],
        integrations: [{ provider: 'adyen', id: '2' }],
        children: 1,
        fields: [...['name', 'email', 'address_line1', 'address_city', 'timezone', 'parent_customer_id', 'profile']],
        metadata: ['plan', 'seats'],
      },
      kept: [],
      dry_run: false,
    })
    expect(tried.body).toEqual({
      ...done.body,
      customer: { ...customer, updated_at: expect.any(String) },
      source: { ...again, updated_at: expect.any(String) },
      dry_run: true,
    })
    expect({ source: await shown(source.id), survivor: await shown(survivor.id) }).toEqual({
      source: {
        ...before.source,
        ...stamps,
        children: [{ ...child, updated_at: expect.any(String) }],
      },
      survivor: { ...before.survivor, ...stamps },
    })
    // No copy of the one passes for the other: both versions are above all that were shown for these ids.
    const etags = await Promise.all([source, survivor].map(({ id }) => send('GET', `/v1/customers/${id}`)))
    expect([merged, ...etags.map(({ headers }) => headers.get('etag'))]).toEqual(['"4"', '"5"', '"5"'])
    expect((await send('GET', `/customers/${survivor.id}`)).body.geo_location).toBeUndefined()
    for (const [name, id] of [
      ['a', source.id],
      ['a0', source.id],
      ['s', survivor.id],
    ] as const) {
      expect((await send('GET', `/v1/customers/external/${name}`)).body.id).toBe(id)
      expect(await rpcOf(tenant).getByExternalId(name)).toMatchObject({ customer: { id } })
    }
    expect((await send('GET', '/v1/customers')).body.pagination.total).toBe(4)
    const found = (await send('GET', '/v1/customers?q=acme')).body.items.map(({ id }: { id: string }) => id)
    expect(found).toEqual([source.id, survivor.id])
    expect((await send('GET', `/v1/customers/${parent.id}?expand=children`)).body.children).toMatchObject([
      { id: source.id },
    ])
    // An entity of the source is taken, and that of the survivor too.
    for (const entity of [
      { provider: 'adyen', id: '2' },
      { provider: 'stripe', id: '1' },
    ]) {
      const other = await send('POST', '/v1/customers', {
        external_id: 'x',
        integration_entity_mapping: [entity],
      })
      expect(other.body.details.reason).toBe('integration_taken')
    }
    const events = async (id: string) => (await send('GET', `/v1/customers/${id}/events`)).body.items
    const [own] = await events(survivor.id)
    expect([own.type, own.data.detail]).toEqual([
      'customer.unmerged',
      {
        source_id: source.id,
        survivor_id: survivor.id,
        merged_at: expect.any(String),
        moved: done.body.moved,
        kept: [],
      },
    ])
    const [restored] = await events(source.id)
    expect([restored.type, restored.data.previous_attributes, restored.data.detail]).toEqual([
      'customer.restored',
      {},
      { survivor_id: survivor.id, merged_at: own.data.detail.merged_at },
    ])
    // The past of the source has a gap: then its ids led to the survivor.
    const past = (query: string) => send('GET', `/v1/customers/${source.id}?${query}`)
    const mergedAtMs = Date.parse(own.data.detail.merged_at)
    expect((await past('version=3')).body.updated_at).toBe(before.source.updated_at)
    expect((await past('version=4')).status).toBe(404)
    expect((await past(`as_of=${before.source.updated_at}`)).body.external_id).toBe('a')
    expect((await past(`as_of=${new Date(mergedAtMs).toISOString()}`)).status).toBe(410)
  })

  it('leaves what somebody has changed since, each value by itself, and says so', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const { survivor, source, child } = await pair(tenant)
    const other = await newCustomer(tenant.live.key)
    const second = await newCustomer(tenant.live.key, { parent_customer_id: source.id })
    await merge(tenant, source.id, survivor.id)
    await send('PATCH', `/v1/customers/${survivor.id}`, {
      address_city: 'Shelbyville',
      metadata: { seats: '8' },
      integration_entity_mapping: [{ provider: 'stripe', id: '1' }],
    })
    await send('PATCH', `/v1/customers/${child.id}`, { parent_customer_id: other.id })
    await send('PUT', `/v1/customers/${other.id}`, { external_id: 'a0' })
    const { status, body, text } = await unmerge(tenant, survivor.id, source.id)
    expect(status, text).toBe(200)
    expect(body.customer).toMatchObject({ address_city: 'Shelbyville', address_line1: '', metadata: { seats: '8' } })
    const changed = { name: null, reason: 'changed' }
    expect(body.kept).toEqual([
      { customer_id: survivor.id, field: 'address_city', ...changed },
      { customer_id: survivor.id, field: 'metadata', ...changed, name: 'seats' },
      { customer_id: source.id, field: 'old_external_ids', name: 'a0', reason: 'taken' },
      { customer_id: child.id, field: 'parent_customer_id', ...changed },
    ])
    expect([body.moved.external_ids, body.moved.children]).toEqual([['a'], 1])
    const { body: again } = await send('GET', `/v1/customers/${source.id}${WHOLE}`)
    expect([again.old_external_ids, again.children.map(({ id }: { id: string }) => id)]).toEqual([[], [second.id]])
    expect(again.integrations).toMatchObject([{ provider: 'adyen', id: '2' }])
  })

  it('is refused when the source cannot be what it was, or is not merged into the customer', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const { survivor, source, parent } = await pair(tenant)
    const errorOf = async (id: string, given = source.id, headers = {}) => {
      const { status, body } = await unmerge(tenant, id, given, {}, headers)
      return [status, body.details?.reason ?? body.details?.errors?.[0]?.field ?? body.code]
    }
    expect(await errorOf(survivor.id)).toEqual([400, 'source'])
    await merge(tenant, source.id, survivor.id)
    expect(await errorOf(MISSING)).toEqual([404, 'not_found'])
    expect(await errorOf(source.id)).toEqual([409, 'merged'])
    expect(await errorOf(parent.id)).toEqual([400, 'source'])
    expect(await errorOf(survivor.id, source.id, { 'if-match': '"1"' })).toEqual([412, 'version_conflict'])
    const taker = await newCustomer(tenant.live.key, { external_id: 'a' })
    expect(await errorOf(survivor.id)).toEqual([409, 'external_id_taken'])
    await send('DELETE', `/v1/customers/${taker.id}`)
    const put = (id: string, list: object[]) => send('PUT', `/v1/customers/${id}`, { integration_entity_mapping: list })
    const entity = { provider: 'adyen', id: '2' }
    await put(survivor.id, [])
    await put(parent.id, [entity])
    expect(await errorOf(survivor.id)).toEqual([409, 'integration_taken'])
    await put(parent.id, [])
    await send('PATCH', `/v1/customers/${survivor.id}`, { parent_customer_id: null })
    await send('DELETE', `/v1/customers/${parent.id}`)
    expect(await errorOf(survivor.id)).toEqual([400, 'source'])
    await send('POST', `/v1/customers/${parent.id}/restore`)
    await env.DB.prepare('UPDATE customer_merges SET merged_at = merged_at - ? WHERE source_id = ?')
      .bind(UNMERGE_TTL_MS, source.id)
      .run()
    expect(await errorOf(survivor.id)).toEqual([410, 'unmerge_expired'])
    await sweepMerges(env.DB, Date.now() - 60_000)
    const noted = () => env.DB.prepare('SELECT 1 FROM customer_merges WHERE source_id = ?').bind(source.id).first()
    expect(await noted()).not.toBeNull()
    await sweepMerges(env.DB, Date.now())
    expect(await noted()).toBeNull()
    expect(await errorOf(survivor.id)).toEqual([410, 'unmerge_expired'])
  })

  it('goes back along a chain one step at a time, and among several merges in any order', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const named = (external_id: string, email?: string) =>
      newCustomer(tenant.live.key, { external_id, ...(email && { email: `${email}@acme.example` }) })
    const [a, b, c] = [await named('a', 'a'), await named('b'), await named('c')]
    await merge(tenant, a.id, b.id)
    await merge(tenant, b.id, c.id)
    const early = await unmerge(tenant, c.id, a.id)
    expect([early.status, early.body.details]).toEqual([
      409,
      { reason: 'unmerge_order', source_id: a.id, first_id: b.id },
    ])
    const idOf = async (path: string) => (await send('GET', `/v1/customers/${path}`)).body.id
    expect((await unmerge(tenant, c.id, b.id)).body.source.email).toBe('a@acme.example')
    expect([await idOf(a.id), await idOf('external/a'), await idOf('external/b')]).toEqual([b.id, b.id, b.id])
    expect((await unmerge(tenant, b.id, a.id)).body.customer.email).toBe('')
    expect([await idOf(a.id), await idOf('external/a')]).toEqual([a.id, a.id])
    // The value that one merge replaced came from the other one, which goes first.
    await send('PATCH', `/v1/customers/${b.id}`, { email: 'b@acme.example', metadata: { 'a"b.c': 'b' } })
    await send('PATCH', `/v1/customers/${a.id}`, { metadata: { 'a"b.c': 'a' } })
    await merge(tenant, a.id, c.id)
    await merge(tenant, b.id, c.id, { prefer: 'source' })
    const first = await unmerge(tenant, c.id, a.id)
    expect(first.body.customer).toMatchObject({ email: 'b@acme.example', metadata: { 'a"b.c': 'b' } })
    expect(first.body.kept).toMatchObject([{ field: 'email' }, { field: 'metadata', name: 'a"b.c' }])
    const last = await unmerge(tenant, c.id, b.id)
    expect([last.body.customer.email, last.body.customer.metadata, last.body.kept]).toEqual(['', {}, []])
  })

  it('is done once for an idempotency key, and a repeat gets the same response', async () => {
    const tenant = await newTenant()
    const { survivor, source } = await pair(tenant)
    await merge(tenant, source.id, survivor.id)
    const keyed = (key: string) => unmerge(tenant, survivor.id, source.id, {}, { 'idempotency-key': key })
    const done = await keyed('k')
    await at(tenant)('PATCH', `/v1/customers/${source.id}`, { name: 'Later' })
    const again = await keyed('k')
    expect([again.status, again.body, again.headers.get('idempotent-replayed')]).toEqual([200, done.body, 'true'])
    expect((await keyed('other')).status).toBe(400)
    const rpc = bound({ tenantId: tenant.tenantId, mode: 'live', scopes: ['customers:write'], caller: 'writer' })
    await merge(tenant, source.id, survivor.id)
    expect(await rpc.unmerge(survivor.id, source.id, { reason: 'test' })).toMatchObject({
      ok: true,
      source: { id: source.id, externalId: 'a', status: 'published', version: 8 },
      moved: null,
      kept: null,
    })
  })

  it('leaves no trace of the source with the survivor when the source is erased later', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const send = at(tenant)
    const who = `jane${crypto.randomUUID().slice(0, 8)}`
    const source = await newCustomer(key, {
      external_id: `${who}-id`,
      name: who,
      email: `${who}@person.example`,
      metadata: { [who]: who },
      integration_entity_mapping: [{ provider: 'stripe', id: who }],
    })
    const survivor = await newCustomer(key, { external_id: 's', name: 'Acme' })
    const last = await newCustomer(key, { external_id: 'last' })
    await send('PATCH', `/v1/customers/${survivor.id}`, { contact: '1' })
    const { body: before } = await send('GET', `/v1/customers/${survivor.id}`)
    const keyed = { 'idempotency-key': who, 'x-reason': `asked by ${who}` }
    expect((await merge(tenant, source.id, survivor.id, { prefer: 'source' }, keyed)).status).toBe(200)
    await merge(tenant, survivor.id, last.id)
    const { body: during } = await send('PATCH', `/v1/customers/${last.id}`, { contact: '2' })
    expect(during.email).toBe(source.email)
    await send('GET', `/v1/customers/${source.id}`)
    expect((await unmerge(tenant, last.id, survivor.id)).status).toBe(200)
    expect((await unmerge(tenant, survivor.id, source.id)).body.kept).toEqual([])
    const { body: after } = await send('PATCH', `/v1/customers/${survivor.id}`, { contact: '3' })
    const gates = [`${tenant.tenantId}:live`]
    expect(await everythingStored(gates)).toContain(who)
    expect((await send('POST', `/v1/customers/${source.id}/erase`)).status).toBe(200)
    await sweepErasures(env.DB, env.CACHE, Date.now() + 61_000)
    await mergeRemovedWords()
    const stored = await everythingStored(gates)
    const found = stored.indexOf(who)
    expect(found === -1 ? '' : stored.slice(Math.max(0, found - 400), found + 200)).toBe('')

    // The survivor is what it was. Of its past, the time from the merge to the unmerge is missing.
    expect((await send('GET', `/v1/customers/${survivor.id}`)).body).toEqual(after)
    const past = (version: number) => send('GET', `/v1/customers/${survivor.id}?version=${version}`)
    const statuses = await Promise.all([1, 2, 3, 6, 7, 8].map(async (version) => (await past(version)).status))
    expect(statuses).toEqual([200, 410, 410, 410, 200, 200])
    expect((await past(1)).body.contact).toBeNull()
    expect((await send('GET', `/v1/customers/${survivor.id}?as_of=${before.updated_at}`)).status).toBe(410)
    const { body } = await send('GET', `/v1/customers/${survivor.id}/events`)
    expect(body.items.map(({ type }: { type: string }) => type)).toContain('customer.merged')
    // A change of that time cannot be taken back any more.
    const undone = await send('POST', '/v1/undo', { actor: tenant.live.keyId, since: during.updated_at })
    expect(undone.text).toContain(`"id":"${last.id}","external_id":"last","reason":"changed_later"`)
    const texts =
      'external_id, name, email, email_ascii, contact, address_line1, timezone, metadata, integrations, profile, folded'
    const recount = await env.DB.prepare(
      `SELECT (SELECT bytes FROM storage_use WHERE tenant_id = ?1) - (
        SELECT sum(1300 + octet_length(concat_ws('', ${texts}))) FROM customers WHERE tenant_id = ?1
      ) - (
        SELECT sum(500 + octet_length(concat_ws('', before, after, detail, reason))) FROM events WHERE tenant_id = ?1
      ) AS difference`,
    )
    expect(await recount.bind(tenant.tenantId).first('difference')).toBe(0)
  })

  it('leaves every earlier version to the source as it was, also if its parent is another one by then', async () => {
    for (const end of ['merge', 'erase']) {
      const tenant = await newTenant()
      const send = at(tenant)
      const [parent, other] = await Promise.all([newCustomer(tenant.live.key), newCustomer(tenant.live.key)])
      // The survivor has a parent of its own, so that it does not get that of the source.
      const survivor = await newCustomer(tenant.live.key, { parent_customer_id: other.id })
      const source = await newCustomer(tenant.live.key, { parent_customer_id: parent.id })
      const read = (version: number) => send('GET', `/v1/customers/${source.id}?version=${version}`)
      await send('PUT', `/v1/customers/${source.id}`, { name: 'Second' })
      const before = [await read(1), await read(2)].map(({ text }) => text)
      await merge(tenant, source.id, survivor.id)
      const body = end === 'merge' ? { into: other.id } : undefined
      expect((await send('POST', `/v1/customers/${parent.id}/${end}`, body)).status).toBe(200)
      const { status } = await send('POST', `/v1/customers/${survivor.id}/unmerge`, { source: source.id })
      expect(status).toBe(200)
      const { body: now } = await send('GET', `/v1/customers/${source.id}`)
      expect(now.parent_customer_id).toBe(end === 'merge' ? other.id : null)
      expect([await read(1), await read(2)].map(({ text }) => text)).toEqual(before)
    }
  })

  it('brings an archived source back archived', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const source = await newCustomer(tenant.live.key, { external_id: 'x', email: 'x@acme.example' })
    await send('DELETE', `/v1/customers/${source.id}`)
    const { body: archived } = await send('GET', `/v1/customers/${source.id}`)
    const survivor = await newCustomer(tenant.live.key, { external_id: 'x' })
    await merge(tenant, source.id, survivor.id)
    const { body } = await unmerge(tenant, survivor.id, source.id)
    expect(body.source).toEqual({ ...archived, updated_at: expect.any(String) })
    expect([body.customer.external_id, body.customer.email]).toEqual(['x', ''])
    expect((await send('GET', '/v1/customers?status=archived')).body.pagination.total).toBe(1)
  })
})

describe('the duplicates of a customer', () => {
  const SAME = { name: 'Acme', address_postal_code: '94105' }

  it('are those with its e-mail address, or its name and postal code, best first', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const send = at(tenant)
    const own = await newCustomer(key, { ...SAME, email: 'billing@acme.example' })
    const named = await newCustomer(key, SAME)
    const both = await newCustomer(key, { ...SAME, email: 'Billing@ACME.example' })
    const archived = await newCustomer(key, { email: 'billing@acme.example' })
    await send('DELETE', `/v1/customers/${archived.id}`)
    const gone = await newCustomer(key, { email: 'billing@acme.example' })
    const other = await newCustomer(key, { ...SAME, address_postal_code: '10115' })
    await merge(tenant, gone.id, other.id)
    await send('PATCH', `/v1/customers/${other.id}`, { email: null })
    const { status, body } = await send('GET', `/v1/customers/${own.id}/duplicates`)
    const shown = body.items.map(({ customer, reasons }: { customer: { id: string }; reasons: string[] }) => [
      customer.id,
      ...reasons,
    ])
    expect([status, shown]).toEqual([
      200,
      [
        [both.id, 'same_email', 'same_name_and_postal_code'],
        [archived.id, 'same_email'],
        [named.id, 'same_name_and_postal_code'],
      ],
    ])
    expect(body.items[0].customer).toEqual(both)
    expect(await rpcOf(tenant).duplicates(own.id)).toMatchObject({
      duplicates: [{ customer: { id: both.id } }, { customer: { id: archived.id } }, { customer: { id: named.id } }],
    })
    expect((await send('GET', `/v1/customers/${other.id}/duplicates`)).body).toEqual({ items: [] })
    expect((await send('GET', `/v1/customers/${MISSING}/duplicates`)).status).toBe(404)
  })

  it('are those that have an entity of a provider now that it had before it was archived', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const integration_entity_mapping = [
      { provider: 'stripe', id: '7' },
      { provider: 'adyen', id: '7' },
    ]
    const own = await newCustomer(key, { integration_entity_mapping })
    await at(tenant)('DELETE', `/v1/customers/${own.id}`)
    const other = await newCustomer(key, { integration_entity_mapping })
    const { body } = await at(tenant)('GET', `/v1/customers/${own.id}/duplicates`)
    expect(body.items).toEqual([{ customer: other, reasons: ['same_integration_entity'] }])
  })

  it('are in the response to a creation that asks for them, and nothing is refused', async () => {
    const tenant = await newTenant()
    const send = at(tenant)
    const email = 'billing@acme.example'
    const first = await newCustomer(tenant.live.key, { external_id: 'first', email })
    const suspect = { id: first.id, external_id: 'first', status: 'published', reasons: ['same_email'] }
    const created = await send('POST', '/v1/customers?expand=duplicates', { external_id: 'second', email })
    expect([created.status, created.body.duplicates]).toEqual([201, [suspect]])
    const put = (path: string, body: object) => send('PUT', `/v1/customers/external/${path}`, body)
    expect((await put('third?expand=duplicates', { email })).body.duplicates).toHaveLength(2)
    expect((await put('third?expand=duplicates', { name: 'Again' })).body).not.toHaveProperty('duplicates')
    expect((await put('fourth', { email })).body).not.toHaveProperty('duplicates')
    expect((await send('POST', '/v1/customers?expand=children', { external_id: 'fifth' })).status).toBe(400)
  })
})
