/** The FlatPeak API over HTTP, by the reference document of FlatPeak's customers: requests and responses. */
import { describe, expect, it } from 'vitest'
import { newTenant, newTenantOfBothModes } from '../../support/roster.ts'
import { call, error, ISO } from './caller.ts'
import { DOCUMENT_EXAMPLE } from './reference-example.ts'

let references = 0

function create(key: string, fields: Record<string, unknown> = {}) {
  return call('POST', '/customers', { key, body: { reference_id: `ref_${references++}`, ...fields } })
}

function patch(key: string, id: string, body: unknown, headers: Record<string, string> = {}) {
  return call('PATCH', `/customers/${id}`, { key, body, headers })
}

function get(key: string, id: string, headers: Record<string, string> = {}) {
  return call('GET', `/customers/${id}`, { key, headers })
}

const NOT_FOUND = error('invalid_request', 'not_found', 'Not Found', { hint: expect.any(String) })

describe('the document’s example', () => {
  it('is created, read and changed, every field of it stored and returned', async () => {
    const { tenantId, live } = await newTenant()
    const created = await call('POST', '/customers', { key: live.key, body: DOCUMENT_EXAMPLE })
    expect(created.status).toBe(201)
    const expected = {
      id: expect.stringMatching(/^cust_[0-9A-Z]{26}$/),
      object: 'customer',
      live_mode: true,
      ...DOCUMENT_EXAMPLE,
      time_created: expect.stringMatching(ISO),
      account_id: tenantId,
    }
    expect(created.body).toEqual(expected)
    expect(created.headers.get('etag')).toBe('"1"')
    const read = await get(live.key, created.body.id)
    expect([read.status, read.body]).toEqual([200, created.body])

    const bare = await create(live.key)
    const { reference_id: _, ...groups } = DOCUMENT_EXAMPLE
    const changed = await patch(live.key, bare.body.id, groups)
    expect(changed.status).toBe(202)
    expect(changed.body).toEqual({ ...created.body, ...pick(bare.body, ['id', 'reference_id', 'time_created']) })
    expect((await get(live.key, bare.body.id)).body).toEqual(changed.body)
  })

  it('is answered word for word: 409 for a conflict, 404 for a missing customer, 403 for bad credentials', async () => {
    const { live } = await newTenant()
    const [first, second] = [await create(live.key), await create(live.key)]
    const conflict = await patch(live.key, second.body.id, { reference_id: first.body.reference_id })
    expect([conflict.status, conflict.body]).toEqual([
      409,
      error('conflict', 'duplicate_reference', 'Reference ID already exists', { hint: expect.any(String) }),
    ])
    const again = await create(live.key, { reference_id: first.body.reference_id })
    expect([again.status, again.body.code]).toEqual([409, 'duplicate_reference'])
    const missing = await patch(live.key, 'cus_a83ec6da1e0d4917b9e9abf58d60574e', {})
    expect([missing.status, missing.body]).toEqual([404, NOT_FOUND])
    const stranger = await patch('sk_live_wrong', second.body.id, {})
    expect([stranger.status, stranger.body]).toEqual([
      403,
      error('invalid_request', 'access_denied', 'Bad credentials', { hint: expect.any(String) }),
    ])
  })
})

describe('a change', () => {
  it('keeps fields that it does not name, at every level', async () => {
    const { live } = await newTenant()
    const { body: before } = await create(live.key, DOCUMENT_EXAMPLE)
    const { body: after } = await patch(live.key, before.id, {
      personal_details: { phone: '1' },
      geo_location: { latitude: '1.50' },
      locations: ['loc_1'],
    })
    expect(after).toEqual({
      ...before,
      personal_details: { ...before.personal_details, phone: '1' },
      geo_location: { ...before.geo_location, latitude: '1.50' },
      locations: ['loc_1'],
    })
    const kept = await patch(live.key, before.id, { personal_details: {}, terms_accepted: {}, unknown: 1 })
    expect([kept.status, kept.body, kept.headers.get('etag')]).toEqual([202, after, '"2"'])
  })

  it('clears a field or a group with null, and empty text does the same', async () => {
    const { live } = await newTenant()
    const { body: full } = await create(live.key, DOCUMENT_EXAMPLE)
    const { body: less } = await patch(live.key, full.id, {
      personal_details: { email: null, phone: '', timezone: null, preferred_locale: '', email_verified: null },
      postal_address: { city: null, state: '' },
      geo_location: { latitude: null },
      terms_accepted: null,
      providers: null,
      devices: [],
    })
    const { terms_accepted: _t, providers: _p, ...rest } = full
    expect(less).toEqual({
      ...rest,
      personal_details: { phone_verified: true, timezone: 'UTC' },
      postal_address: {
        address_line1: '123',
        address_line2: 'Infinite Drive',
        post_code: 'SE110AA',
        country_code: 'GB',
      },
      geo_location: { longitude: '167.1522246611749' },
      devices: [],
    })
    const everything = {
      personal_details: null,
      postal_address: null,
      geo_location: { longitude: '' },
      locations: null,
    }
    const { body: bare } = await patch(live.key, full.id, { ...everything, devices: null })
    expect(bare).toEqual({
      ...pick(full, ['id', 'object', 'live_mode', 'reference_id', 'time_created', 'account_id']),
      personal_details: { timezone: 'UTC' },
      locations: [],
    })
  })

  it('keeps coordinates digit for digit as text, and as exactly as JSON allows as numbers', async () => {
    const { live } = await newTenant()
    const text = { latitude: '-77.529077662502390', longitude: '0.10' }
    const { body } = await create(live.key, { geo_location: text })
    expect(body.geo_location).toEqual(text)
    const numbers = { latitude: -77.52907766250239, longitude: 180 }
    expect((await patch(live.key, body.id, { geo_location: numbers })).body.geo_location).toEqual(numbers)
    expect((await get(live.key, body.id)).body.geo_location).toEqual(numbers)
  })

  it('can be conditional on the version, and returns the next one as etag', async () => {
    const { live } = await newTenant()
    const { body, headers } = await create(live.key)
    const etag = headers.get('etag') ?? ''
    const changed = await patch(live.key, body.id, { devices: ['dev_1'] }, { 'if-match': etag })
    expect([changed.status, changed.headers.get('etag')]).toEqual([202, '"2"'])
    const late = await patch(live.key, body.id, { devices: ['dev_2'] }, { 'if-match': etag })
    expect([late.status, late.body.code]).toEqual([412, 'version_conflict'])
    expect(
      (await call('DELETE', `/customers/${body.id}`, { key: live.key, headers: { 'if-match': etag } })).status,
    ).toBe(412)
    expect((await patch(live.key, body.id, {}, { 'if-match': 'W/"2"' })).status).toBe(202)
    const malformed = await patch(live.key, body.id, {}, { 'if-match': '2' })
    expect([malformed.status, malformed.body.param]).toEqual([400, 'if-match'])
    const unchanged = await get(live.key, body.id, { 'if-none-match': '"2"' })
    expect([unchanged.status, unchanged.text, unchanged.headers.get('etag')]).toEqual([304, '', '"2"'])
    expect((await get(live.key, body.id, { 'if-none-match': '"1"' })).body.devices).toEqual(['dev_1'])
  })
})

describe('a deleted customer', () => {
  it('is gone from the FlatPeak API, and its reference is free', async () => {
    const { live } = await newTenant()
    const { body } = await create(live.key)
    const deleted = await call('DELETE', `/customers/${body.id}`, { key: live.key })
    expect([deleted.status, deleted.body]).toEqual([202, { message: 'Accepted' }])
    expect(deleted.headers.get('consistency-token')).not.toBeNull()
    for (const gone of [
      await get(live.key, body.id),
      await patch(live.key, body.id, { devices: [] }),
      await call('DELETE', `/customers/${body.id}`, { key: live.key }),
      await get(live.key, 'cust_01JD0000000000000000000000'),
    ]) {
      expect([gone.status, gone.body]).toEqual([404, NOT_FOUND])
    }
    expect((await call('GET', '/customers', { key: live.key })).body.data).toEqual([])
    expect((await create(live.key, { reference_id: body.reference_id })).status).toBe(201)
  })
})

describe('the list', () => {
  it('is newest first and pages both ways without skipping or repeating', async () => {
    const { live } = await newTenant()
    const made: { id: string }[] = []
    for (let at = 0; at < 5; at++) made.unshift((await create(live.key)).body)
    const list = async (query: string) => (await call('GET', `/customers${query}`, { key: live.key })).body
    expect(await list('')).toEqual({ object: 'list', url: '/customers', has_more: false, data: made })
    const first = await list('?limit=2')
    expect(first).toMatchObject({ has_more: true, data: made.slice(0, 2) })
    expect(await list(`?limit=2&starting_after=${made[1]?.id}`)).toMatchObject({
      has_more: true,
      data: made.slice(2, 4),
    })
    expect(await list(`?limit=2&starting_after=${made[3]?.id}`)).toMatchObject({ has_more: false, data: made.slice(4) })
    expect(await list(`?limit=2&ending_before=${made[4]?.id}`)).toMatchObject({
      has_more: true,
      data: made.slice(2, 4),
    })
    expect(await list(`?limit=2&ending_before=${made[2]?.id}`)).toMatchObject({
      has_more: false,
      data: made.slice(0, 2),
    })
  })

  it('finds by exact reference, and shows no customer of another account or mode', async () => {
    const [mine, other] = [await newTenantOfBothModes(), await newTenantOfBothModes()]
    const reference_id = 'a/b é%20'
    const { body } = await create(mine.live.key, { reference_id })
    for (const key of [mine.live.key, mine.test.key, other.live.key]) await create(key)
    const find = async (key: string, reference: string) =>
      (await call('GET', `/customers?reference_id=${encodeURIComponent(reference)}`, { key })).body.data
    expect(await find(mine.live.key, reference_id)).toEqual([body])
    expect(await find(mine.live.key, reference_id.toUpperCase())).toEqual([])
    expect(await find(mine.test.key, reference_id)).toEqual([])
    expect(await find(other.live.key, reference_id)).toEqual([])
    expect((await get(other.live.key, body.id)).body).toEqual(NOT_FOUND)
    expect((await get(mine.test.key, body.id)).body).toEqual({ ...NOT_FOUND, live_mode: false })
  })

  it('refuses unknown and malformed parameters', async () => {
    const { live } = await newTenant()
    const id = 'cust_01JD0000000000000000000000'
    for (const [query, param] of [
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['limit=ten', 'limit'],
      ['limit=1&limit=2', 'limit'],
      ['starting_after=7', 'starting_after'],
      [`starting_after=${id}&ending_before=${id}`, 'ending_before'],
      ['reference_id=', 'reference_id'],
      ['reference_id=a%00b', 'reference_id'],
      ['page=2', 'page'],
    ]) {
      const { status, body } = await call('GET', `/customers?${query}`, { key: live.key })
      expect([status, body], query).toEqual([
        400,
        error('invalid_request', 'invalid_parameter', expect.any(String), { param }),
      ])
    }
    expect((await call('GET', `/customers/${id}?expand=all`, { key: live.key })).body.param).toBe('expand')
  })
})

describe('bad input', () => {
  it('returns the field, what is wrong and the fix, and changes nothing', async () => {
    const { live } = await newTenant()
    const { body: before } = await create(live.key, DOCUMENT_EXAMPLE)
    for (const [input, param] of [
      [{ reference_id: '' }, 'reference_id'],
      [{ reference_id: null }, 'reference_id'],
      [{ personal_details: { email: 'nobody' }, devices: ['dev_9'] }, 'personal_details.email'],
      [{ geo_location: { latitude: '91' } }, 'geo_location.latitude'],
      [{ devices: ['\0'] }, 'devices.0'],
      ['{"devices": ["\\ud800"]}', 'devices.0'],
      ['{', 'body'],
      ['[]', 'body'],
    ] as const) {
      const { status, body } = await patch(live.key, before.id, input)
      expect([status, body.code, body.param], String(param)).toEqual([400, 'invalid_parameter', param])
      expect(body.message).not.toBe('')
    }
    const type = await call('PATCH', `/customers/${before.id}`, {
      key: live.key,
      body: '{}',
      headers: { 'content-type': 'text/plain' },
    })
    expect([type.status, type.body.code]).toEqual([415, 'unsupported_media_type'])
    const large = await patch(live.key, before.id, { devices: ['x'.repeat(256 * 1024)] })
    expect([large.status, large.body.code]).toEqual([413, 'body_too_large'])
    const read = await get(live.key, before.id)
    expect([read.body, read.headers.get('etag')]).toEqual([before, '"1"'])
  })

  it('includes unknown fields only for callers that ask for strict handling', async () => {
    const { live } = await newTenant()
    const unknown = { reference_id: 'strict', personal_details: { shoe_size: 44 }, nickname: 'x' }
    const strict = { prefer: 'handling=strict' }
    const refused = await call('POST', '/customers', { key: live.key, body: unknown, headers: strict })
    expect(refused.status).toBe(400)
    expect(refused.body.message).toContain('personal_details.shoe_size')
    expect(refused.body.message).toContain('nickname')
    expect((await create(live.key, unknown)).status).toBe(201)
  })
})

function pick(values: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, values[name]]))
}
