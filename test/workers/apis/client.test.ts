/** Roster's own typed client at every HTTP API. That another project can install and compile it is tested in test/sdk. */
import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type RosterClientOptions, rosterClient } from '../../../src/client.ts'
import { ADMIN_KEY, newCustomer, newTenant, ORIGIN, requestTo } from '../support/roster.ts'

function clientOf(key: string, options: Pick<RosterClientOptions, 'actAs'> = {}) {
  const send = (url: RequestInfo | URL, init?: RequestInit) => exports.default.fetch(requestTo(String(url), init))
  return rosterClient(ORIGIN, key, { ...options, fetch: send })
}

describe('roster/client', () => {
  it('creates, reads, lists, changes and archives a customer, with any characters in its external id', async () => {
    const { live } = await newTenant()
    const { customers } = clientOf(live.key).v1
    const externalId = 'a/b é %?#&'
    const made = await customers.$post({ json: { external_id: externalId, metadata: { plan: 'pro' } } })
    if (!made.ok) throw new Error(made.statusText)
    const customer = await made.json()
    expect(made.status).toBe(201)
    const param = { external_id: encodeURIComponent(externalId) }
    const header = { 'consistency-token': made.headers.get('consistency-token') ?? '' }
    const read = await customers.external[':external_id'].$get({ param, header })
    expect(await read.json()).toEqual(customer)
    const query = { 'metadata[plan]': 'pro', expand: ['parent_customer', 'children'] }
    const listed = await customers.$get({ query, header })
    expect(await listed.json()).toMatchObject({ items: [{ id: customer.id, parent_customer: null, children: [] }] })
    const stale = await customers[':id'].$patch({ param: customer, json: { name: 'x' }, header: { 'if-match': '"7"' } })
    expect([stale.status, await stale.json()]).toMatchObject([412, { code: 'version_conflict' }])
    expect((await customers[':id'].$delete({ param: customer })).status).toBe(204)
  })

  it('names the tenant that an operator acts as', async () => {
    const { tenantId, live } = await newTenant()
    const { id } = await newCustomer(live.key)
    const { customers } = clientOf(ADMIN_KEY, { actAs: { tenantId, mode: 'live' } }).v1
    const header = { 'x-reason': 'ticket 4711' }
    const changed = await customers[':id'].$patch({ param: { id }, json: { name: 'Globex AG' }, header })
    expect([changed.status, await changed.json()]).toMatchObject([200, { name: 'Globex AG', updated_by: 'admin' }])
    expect((await customers[':id'].$patch({ param: { id }, json: { name: 'x' } })).status).toBe(400)
  })

  it('sends to each API the key that the API takes', async () => {
    const { tenantId, live } = await newTenant()
    const { customers, admin } = clientOf(live.key)
    const made = await customers.$post({ json: { reference_id: 'x', personal_details: { email: 'a@example.com' } } })
    expect([made.status, await made.json()]).toMatchObject([201, { personal_details: { email: 'a@example.com' } }])
    const refused = await admin.customers.$get({ query: {} })
    expect(refused.status).toBe(401)
    const shown = await clientOf(ADMIN_KEY).admin.customers[':customer_id'].$get({ param: { customer_id: tenantId } })
    expect([shown.status, await shown.json()]).toMatchObject([200, { customer_id: tenantId }])
  })
})
