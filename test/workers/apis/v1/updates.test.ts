/** The truth table of the contract for updates: field by field, and by property over any mixture of them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { call, newCustomer, newTenant } from '../../support/roster.ts'

const OPTIONAL_TEXT: Record<string, [string, string]> = {
  name: ['Acme', 'Acme Corp.'],
  email: ['a@example.com', 'b@example.com'],
  contact: ['+1 555 0100', '+1 555 0199'],
  address_line1: ['1 Main Street', '2 Main Street'],
  address_line2: ['Floor 1', 'Floor 2'],
  address_city: ['Berlin', 'Bonn'],
  address_state: ['BE', 'NW'],
  address_postal_code: ['10115', '53111'],
  address_country: ['DE', 'US'],
}

/** Sends PUT and PATCH for one customer of a new tenant; after each answer a read must show the same. */
async function updater(fields: Record<string, unknown>) {
  const { key } = (await newTenant()).live
  const made = await newCustomer(key, fields)
  const change = async (method: string, body: unknown, headers: Record<string, string> = {}) => {
    const changed = await call(method, `/v1/customers/${made.id}`, { key, body, headers })
    const token = changed.headers.get('consistency-token')
    const read = await call('GET', `/v1/customers/${made.id}`, {
      key,
      ...(token !== null && { headers: { 'consistency-token': token } }),
    })
    return { ...changed, after: read.body, version: Number(JSON.parse(read.headers.get('etag') ?? '0')) }
  }
  return { key, made, change }
}

describe.each(['PUT', 'PATCH'])('%s', (method) => {
  it.each(Object.entries(OPTIONAL_TEXT))(
    'treats %s as kept when absent, as set with a value, and as cleared with null and ""',
    async (field, values) => {
      const [before, after] = values
      const { change } = await updater({ [field]: before })
      expect((await change(method, { timezone: 'UTC' })).after[field]).toBe(before)
      expect((await change(method, { [field]: after })).after[field]).toBe(after)
      const cleared = field === 'contact' ? null : ''
      expect((await change(method, { [field]: null })).after[field]).toBe(cleared)
      await change(method, { [field]: before })
      expect((await change(method, { [field]: '' })).after[field]).toBe(cleared)
    },
  )

  it('keeps timezone when absent, and resets it to UTC with null and ""', async () => {
    const { change } = await updater({ timezone: 'Europe/Berlin' })
    expect((await change(method, { name: 'x' })).after.timezone).toBe('Europe/Berlin')
    expect((await change(method, { timezone: null })).after.timezone).toBe('UTC')
    await change(method, { timezone: 'Asia/Tokyo' })
    expect((await change(method, { timezone: '' })).after.timezone).toBe('UTC')
  })

  it('keeps the parent when absent, sets it by either field, and clears it with null and ""', async () => {
    const { key, change } = await updater({})
    const parent = await newCustomer(key, { external_id: 'parent' })
    const set = async (body: object) => (await change(method, body)).after.parent_customer_id
    for (const clear of [null, '']) {
      for (const name of ['parent_customer_id', 'parent_customer_external_id']) {
        expect(await set({ parent_customer_id: parent.id })).toBe(parent.id)
        expect(await set({ name: `${name} ${clear}` })).toBe(parent.id)
        expect(await set({ [name]: clear })).toBeNull()
      }
      expect(await set({ parent_customer_external_id: 'parent' })).toBe(parent.id)
      expect(await set({ parent_customer_id: clear })).toBeNull()
    }
  })

  it('sets the status to draft or published, publishes with null, and refuses archived', async () => {
    const { change } = await updater({ status: 'draft' })
    expect((await change(method, { name: 'x' })).after.status).toBe('draft')
    expect((await change(method, { status: 'published' })).after.status).toBe('published')
    expect((await change(method, { status: 'draft' })).after.status).toBe('draft')
    expect((await change(method, { status: null })).after.status).toBe('published')
    const refused = await change(method, { status: 'archived' })
    expect([refused.status, refused.after.status]).toEqual([400, 'published'])
  })

  it('changes external_id, and refuses null, "" and a taken one', async () => {
    const { key, change } = await updater({ external_id: 'before' })
    await newCustomer(key, { external_id: 'taken' })
    for (const [value, status] of [
      [null, 400],
      ['', 400],
      ['taken', 409],
    ] as const) {
      const refused = await change(method, { external_id: value })
      expect([value, refused.status, refused.after.external_id, refused.version]).toEqual([value, status, 'before', 1])
    }
    expect((await change(method, { external_id: 'after' })).after.external_id).toBe('after')
  })

  it('answers 200 and keeps the version for an empty body and for a body that changes nothing', async () => {
    const { made, change } = await updater({ name: 'Acme', metadata: { a: '1', b: '2' } })
    for (const body of [
      {},
      { name: 'Acme' },
      { metadata: { b: '2', a: '1' } },
      { email: null },
      { email: '' },
      { unknown: 1 },
    ]) {
      const same = await change(method, body)
      expect([same.status, same.body, same.version]).toEqual([200, made, 1])
    }
  })
})

describe('metadata', () => {
  it('is replaced whole by PUT, and merged by PATCH, where null removes its key', async () => {
    const { change } = await updater({ metadata: { a: '1', b: '2' } })
    expect((await change('PATCH', { metadata: { b: null, c: '3' } })).after.metadata).toEqual({ a: '1', c: '3' })
    expect((await change('PUT', { metadata: { d: '4' } })).after.metadata).toEqual({ d: '4' })
    expect((await change('PUT', { name: 'x' })).after.metadata).toEqual({ d: '4' })
    expect((await change('PATCH', { metadata: {} })).after.metadata).toEqual({ d: '4' })
    expect((await change('PUT', { metadata: {} })).after.metadata).toEqual({})
    await change('PUT', { metadata: { a: '1' } })
    expect((await change('PATCH', { metadata: null })).after.metadata).toEqual({})
    await change('PUT', { metadata: { a: '1' } })
    expect((await change('PUT', { metadata: null })).after.metadata).toEqual({})
  })

  it('takes PATCH as a merge patch under its own media type too, and PUT not', async () => {
    const { change } = await updater({ metadata: { a: '1' } })
    const headers = { 'content-type': 'application/merge-patch+json' }
    expect((await change('PATCH', { metadata: { b: '2' } }, headers)).after.metadata).toEqual({ a: '1', b: '2' })
    expect((await change('PATCH', {}, { 'content-type': 'text/plain' })).status).toBe(415)
  })

  it('returns 400 for a merge into more than fifty keys, and changes nothing', async () => {
    const keys = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${from + at}`, 'x']))
    const { change } = await updater({ metadata: keys(0, 30) })
    const refused = await change('PATCH', { metadata: keys(30, 21) })
    expect([refused.status, refused.body.details]).toMatchObject([
      400,
      { reason: 'metadata_too_many_keys', errors: [{ field: 'metadata' }] },
    ])
    expect(refused.after.metadata).toEqual(keys(0, 30))
    expect((await change('PATCH', { metadata: keys(30, 20) })).status).toBe(200)
  })

  it('treats keys such as __proto__ and constructor as ordinary ones, merged and removed like any other', async () => {
    const keys = ['__proto__', 'constructor', 'toString', '"', "'", '\\', '$.a', 'a.b', '[0]', 'é', '😀', ' ']
    const { key, made, change } = await updater({})
    for (const name of keys) {
      const body = `{"metadata":{${JSON.stringify(name)}:"value"}}`
      const { text } = await change('PATCH', body)
      expect(Object.hasOwn(JSON.parse(text).metadata, name)).toBe(true)
    }
    const { text } = await call('GET', `/v1/customers/${made.id}`, { key })
    expect(Object.entries(JSON.parse(text).metadata).sort()).toEqual(keys.map((name) => [name, 'value']).sort())
    for (const name of keys) {
      const { body } = await call('GET', `/v1/customers?metadata[${encodeURIComponent(name)}]=value`, { key })
      expect([name, body.pagination.total]).toEqual([name, 1])
    }
    for (const name of keys) await change('PATCH', `{"metadata":{${JSON.stringify(name)}:null}}`)
    expect((await change('PATCH', {})).after.metadata).toEqual({})
  })
})

describe('by property', () => {
  const textField = (name: string) => fc.constantFrom(...(OPTIONAL_TEXT[name] ?? []), null, '')
  const keys = fc.constantFrom('a', 'b', '__proto__', 'constructor')
  const metadata = fc.oneof(
    fc.constant(null),
    fc.dictionary(keys, fc.constantFrom('1', '2', null, 3, true), { noNullPrototype: true }),
  )
  const body = fc.record(
    {
      ...Object.fromEntries(Object.keys(OPTIONAL_TEXT).map((name) => [name, textField(name)])),
      timezone: fc.constantFrom('Europe/Berlin', 'UTC', null, ''),
      status: fc.constantFrom('draft', 'published', null),
      external_id: fc.constantFrom('one', 'two', 'three'),
      metadata,
    },
    { requiredKeys: [] },
  )

  it('leaves what the table says after any mixture of fields, by PUT or PATCH in any order', async () => {
    const { made, change } = await updater({ external_id: 'one' })
    let expected = made
    let version = 1
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('PUT', 'PATCH'), body, async (method, sent) => {
        const next = updated(expected, sent, method)
        const isChange = !same(next, expected)
        const { status, body: answer, after, version: shown } = await change(method, sent)
        expect(status).toBe(200)
        expect(stable(answer)).toEqual(stable(next))
        expect(after).toEqual(answer)
        version += isChange ? 1 : 0
        expect(shown).toBe(version)
        if (!isChange) expect(answer).toEqual(expected)
        expected = answer
      }),
      { numRuns: 75, endOnFailure: true },
    )
  })
})

type Shown = Record<string, unknown> & { metadata: Record<string, string> }

/** The truth table, written a second time. */
function updated(before: Shown, sent: Record<string, unknown>, method: string): Shown {
  const after = { ...before }
  for (const [field, value] of Object.entries(sent)) {
    if (field === 'metadata') after.metadata = updatedMetadata(before.metadata, value, method)
    else if (field === 'timezone') after.timezone = value || 'UTC'
    else if (field === 'status') after.status = value || 'published'
    else after[field] = value || (field === 'contact' ? null : '')
  }
  return after
}

function updatedMetadata(before: Record<string, string>, sent: unknown, method: string): Record<string, string> {
  const entries = new Map(method === 'PUT' || sent === null ? [] : Object.entries(before))
  for (const [key, value] of Object.entries(sent ?? {})) {
    if (value === null) entries.delete(key)
    else entries.set(key, String(value))
  }
  return Object.fromEntries(entries)
}

/** Returns everything but the time and the actor; keys of metadata as entries, because `toEqual` does not see `__proto__`. */
function stable({ updated_at: _at, updated_by: _by, metadata, ...rest }: Shown) {
  return { ...rest, metadata: Object.entries(metadata).sort() }
}

function same(one: Shown, other: Shown): boolean {
  return JSON.stringify(stable(one)) === JSON.stringify(stable(other))
}
