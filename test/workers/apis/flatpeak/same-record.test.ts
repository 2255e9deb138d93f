/** The FlatPeak API and v1 serve one record: each reads what the other writes. */
import { describe, expect, it } from 'vitest'
import { newTenant } from '../../support/roster.ts'
import { call } from './caller.ts'
import { DOCUMENT_EXAMPLE } from './reference-example.ts'

describe('one record at both APIs', () => {
  it('is created at FlatPeak, read at v1, and shows v1’s changes at FlatPeak', async () => {
    const { tenantId, live } = await newTenant()
    const { key } = live
    const { body: made } = await call('POST', '/customers', { key, body: DOCUMENT_EXAMPLE })
    const { body: shown } = await call('GET', `/v1/customers/${made.id}`, { key })
    expect(shown).toMatchObject({
      id: made.id,
      external_id: 'ABC1234567890',
      name: '',
      email: 'user@example.com',
      contact: '440123456789',
      address_line1: '123',
      address_line2: 'Infinite Drive',
      address_city: 'London',
      address_state: 'Greater London',
      address_postal_code: 'SE110AA',
      address_country: 'GB',
      timezone: 'Etc/UTC',
      metadata: {},
      tenant_id: tenantId,
      status: 'published',
      created_at: made.time_created,
      created_by: live.keyId,
    })
    const change = {
      external_id: 'renamed',
      name: 'Ada',
      email: '',
      contact: '1',
      address_city: 'Berlin',
      address_country: 'de',
    }
    const { headers } = await call('PUT', `/v1/customers/${made.id}`, { key, body: change })
    const { body: seen, headers: seenHeaders } = await call('GET', `/customers/${made.id}`, { key })
    const { email: _, ...person } = DOCUMENT_EXAMPLE.personal_details
    expect(seen).toEqual({
      ...made,
      reference_id: 'renamed',
      personal_details: { ...person, phone: '1' },
      postal_address: { ...DOCUMENT_EXAMPLE.postal_address, city: 'Berlin', country_code: 'DE' },
    })
    // All APIs share one version: the etag of one is valid at the other.
    expect(seenHeaders.get('etag')).toBe(headers.get('etag'))
  })

  it('is created at v1, read at FlatPeak, and keeps its v1 fields through FlatPeak’s changes', async () => {
    const { live } = await newTenant()
    const { key } = live
    const body = {
      external_id: 'user_12345',
      name: 'Acme Corporation',
      email: 'billing@acme.com',
      metadata: { plan: 'pro' },
    }
    const { body: made } = await call('POST', '/v1/customers', { key, body })
    const { body: shown } = await call('GET', `/customers/${made.id}`, { key })
    expect(shown).toMatchObject({
      id: made.id,
      reference_id: 'user_12345',
      personal_details: { email: 'billing@acme.com', timezone: 'UTC' },
      locations: [],
    })
    expect(shown).not.toHaveProperty('postal_address')
    const change = { personal_details: { email: null, timezone: 'Europe/Berlin' }, devices: ['dev_1'] }
    expect((await call('PATCH', `/customers/${made.id}`, { key, body: change })).status).toBe(202)
    const { body: after } = await call('GET', `/v1/customers/${made.id}`, { key })
    expect(after).toEqual({ ...made, email: '', timezone: 'Europe/Berlin', updated_at: after.updated_at })
  })

  it('is archived at v1 when FlatPeak deletes it, and gone from FlatPeak when v1 archives it', async () => {
    const { live } = await newTenant()
    const { key } = live
    const { body: made } = await call('POST', '/customers', { key, body: { reference_id: 'gone' } })
    await call('DELETE', `/customers/${made.id}`, { key })
    expect((await call('GET', `/v1/customers/${made.id}`, { key })).body).toMatchObject({ status: 'archived' })
    const { body: other } = await call('POST', '/v1/customers', { key, body: { external_id: 'other' } })
    await call('DELETE', `/v1/customers/${other.id}`, { key })
    expect((await call('GET', `/customers/${other.id}`, { key })).status).toBe(404)
  })

  it('keeps its reference taken at both APIs', async () => {
    const { live } = await newTenant()
    const { key } = live
    await call('POST', '/v1/customers', { key, body: { external_id: 'taken' } })
    const { status, body } = await call('POST', '/customers', { key, body: { reference_id: 'taken' } })
    expect([status, body.code]).toEqual([409, 'duplicate_reference'])
  })

  it('is deleted at neither while it has children', async () => {
    const { live } = await newTenant()
    const { key } = live
    const { body: parent } = await call('POST', '/customers', { key, body: { reference_id: 'parent' } })
    await call('POST', '/v1/customers', { key, body: { external_id: 'child', parent_customer_id: parent.id } })
    const { status, body } = await call('DELETE', `/customers/${parent.id}`, { key })
    expect([status, body.type, body.code]).toEqual([409, 'conflict', 'has_children'])
    expect((await call('GET', `/customers/${parent.id}`, { key })).status).toBe(200)
  })
})
