/**
 * Every example of the reference documents for creating, getting and updating a customer, and every sentence of theirs that
 * can be checked. The documents of the FlatPeak API and the admin API are in the tests of those APIs.
 */
import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import {
  CHOSEN_BY_THE_SERVER,
  CREATE_CURL,
  CREATE_METADATA,
  CUSTOMER_RESPONSE,
  GET_CURL,
  requestOf,
} from './support/reference-documents.ts'
import { type CallOptions, call, newCustomer, newTenant, ORIGIN } from './support/roster.ts'

async function caller() {
  const { key } = (await newTenant()).live
  const send = (method: string, path: string, options: CallOptions = {}) =>
    call(method, `/v1/customers${path}`, { key, ...options })
  const curl = async (text: string, id?: string) => {
    const answer = await exports.default.fetch(
      requestOf(text, { origin: ORIGIN, key, ...(id !== undefined && { id }) }),
    )
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  return { key, send, curl }
}

/** Checks the document's answer: fields that the server chooses are of the same kind, all others are equal. */
function expectDocumentedResponse(body: Record<string, unknown>): void {
  const expected: Record<string, unknown> = JSON.parse(CUSTOMER_RESPONSE)
  for (const name of CHOSEN_BY_THE_SERVER) expected[name] = expect.stringMatching(/./)
  for (const name of ['created_at', 'updated_at'])
    expected[name] = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  expected.id = expect.stringMatching(/^cust_/)
  expect(body).toMatchObject(expected)
}

describe('create customer, the reference document', () => {
  it('answers the example request as the document shows', async () => {
    const { curl } = await caller()
    const { status, body } = await curl(CREATE_CURL)
    expect(status).toBe(201)
    expectDocumentedResponse(body)
  })

  it('stores the example of metadata as it is', async () => {
    const { send } = await caller()
    const metadata = JSON.parse(CREATE_METADATA)
    const { status, body } = await send('POST', '', { body: { external_id: 'user_12345', metadata } })
    expect([status, body.metadata]).toEqual([201, metadata])
  })

  it('requires external_id and nothing else', async () => {
    const { send } = await caller()
    const refused = await send('POST', '', { body: { name: 'Acme Corporation' } })
    expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, 'external_id'])
    expect((await send('POST', '', { body: { external_id: 'user_12345' } })).status).toBe(201)
  })

  it('accepts every field of the document', async () => {
    const { key, send } = await caller()
    const parent = await newCustomer(key, { external_id: 'parent' })
    const body = {
      external_id: 'user_12345',
      name: 'Acme Corporation',
      email: 'billing@acme.com',
      address_line1: '123 Main Street',
      address_line2: 'Suite 1',
      address_city: 'San Francisco',
      address_state: 'CA',
      address_postal_code: '94105',
      address_country: 'US',
      metadata: { internal_id: 'user_12345' },
      parent_customer_external_id: 'parent',
      integration_entity_mapping: [
        { provider: 'stripe', id: 'cus_1' },
        { provider: 'razorpay', id: 'cust_1' },
        { provider: 'paypal', id: 'P-1' },
      ],
      skip_onboarding_workflow: true,
    }
    const made = await send('POST', '', { body })
    const {
      parent_customer_external_id: _,
      integration_entity_mapping: __,
      skip_onboarding_workflow: ___,
      ...shown
    } = body
    expect([made.status, made.body]).toMatchObject([201, { ...shown, parent_customer_id: parent.id }])
    const byId = { external_id: 'user_2', parent_customer_id: parent.id }
    expect((await send('POST', '', { body: byId })).body.parent_customer_id).toBe(parent.id)
    const both = { external_id: 'user_3', parent_customer_id: parent.id, parent_customer_external_id: 'parent' }
    expect((await send('POST', '', { body: both })).status).toBe(400)
  })

  it.each([
    ['address_line1', 255],
    ['address_line2', 255],
    ['address_city', 100],
    ['address_state', 100],
    ['address_postal_code', 20],
  ])('%s has at most %d characters', async (field, max) => {
    const { send } = await caller()
    expect((await send('POST', '', { body: { external_id: 'a', [field]: 'x'.repeat(max) } })).status).toBe(201)
    const refused = await send('POST', '', { body: { external_id: 'b', [field]: 'x'.repeat(max + 1) } })
    expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, field])
  })

  it('requires a valid e-mail address and an ISO 3166-1 alpha-2 country', async () => {
    const { send } = await caller()
    for (const country of ['US', 'GB', 'CA']) {
      const { status } = await send('POST', '', { body: { external_id: country, address_country: country } })
      expect([country, status]).toEqual([country, 201])
    }
    expect((await send('POST', '', { body: { external_id: 'x', address_country: 'USA' } })).status).toBe(400)
    expect((await send('POST', '', { body: { external_id: 'x', email: 'billing@' } })).status).toBe(400)
  })
})

describe('get customer, the reference document', () => {
  it('answers the example request as the document shows', async () => {
    const { curl } = await caller()
    const made = await curl(CREATE_CURL)
    const { status, body } = await curl(GET_CURL, String(made.body.id))
    expect(status).toBe(200)
    expectDocumentedResponse(body)
    expect(body).toEqual(made.body)
  })

  it('returns 404 for the id of the example itself', async () => {
    const { curl } = await caller()
    expect((await curl(GET_CURL)).status).toBe(404)
  })

  it('returns parent_customer if it is expanded and a parent exists', async () => {
    const { key, send } = await caller()
    const parent = await newCustomer(key, { name: 'Parent' })
    const child = await newCustomer(key, { parent_customer_id: parent.id })
    expect((await send('GET', `/${child.id}?expand=parent_customer`)).body.parent_customer).toEqual(parent)
    expect((await send('GET', `/${parent.id}?expand=parent_customer`)).body.parent_customer).toBeNull()
    expect((await send('GET', `/${child.id}`)).body).toMatchObject({
      parent_customer_id: parent.id,
      parent_customer: null,
    })
  })

  it('returns a customer that is published, draft or archived', async () => {
    const { key, send } = await caller()
    const published = await newCustomer(key)
    const draft = await newCustomer(key, { status: 'draft' })
    const archived = await newCustomer(key)
    await send('DELETE', `/${archived.id}`)
    const statuses = await Promise.all([published, draft, archived].map(({ id }) => send('GET', `/${id}`)))
    expect(statuses.map(({ body }) => body.status)).toEqual(['published', 'draft', 'archived'])
  })

  it('finds it by its external id at the endpoint that the document names', async () => {
    const { curl, send } = await caller()
    const { body } = await curl(CREATE_CURL)
    expect((await send('GET', '/external/user_12345')).body).toEqual(body)
  })
})

describe('update customer, the reference document', () => {
  const body = {
    external_id: 'user_67890',
    name: 'Acme Inc.',
    email: 'accounts@acme.com',
    address_line1: '456 Market Street',
    address_line2: 'Floor 3',
    address_city: 'Oakland',
    address_state: 'California',
    address_postal_code: '94607',
    address_country: 'CA',
    metadata: { plan_tier: 'scale' },
  }

  it('updates every field of the document and keeps the rest', async () => {
    const { curl, send } = await caller()
    let shown = (await curl(CREATE_CURL)).body
    for (const [field, value] of Object.entries(body)) {
      const changed = await send('PUT', `/${shown.id}`, { body: { [field]: value } })
      expect([field, changed.status]).toEqual([field, 200])
      expect(changed.body).toEqual({ ...shown, [field]: value, updated_at: expect.any(String) })
      shown = changed.body
    }
  })

  it('updates all at once too; created_at and created_by stay, updated_at moves on', async () => {
    const { curl, send } = await caller()
    const made = (await curl(CREATE_CURL)).body
    const { body: changed } = await send('PUT', `/${made.id}`, { body })
    const { updated_at: before, ...rest } = made
    expect(changed).toEqual({ ...rest, ...body, updated_at: expect.any(String) })
    expect(changed.updated_at >= String(before)).toBe(true)
  })

  it('replaces the existing metadata completely', async () => {
    const { curl, send } = await caller()
    const { id } = (await curl(CREATE_CURL)).body
    const { body: changed } = await send('PUT', `/${id}`, { body: { metadata: { plan_tier: 'free' } } })
    expect(changed.metadata).toEqual({ plan_tier: 'free' })
  })

  it('names the customer by id as a path or query parameter, or by external_customer_id', async () => {
    const { curl, send } = await caller()
    const { id } = (await curl(CREATE_CURL)).body
    for (const path of [`/${id}`, `?id=${id}`, '?external_customer_id=user_12345']) {
      const { status, body } = await send('PUT', path, { body: { name: path } })
      expect([path, status, body.id, body.name]).toEqual([path, 200, id, path])
    }
  })

  it('requires that both refer to the same customer', async () => {
    const { key, curl, send } = await caller()
    const { id } = (await curl(CREATE_CURL)).body
    await newCustomer(key, { external_id: 'other' })
    for (const [path, status] of [
      [`/${id}?external_customer_id=user_12345`, 200],
      [`?id=${id}&external_customer_id=user_12345`, 200],
      [`/${id}?external_customer_id=other`, 400],
      [`?id=${id}&external_customer_id=other`, 400],
      ['', 400],
    ] as const) {
      expect([path, (await send('PUT', path, { body: { name: 'x' } })).status]).toEqual([path, status])
    }
  })

  it('names a parent by its id or its external id, but not both; mappings are updated', async () => {
    const { key, curl, send } = await caller()
    const { id } = (await curl(CREATE_CURL)).body
    const parent = await newCustomer(key, { external_id: 'parent' })
    for (const name of [{ parent_customer_id: parent.id }, { parent_customer_external_id: 'parent' }]) {
      await send('PUT', `/${id}`, { body: { parent_customer_id: null } })
      expect((await send('PUT', `/${id}`, { body: name })).body.parent_customer_id).toBe(parent.id)
    }
    const both = { parent_customer_id: parent.id, parent_customer_external_id: 'parent' }
    expect((await send('PUT', `/${id}`, { body: both })).status).toBe(400)
    await send('PUT', `/${id}`, { body: { integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }] } })
    const read = await send('GET', `/external/user_12345?expand=integrations`)
    expect(read.body.integrations).toMatchObject([{ provider: 'stripe', id: 'cus_1' }])
  })

  it('answers with every field of the document', async () => {
    const { curl, send } = await caller()
    const { id } = (await curl(CREATE_CURL)).body
    const { body: changed } = await send('PUT', `/${id}`, { body: {} })
    for (const name of Object.keys(JSON.parse(CUSTOMER_RESPONSE))) expect(changed).toHaveProperty(name)
  })
})
