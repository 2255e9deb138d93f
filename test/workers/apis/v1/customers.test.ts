/**
 * The v1 API end to end: one customer at a time. Lists are in list.test.ts, the effect of an update on each field is in
 * updates.test.ts.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type CallOptions, call, newCustomer, newKey, newTenantOfBothModes } from '../../support/roster.ts'

/** Returns a caller of a new tenant. */
async function caller() {
  const tenant = await newTenantOfBothModes()
  const { key } = tenant.live
  const send = (method: string, path: string, options: CallOptions = {}) =>
    call(method, `/v1/customers${path}`, { key, ...options })
  return { tenant, key, send, create: (fields: Record<string, unknown> = {}) => newCustomer(key, fields) }
}

const UNKNOWN_ID = 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV'

describe('creating', () => {
  it('returns 201 with the sent fields, every key of the contract, and the creator', async () => {
    const { tenant, send } = await caller()
    const body = {
      external_id: 'user_1',
      name: 'Acme',
      email: 'billing@acme.com',
      contact: '+1 555 0100',
      address_line1: '123 Main Street',
      address_line2: 'Floor 2',
      address_city: 'San Francisco',
      address_state: 'CA',
      address_postal_code: '94105',
      address_country: 'us',
      timezone: 'America/Los_Angeles',
      metadata: { plan: 'pro', seats: 3 },
      status: 'draft',
      skip_onboarding_workflow: true,
    }
    const made = await send('POST', '', { body })
    expect(made.status).toBe(201)
    const { skip_onboarding_workflow: _, ...shown } = body
    expect(made.body).toEqual({
      ...shown,
      id: expect.stringMatching(/^cust_[0-9A-Z]{26}$/),
      address_country: 'US',
      metadata: { plan: 'pro', seats: '3' },
      parent_customer_id: null,
      parent_customer: null,
      environment_id: 'env_live',
      tenant_id: tenant.tenantId,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: made.body.created_at,
      created_by: tenant.live.keyId,
      updated_by: tenant.live.keyId,
    })
    expect(made.headers.get('etag')).toBe('"1"')
    expect(made.headers.get('content-type')).toBe('application/json')
    expect(made.headers.get('consistency-token')).toBeTruthy()
    expect((await send('GET', `/${made.body.id}`)).body).toEqual(made.body)
  })

  it('returns 409 for a taken external id and names the customer that has it', async () => {
    const { send, create } = await caller()
    const first = await create({ external_id: 'user_1' })
    const second = await send('POST', '', { body: { external_id: 'user_1', name: 'Other' } })
    expect(second.status).toBe(409)
    expect(second.body).toMatchObject({
      success: false,
      error: { internal_error: '' },
      code: 'already_exists',
      http_status_code: 409,
      details: { customer_id: first.id, errors: [{ field: 'external_id' }] },
    })
  })

  it('returns 200 and the existing customer, unchanged, with if_exists=return', async () => {
    const { send, create } = await caller()
    const first = await create({ external_id: 'user_1', name: 'First' })
    const body = { external_id: 'user_1', name: 'Second' }
    const again = await send('POST', '?if_exists=return', { body })
    expect([again.status, again.body]).toEqual([200, first])
    const other = await send('POST', '?if_exists=return', { body: { ...body, external_id: 'user_2' } })
    expect([other.status, other.body.name]).toEqual([201, 'Second'])
    expect((await send('POST', '?if_exists=fail', { body })).status).toBe(409)
    expect((await send('POST', '?if_exists=maybe', { body })).status).toBe(400)
  })

  it('makes one customer and 199 × 409 of two hundred concurrent requests with one external id', async () => {
    const { send } = await caller()
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => send('POST', '', { body: { external_id: 'contested' } })),
    )
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(199)
    for (const { status, body } of answers) if (status === 409) expect(body.details.customer_id).toBe(made[0]?.body.id)
    const list = await send('GET', '?status=published,draft,archived')
    expect(list.body.pagination.total).toBe(1)
    expect(list.body.items).toEqual([made[0]?.body])
  })

  it('allows the same external id in live and in test', async () => {
    const { tenant, create } = await caller()
    const live = await create({ external_id: 'both' })
    const test = await newCustomer(tenant.test.key, { external_id: 'both' })
    expect(test.environment_id).toBe('env_test')
    expect(test.id).not.toBe(live.id)
  })
})

describe('reading', () => {
  it('returns the same answer by id, by external id and by look-up key', async () => {
    const { send, create } = await caller()
    const made = await create({ external_id: 'user_1', name: 'Acme' })
    for (const path of [`/${made.id}`, '/external/user_1', '/lookup/user_1']) {
      const { status, body, headers } = await send('GET', path)
      expect([status, body, headers.get('etag')]).toEqual([200, made, '"1"'])
    }
  })

  it('returns 404 for a customer that does not exist, whatever the form of the id', async () => {
    const { send } = await caller()
    const bodies = new Set<string>()
    for (const path of [
      `/${UNKNOWN_ID}`,
      '/nonsense',
      '/cust_1',
      '/external/nobody',
      `/lookup/${'x'.repeat(256)}`,
      '/external/a%00b',
    ]) {
      const { status, body, text } = await send('GET', path)
      expect([path, status, body.code]).toEqual([path, 404, 'not_found'])
      bodies.add(text)
    }
    expect(bodies.size).toBe(1)
  })

  it('finds an archived customer by its id and not by its external id', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'gone' })
    await send('DELETE', `/${id}`)
    expect((await send('GET', `/${id}`)).body).toMatchObject({ id, status: 'archived' })
    expect((await send('GET', '/external/gone')).status).toBe(404)
    expect((await send('GET', '/lookup/gone')).status).toBe(404)
  })

  it('returns 400 for an external id in the path that is not UTF-8, not another customer', async () => {
    const { send, create } = await caller()
    await create({ external_id: '%E9' })
    for (const path of ['/external/%E9', '/lookup/a%']) {
      const { status, body } = await send('GET', path)
      expect([status, body.details?.errors[0].field]).toEqual([400, 'external_id'])
    }
    expect((await send('GET', '/external/%25E9')).status).toBe(200)
  })

  it('answers HEAD as GET, without the body', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    for (const path of ['', `/${id}`, '/external/user_1']) {
      const head = await send('HEAD', path)
      expect([path, head.status, head.text]).toEqual([path, 200, ''])
      expect(head.headers.get('etag')).toBe((await send('GET', path)).headers.get('etag'))
    }
    expect((await send('HEAD', `/${UNKNOWN_ID}`)).status).toBe(404)
  })

  it('serves a hot read from memory, and shows a change in the next one', async () => {
    const { send, create } = await caller()
    const { id } = await create({ name: 'Before' })
    await send('GET', `/${id}`)
    expect((await send('GET', `/${id}`)).headers.get('cache-status')).toBe('roster; hit; detail=memory')
    const changed = await send('PUT', `/${id}`, { body: { name: 'After' } })
    const headers = { 'consistency-token': changed.headers.get('consistency-token') ?? '' }
    expect((await send('GET', `/${id}`, { headers })).body).toEqual(changed.body)
  })

  it('answers if-none-match with 304 until the customer changes, also for weak forms and lists of tags', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    const read = (tag: string, path = `/${id}`) => send('GET', path, { headers: { 'if-none-match': tag } })
    for (const tag of ['"1"', 'W/"1"', '"9", "1"', '*']) {
      const { status, text, headers } = await read(tag)
      expect([tag, status, text, headers.get('etag')]).toEqual([tag, 304, '', '"1"'])
    }
    expect((await read('"1"', '/external/user_1')).status).toBe(304)
    expect((await read('"2"')).status).toBe(200)
    const { headers } = await send('PUT', `/${id}`, { body: { name: 'Changed' } })
    const { status } = await send('GET', `/${id}`, {
      headers: { 'if-none-match': '"1"', 'consistency-token': headers.get('consistency-token') ?? '' },
    })
    expect(status).toBe(200)
  })
})

describe('reading a customer as it was', () => {
  it('answers what a read then answered, by version and by time, by id and by the external id of then', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'first', name: 'One', metadata: { plan: 'pro' } })
    const first = await send('GET', `/${id}`)
    const { headers } = await send('PATCH', `/${id}`, { body: { external_id: 'second', metadata: { plan: null } } })
    const token = { 'consistency-token': headers.get('consistency-token') ?? '' }
    const asOf = `?as_of=${encodeURIComponent(first.body.updated_at)}`
    for (const path of [`/${id}?version=1`, `/${id}${asOf}`, `/external/first${asOf}`, `/lookup/second?version=1`]) {
      const { status, text, headers } = await send('GET', path, { headers: token })
      expect([path, status, text, headers.get('etag')]).toEqual([path, 200, first.text, '"1"'])
    }
    const tagged = { ...token, 'if-none-match': '"1"' }
    expect((await send('GET', `/${id}?version=1`, { headers: tagged })).status).toBe(304)
    expect((await send('GET', `/${id}?version=2`, { headers: tagged })).body).toMatchObject({ external_id: 'second' })
    expect((await send('GET', `/external/second${asOf}`, { headers: token })).status).toBe(404)
    for (const moment of ['version=3', 'as_of=2020-01-01'])
      expect((await send('GET', `/${id}?${moment}`)).body.code).toBe('not_found')
  })

  it('shows the parent as it was then, and an etag that says so', async () => {
    const { send, create } = await caller()
    const { id: parent } = await create({ name: 'Old name' })
    const { id } = await create({ parent_customer_id: parent })
    const then = new Date().toISOString()
    const expanded = `/${id}?expand=parent_customer,integrations`
    const before = await send('GET', expanded)
    // The next change is in a later millisecond than the time that was read here.
    while (new Date().toISOString() <= then) await scheduler.wait(1)
    await send('PATCH', `/${parent}`, { body: { name: 'New name' } })
    const { text, body, headers } = await send('GET', `${expanded}&as_of=${then}`)
    expect(body.parent_customer.name).toBe('Old name')
    expect([text, headers.get('etag')]).toEqual([before.text, before.headers.get('etag')])
    expect((await send('GET', expanded)).body.parent_customer.name).toBe('New name')
  })

  it('returns 400 for a moment that is none, for two, and for what is not known of the past', async () => {
    const { send, create } = await caller()
    const { id } = await create()
    const wrong = { version: ['0', '-1', '1.5', 'first', ''], as_of: ['yesterday', '2026-02-30', ''] }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const { status, body } = await send('GET', `/${id}?${name}=${value}`)
        expect([value, status, body.details.errors[0].field]).toEqual([value, 400, name])
      }
    }
    for (const [query, field] of [
      ['version=1&as_of=2026-01-01', 'as_of'],
      ['version=1&expand=children', 'expand'],
      ['as_of=2026-01-01&expand=parent_customer,aliases', 'expand'],
    ]) {
      const { status, body } = await send('GET', `/${id}?${query}`)
      expect([query, status, body.details.errors[0].field]).toEqual([query, 400, field])
    }
  })

  it('returns 410 once what the customer was is no longer kept', async () => {
    const { tenant, send, create } = await caller()
    const { id } = await create()
    for (const name of ['Two', 'Three']) await send('PATCH', `/${id}`, { body: { name } })
    await env.DB.prepare('DELETE FROM events WHERE tenant_id = ? AND version < 3').bind(tenant.tenantId).run()
    const { status, body } = await send('GET', `/${id}?version=1`)
    expect([status, body.code]).toEqual([410, 'history_expired'])
    expect((await send('GET', `/${id}?version=2`)).body).toMatchObject({ name: 'Two' })
  })
})

describe('reverting', () => {
  it('makes a new version with everything as it was, parent, integrations and status too', async () => {
    const { key, send, create } = await caller()
    const { id: parent } = await create()
    const entity = [{ provider: 'stripe', id: 'cus_1' }]
    const { id } = await create({
      external_id: 'first',
      name: 'Zoë',
      metadata: { plan: 'pro' },
      parent_customer_id: parent,
      integration_entity_mapping: entity,
      status: 'draft',
    })
    const expand = '?expand=integrations'
    const first = (await send('GET', `/${id}${expand}`)).body
    const others = { external_id: 'second', name: null, metadata: { plan: null, seats: '3' }, status: 'published' }
    await send('PATCH', `/${id}`, {
      body: { ...others, parent_customer_id: null, integration_entity_mapping: [], address_city: 'Rome' },
    })
    await send('DELETE', `/${id}`)
    const reverted = await send('POST', `/${id}/revert`, { body: { as_of: first.updated_at } })
    expect([reverted.status, reverted.headers.get('etag')]).toEqual([200, '"4"'])
    const { body } = await send('GET', `/${id}${expand}`)
    expect(body).toEqual({ ...first, updated_at: body.updated_at })
    expect((await send('GET', '?q=zoe')).body.items.map((one: { id: string }) => one.id)).toEqual([id])
    expect((await send('GET', '/external/first')).body.id).toBe(id)

    expect((await send('POST', `/${id}/revert`, { body: { version: 3 } })).body).toMatchObject({
      ...{ status: 'archived', external_id: 'second', address_city: 'Rome' },
    })
    expect((await send('GET', '/external/first')).status).toBe(404)
    const { body: log } = await call('GET', `/v1/customers/${id}/events`, { key })
    const types = ['archived', 'restored', 'archived', 'updated', 'created']
    expect(log.items.map(({ type }: { type: string }) => type)).toEqual(types.map((type) => `customer.${type}`))
  })

  it('changes nothing where the customer is what it was', async () => {
    const { send, create } = await caller()
    const { id } = await create({ name: 'One' })
    await send('PATCH', `/${id}`, { body: { name: 'Two' } })
    await send('PATCH', `/${id}`, { body: { name: 'One' } })
    for (const version of [1, 3]) {
      const { status, headers } = await send('POST', `/${id}/revert`, { body: { version } })
      expect([status, headers.get('etag')]).toEqual([200, '"3"'])
    }
  })

  it('changes nothing where nothing but the status differs, which is not to be had', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'mine' })
    await send('DELETE', `/${id}`)
    await create({ external_id: 'mine' })
    const { status, headers, body } = await send('POST', `/${id}/revert?partial=true`, { body: { version: 1 } })
    expect([status, headers.get('etag')]).toEqual([200, '"2"'])
    expect(body).toMatchObject({ status: 'archived', left: ['status'] })
  })

  it('returns 409 and names each field that is not to be had any more, and reverts the rest if it may', async () => {
    const { send, create } = await caller()
    const { id: parent } = await create()
    const mine = { external_id: 'mine', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }
    const { id } = await create({ ...mine, name: 'One', parent_customer_id: parent })
    const free = { external_id: 'other', integration_entity_mapping: [], parent_customer_id: null, name: 'Two' }
    await send('PATCH', `/${id}`, { body: free })
    const { id: taker } = await create(mine)
    await send('DELETE', `/${parent}`)

    const refused = await send('POST', `/${id}/revert`, { body: { version: 1 } })
    expect([refused.status, refused.body.code, refused.body.details.reason]).toEqual([
      ...[409, 'already_exists', 'revert_conflict'],
    ])
    expect(refused.body.details.conflicts).toEqual([
      { field: 'external_id', reason: 'external_id_taken', customer_id: taker },
      { field: 'integration_entity_mapping', reason: 'integration_taken', customer_id: taker },
      { field: 'parent_customer_id', reason: 'parent_not_found', customer_id: parent },
    ])
    expect(refused.body.details.errors.map(({ field }: { field: string }) => field)).toEqual(
      refused.body.details.conflicts.map(({ field }: { field: string }) => field),
    )
    expect((await send('GET', `/${id}`)).body.name).toBe('Two')
    const part = { body: { version: 1 }, headers: { 'idempotency-key': 'part' } }
    for (const replayed of [null, 'true']) {
      const { status, body, headers } = await send('POST', `/${id}/revert?partial=true`, part)
      expect([status, headers.get('etag'), headers.get('idempotent-replayed')]).toEqual([200, '"3"', replayed])
      expect(body).toMatchObject({ name: 'One', external_id: 'other', parent_customer_id: null })
      expect(body.left).toEqual(['external_id', 'parent_customer_id', 'integration_entity_mapping'])
    }
  })

  it('keeps a customer that others belong to from being archived again', async () => {
    const { send, create } = await caller()
    const { id } = await create()
    await send('DELETE', `/${id}`)
    await send('POST', `/${id}/restore`)
    await create({ parent_customer_id: id })
    const { body } = await send('POST', `/${id}/revert`, { body: { version: 2 } })
    expect(body.details.conflicts).toEqual([{ field: 'status', reason: 'has_children', customer_id: null }])
  })

  it('returns 400 without one moment, and 404 and 410 as a read of it', async () => {
    const { send, create } = await caller()
    const { id } = await create()
    for (const body of [{}, { version: 1, as_of: '2026-01-01' }, { version: 0 }, { version: 1.5 }, { as_of: 'then' }])
      expect((await send('POST', `/${id}/revert`, { body })).status).toBe(400)
    for (const body of [{ version: 2 }, { as_of: '2020-01-01' }])
      expect((await send('POST', `/${id}/revert`, { body })).status).toBe(404)
    await send('PATCH', `/${id}`, { body: { name: 'Two' } })
    await env.DB.prepare('DELETE FROM events WHERE customer_id = ?').bind(id).run()
    expect((await send('POST', `/${id}/revert`, { body: { version: 1 } })).status).toBe(410)
  })
})

describe('expand', () => {
  async function family() {
    const us = await caller()
    const grandparent = await us.create({ external_id: 'grandparent' })
    const parent = await us.create({
      external_id: 'parent',
      parent_customer_id: grandparent.id,
      integration_entity_mapping: [{ provider_type: 'stripe', provider_entity_id: 'cus_1', label: 'main' }],
    })
    const child = await us.create({ external_id: 'child', parent_customer_external_id: 'parent' })
    return { ...us, grandparent, parent, child }
  }

  it('shows the parent, the children, the integrations and the former external ids', async () => {
    const { send, grandparent, parent, child } = await family()
    await send('PUT', `/${parent.id}`, { body: { external_id: 'renamed' } })
    const names = 'parent_customer,children,integrations,aliases'
    for (const path of [`/${parent.id}`, '/external/parent', '/lookup/renamed']) {
      const { body } = await send('GET', `${path}?expand=${names}`)
      expect(body).toMatchObject({ id: parent.id, external_id: 'renamed', parent_customer: grandparent })
      expect(body.children).toEqual([child])
      expect(body.integrations).toEqual([
        { provider: 'stripe', id: 'cus_1', provider_type: 'stripe', provider_entity_id: 'cus_1', label: 'main' },
      ])
      expect(body.old_external_ids).toEqual(['parent'])
    }
  })

  it('shows null or an empty list where nothing exists, and no key that was not requested', async () => {
    const { send, grandparent } = await family()
    const { body } = await send('GET', `/${grandparent.id}?expand=parent_customer,integrations,aliases`)
    expect(body).toEqual({ ...grandparent, integrations: [], old_external_ids: [] })
    expect((await send('GET', `/${grandparent.id}?expand=`)).body).toEqual(grandparent)
    expect((await send('GET', `/${grandparent.id}`)).body).toEqual(grandparent)
  })

  it('changes the etag when a shown parent or child changes', async () => {
    const { send, grandparent, parent, child } = await family()
    const tagOf = async (names: string, token = '') => {
      const headers: Record<string, string> = token === '' ? {} : { 'consistency-token': token }
      return (await send('GET', `/${parent.id}?expand=${names}`, { headers })).headers.get('etag')
    }
    for (const [names, id] of [
      ['parent_customer', grandparent.id],
      ['children', child.id],
    ]) {
      const before = await tagOf(`${names}`)
      expect(await tagOf(`${names}`)).toBe(before)
      const change = await send('PUT', `/${id}`, { body: { name: `Changed for ${names}` } })
      const after = await tagOf(`${names}`, change.headers.get('consistency-token') ?? '')
      expect(after).not.toBe(before)
      const read = { 'if-none-match': `${after}` }
      expect((await send('GET', `/${parent.id}?expand=${names}`, { headers: read })).status).toBe(304)
      // A change is conditional on the version inside of the etag.
      const write = { 'if-match': `${after}` }
      expect((await send('PUT', `/${parent.id}`, { body: {}, headers: write })).status).toBe(200)
    }
  })

  it('returns 400 for an unknown name', async () => {
    const { send, parent } = await family()
    const { status, body } = await send('GET', `/${parent.id}?expand=parent_customer,shoes`)
    expect([status, body.details.errors[0].field]).toEqual([400, 'expand'])
  })
})

describe('which customer a PUT is for', () => {
  it('is named by id in the path or the query, by external id, or by all of them', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    const paths = [`/${id}`, `?id=${id}`, '?external_customer_id=user_1', `?id=${id}&external_customer_id=user_1`]
    paths.push(`/${id}?external_customer_id=user_1`, `/${id}?id=${id}`, `/${id}?id=${id}&external_customer_id=user_1`)
    for (const [at, path] of paths.entries()) {
      const { status, body } = await send('PUT', path, { body: { name: `Name ${at}` } })
      expect([path, status, body.id, body.name]).toEqual([path, 200, id, `Name ${at}`])
    }
  })

  it('returns 400 for names of different customers and changes neither', async () => {
    const { send, create } = await caller()
    const one = await create({ external_id: 'one' })
    const two = await create({ external_id: 'two' })
    const paths = [
      `?id=${one.id}&external_customer_id=two`,
      `/${one.id}?external_customer_id=two`,
      `/${one.id}?id=${two.id}`,
    ]
    for (const path of paths) {
      const { status, body } = await send('PUT', path, { body: { name: 'Changed' } })
      expect([path, status, body.code, body.details.reason]).toEqual([
        path,
        400,
        'validation_error',
        'targets_disagree',
      ])
    }
    expect((await send('GET', `/${one.id}`)).body).toEqual(one)
    expect((await send('GET', `/${two.id}`)).body).toEqual(two)
  })

  it('returns 400 without a name and 404 for an unknown one', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    expect((await send('PUT', '', { body: {} })).status).toBe(400)
    expect((await send('PUT', '?id=', { body: {} })).status).toBe(400)
    expect((await send('PUT', '?external_customer_id=', { body: {} })).status).toBe(400)
    expect((await send('PUT', `?id=${id}&id=${id}`, { body: {} })).status).toBe(400)
    for (const path of [
      `/${UNKNOWN_ID}`,
      '/nonsense',
      `?id=${UNKNOWN_ID}`,
      '?external_customer_id=nobody',
      `?id=${id}&external_customer_id=nobody`,
    ]) {
      expect([path, (await send('PUT', path, { body: { name: 'x' } })).status]).toEqual([path, 404])
    }
  })

  it('finds the customer by a former external id, until another customer takes it', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'old' })
    await send('PUT', `/${id}`, { body: { external_id: 'new' } })
    expect((await send('PUT', '?external_customer_id=old', { body: { name: 'Found' } })).body.id).toBe(id)
    const other = await create({ external_id: 'old' })
    expect((await send('PUT', '?external_customer_id=old', { body: { name: 'Other' } })).body.id).toBe(other.id)
    const headers = {}
    expect((await send('GET', '/external/new', { headers })).body).toMatchObject({ id, name: 'Found' })
  })
})

describe('upsert', () => {
  it('creates with 201, updates with 200, and changes only the sent fields', async () => {
    const { send } = await caller()
    const made = await send('PUT', '/external/user_1', { body: { name: 'First', email: 'a@example.com' } })
    expect([made.status, made.body.external_id, made.body.name]).toEqual([201, 'user_1', 'First'])
    const changed = await send('PUT', '/external/user_1', { body: { name: 'Second', external_id: 'user_1' } })
    expect([changed.status, changed.body]).toMatchObject([
      200,
      { id: made.body.id, name: 'Second', email: 'a@example.com' },
    ])
    const same = await send('PUT', '/external/user_1', { body: {} })
    expect([same.status, same.headers.get('etag')]).toEqual([200, '"2"'])
  })

  it('returns 400 for another external id in the body', async () => {
    const { send } = await caller()
    const { status, body } = await send('PUT', '/external/user_1', { body: { external_id: 'user_2' } })
    expect([status, body.details.errors[0].field]).toEqual([400, 'external_id'])
    expect((await send('GET', '')).body.items).toEqual([])
  })

  it('returns 400 for an external id that no customer can have', async () => {
    const { send } = await caller()
    for (const name of ['x'.repeat(256), 'a%00b', '%FF']) {
      const { status, body } = await send('PUT', `/external/${name}`, { body: {} })
      expect([status, body.details.errors[0].field]).toEqual([400, 'external_id'])
    }
  })

  it('makes one customer of a hundred concurrent requests', async () => {
    const { send } = await caller()
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        send('PUT', '/external/one', { body: { metadata: { [`k${at % 10}`]: `${at}` } } }),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(99)
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect((await send('GET', '')).body.pagination.total).toBe(1)
  })

  it('only changes an existing customer with if-match', async () => {
    const { send } = await caller()
    const put = (tag: string) => send('PUT', '/external/user_1', { body: { name: tag }, headers: { 'if-match': tag } })
    expect((await put('"1"')).status).toBe(412)
    expect((await put('*')).status).toBe(412)
    await send('PUT', '/external/user_1', { body: {} })
    expect((await put('"7"')).status).toBe(412)
    expect((await put('*')).status).toBe(200)
    expect((await put('"2"')).status).toBe(200)
  })
})

describe('archiving and restoring', () => {
  it('returns 204, then 404 for the second delete; the external id is free again', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    const gone = await send('DELETE', `/${id}`)
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await send('DELETE', `/${id}`)).status).toBe(404)
    expect((await send('DELETE', `/${UNKNOWN_ID}`)).status).toBe(404)
    expect((await create({ external_id: 'user_1' })).id).not.toBe(id)
  })

  it('restores the customer as it was, or returns 409 when its external id was taken meanwhile', async () => {
    const { send, create } = await caller()
    const made = await create({ external_id: 'user_1', status: 'draft' })
    await send('DELETE', `/${made.id}`)
    const back = await send('POST', `/${made.id}/restore`)
    expect([back.status, back.body.status, back.body.external_id]).toEqual([200, 'draft', 'user_1'])
    expect((await send('POST', `/${made.id}/restore`)).status).toBe(200)
    await send('DELETE', `/${made.id}`)
    const taker = await create({ external_id: 'user_1' })
    const refused = await send('POST', `/${made.id}/restore`)
    expect([refused.status, refused.body.details.customer_id]).toEqual([409, taker.id])
    expect((await send('POST', `/${UNKNOWN_ID}/restore`)).status).toBe(404)
  })

  it('is refused while the customer has children that are not archived', async () => {
    const { send, create } = await caller()
    const parent = await create({})
    const child = await create({ parent_customer_id: parent.id })
    const refused = await send('DELETE', `/${parent.id}`)
    expect([refused.status, refused.body.code, refused.body.details.reason]).toEqual([
      400,
      'invalid_operation',
      'has_children',
    ])
    await send('DELETE', `/${child.id}`)
    expect((await send('DELETE', `/${parent.id}`)).status).toBe(204)
    // Its parent is archived by now.
    const orphan = await send('POST', `/${child.id}/restore`)
    expect([orphan.status, orphan.body.details.errors[0].field]).toEqual([400, 'parent_customer_id'])
  })

  it('refuses to change an archived customer', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    await send('DELETE', `/${id}`)
    const refused = await send('PUT', `/${id}`, { body: { name: 'x' } })
    expect([refused.status, refused.body.code, refused.body.details.reason]).toEqual([
      400,
      'invalid_operation',
      'archived',
    ])
    expect((await send('PUT', '?external_customer_id=user_1', { body: { name: 'x' } })).status).toBe(404)
  })
})

describe('if-match', () => {
  it('returns 412 on every change unless the version matches, and changes nothing', async () => {
    const { send, create } = await caller()
    const { id } = await create({ external_id: 'user_1' })
    const changes: [string, string, object?][] = [
      ['PUT', `/${id}`, { name: 'A' }],
      ['PUT', '?external_customer_id=user_1', { name: 'B' }],
      ['PUT', '/external/user_1', { name: 'C' }],
      ['PATCH', `/${id}`, { name: 'D' }],
      ['DELETE', `/${id}`],
      ['POST', `/${id}/restore`],
    ]
    for (const [at, [method, path, body]] of changes.entries()) {
      const stale = await send(method, path, { body, headers: { 'if-match': '"99"' } })
      expect([method, path, stale.status, stale.body.code]).toEqual([method, path, 412, 'version_conflict'])
      expect(stale.body.details).toEqual({ current_version: at + 1 })
      for (const bad of ['1', 'W/1', '"1" "2"', '*, "1"', '"1']) {
        const refused = await send(method, path, { body, headers: { 'if-match': bad } })
        expect([bad, refused.status, refused.body.details.errors[0].field]).toEqual([bad, 400, 'if-match'])
      }
      const tag = at % 2 === 0 ? `"${at + 1}"` : `W/"${at + 1}"`
      const done = await send(method, path, { body, headers: { 'if-match': tag } })
      expect([method, path, done.status]).toEqual([method, path, method === 'DELETE' ? 204 : 200])
    }
    expect((await send('GET', `/${id}`)).headers.get('etag')).toBe('"7"')
  })
})

describe('parents', () => {
  it('names the field that the caller used in a failure about the parent', async () => {
    const { send, create } = await caller()
    const top = await create({ external_id: 'top' })
    const below = await create({ external_id: 'below', parent_customer_id: top.id })
    const cases: [string, string, object, string, string][] = [
      ['POST', '', { external_id: 'x', parent_customer_id: UNKNOWN_ID }, 'parent_customer_id', 'parent_not_found'],
      ['POST', '', { external_id: 'x', parent_customer_id: 'nonsense' }, 'parent_customer_id', 'parent_not_found'],
      [
        'POST',
        '',
        { external_id: 'x', parent_customer_external_id: 'no' },
        'parent_customer_external_id',
        'parent_not_found',
      ],
      ['PUT', `/${top.id}`, { parent_customer_id: below.id }, 'parent_customer_id', 'parent_cycle'],
      ['PUT', `/${top.id}`, { parent_customer_external_id: 'top' }, 'parent_customer_external_id', 'parent_cycle'],
      ['PATCH', `/${top.id}`, { parent_customer_external_id: 'below' }, 'parent_customer_external_id', 'parent_cycle'],
      [
        'PUT',
        '/external/new',
        { parent_customer_external_id: 'no' },
        'parent_customer_external_id',
        'parent_not_found',
      ],
    ]
    for (const [method, path, body, field, reason] of cases) {
      const refused = await send(method, path, { body })
      expect([reason, refused.status, refused.body.code]).toEqual([reason, 400, 'validation_error'])
      expect(refused.body.details).toMatchObject({ reason, errors: [{ field, fix: expect.stringMatching(/./) }] })
    }
    expect((await send('GET', '')).body.pagination.total).toBe(2)
  })

  it('allows at most ten levels', async () => {
    const { send, create } = await caller()
    let parent = await create({})
    for (let level = 2; level <= 10; level++) parent = await create({ parent_customer_id: parent.id })
    const refused = await send('POST', '', { body: { external_id: 'deep', parent_customer_id: parent.id } })
    expect([refused.status, refused.body.details.reason]).toEqual([400, 'parent_too_deep'])
  })

  it("refuses alike another tenant's customer, one of the other mode and one that does not exist", async () => {
    const us = await caller()
    const them = await caller()
    const theirs = await them.create({})
    const ofTest = await newCustomer(us.tenant.test.key)
    const refusals = await Promise.all(
      [theirs.id, ofTest.id, UNKNOWN_ID].map((id) =>
        us.send('POST', '', { body: { external_id: 'x', parent_customer_id: id } }),
      ),
    )
    expect(refusals.map(({ status }) => status)).toEqual([400, 400, 400])
    expect(new Set(refusals.map(({ text }) => text)).size).toBe(1)
  })
})

describe('integrations', () => {
  const mapping = (id: string) => ({ integration_entity_mapping: [{ provider: 'stripe', id }] })

  it('belong to one customer each; a list in an update replaces the whole', async () => {
    const { send, create } = await caller()
    const one = await create(mapping('cus_1'))
    const refused = await send('POST', '', { body: { external_id: 'two', ...mapping('cus_1') } })
    expect([refused.status, refused.body.code, refused.body.details.errors[0].field]).toEqual([
      409,
      'already_exists',
      'integration_entity_mapping',
    ])
    await send('PUT', `/${one.id}`, { body: mapping('cus_2') })
    expect((await send('GET', `/${one.id}?expand=integrations`)).body.integrations).toMatchObject([{ id: 'cus_2' }])
    const two = await create(mapping('cus_1'))
    await send('PATCH', `/${two.id}`, { body: { integration_entity_mapping: null } })
    expect((await send('PUT', `/${one.id}`, { body: mapping('cus_1') })).status).toBe(200)
  })
})

describe('keys', () => {
  it('are accepted in x-api-key as well as a bearer', async () => {
    const { key, create } = await caller()
    const made = await create({})
    const read = await call('GET', `/v1/customers/${made.id}`, { headers: { 'x-api-key': key } })
    expect([read.status, read.body]).toEqual([200, made])
  })

  it('return 403 without the scope and name the missing one', async () => {
    const { tenant, create } = await caller()
    const { id } = await create({})
    const reader = await newKey(tenant.tenantId, { scopes: ['customers:read'] })
    const writer = await newKey(tenant.tenantId, { scopes: ['customers:write'] })
    const refused = await call('PUT', `/v1/customers/${id}`, { key: reader.key, body: { name: 'x' } })
    expect([refused.status, refused.body.code]).toEqual([403, 'permission_denied'])
    expect(refused.body.details).toEqual({ reason: 'missing_scope', scope: 'customers:write' })
    for (const path of [`/${id}`, '', '/external/x']) {
      const unread = await call('GET', `/v1/customers${path}`, { key: writer.key })
      expect([unread.status, unread.body.details.scope]).toEqual([403, 'customers:read'])
    }
  })
})
