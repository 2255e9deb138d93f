/**
 * The v1 API answers any input with a 2xx or with a 4xx that says what is wrong: never a 500, and no refused request
 * changes a row.
 */
import { exports } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Called, type CallOptions, call, newCustomer, newTenant, requestTo } from '../../support/roster.ts'

const EVERYTHING = '/v1/customers?limit=1000&status=published,draft,archived&expand=integrations,aliases'

async function caller() {
  const { key } = (await newTenant()).live
  const { id } = await newCustomer(key, { external_id: 'here', name: 'Here', metadata: { a: '1' } })
  const send = (method: string, path: string, options: CallOptions = {}) =>
    call(method, `/v1/customers${path}`, { key, ...options })
  const rows = async () => (await call('GET', EVERYTHING, { key })).text
  return { key, id, send, rows }
}

/** Method and path of every route that takes a body. */
const bodyRoutes = (id: string): [string, string][] => [
  ['POST', ''],
  ['POST', '/search'],
  ['PUT', `/${id}`],
  ['PUT', `?id=${id}`],
  ['PUT', '?external_customer_id=here'],
  ['PUT', '/external/here'],
  ['PUT', '/external/elsewhere'],
  ['PATCH', `/${id}`],
]

function expectRefusal({ status, body, text }: Called, expected: number): void {
  expect([status, text]).toEqual([expected, expect.any(String)])
  expect(body).toMatchObject({
    success: false,
    error: { message: expect.stringMatching(/./), internal_error: '' },
    code: expect.stringMatching(/^[a-z_]+$/),
    message: body.error.message,
    http_status_code: expected,
    details: expect.any(Object),
  })
  if (expected === 400 && body.code === 'validation_error') {
    expect(body.details.errors[0]).toEqual({
      field: expect.any(String),
      message: expect.stringMatching(/./),
      fix: expect.stringMatching(/./),
    })
  }
}

describe('any body', () => {
  const anything = fc.jsonValue({ maxDepth: 3 })
  const usual: Record<string, fc.Arbitrary<unknown>> = {
    external_id: fc.constantFrom('here', 'elsewhere', 'x', ''),
    name: fc.string({ unit: 'binary' }),
    email: fc.constantFrom('a@b.co', 'no'),
    contact: fc.string(),
    address_line1: fc.string(),
    address_country: fc.constantFrom('de', 'zz'),
    timezone: fc.constantFrom('UTC', 'Nowhere'),
    metadata: fc.dictionary(fc.string({ unit: 'binary' }), anything, { noNullPrototype: true }),
    parent_customer_id: fc.constantFrom('cust_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'x', ''),
    parent_customer_external_id: fc.constantFrom('here', 'elsewhere', 'x'),
    integration_entity_mapping: fc.array(
      fc.oneof(
        fc.record({ provider: fc.constantFrom('a', 'b'), id: fc.constantFrom('1', '2'), more: anything }),
        anything,
      ),
    ),
    status: fc.constantFrom('draft', 'published', 'archived'),
    limit: fc.integer(),
    sort: fc.array(fc.record({ field: fc.constantFrom('name', 'id', 'created_at', 'x'), direction: anything })),
    filters: fc.array(
      fc.record(
        {
          field: fc.constantFrom('name', 'created_at', 'status', 'email', 'x'),
          operator: fc.constantFrom('eq', 'contains', 'in', 'not_in', 'gt', 'before', 'x'),
          data_type: fc.constantFrom('string', 'date', 'array', undefined),
          value: fc.record({ string: fc.string(), date: fc.constant('2026-01-01'), array: fc.array(fc.string()) }),
        },
        { requiredKeys: [] },
      ),
    ),
    cursor: fc.base64String(),
  }
  const fields = fc.record(
    Object.fromEntries(
      Object.entries(usual).map(([name, values]) => [
        name,
        fc.oneof({ weight: 6, arbitrary: values }, { weight: 1, arbitrary: anything }),
      ]),
    ),
    { requiredKeys: [] },
  )

  /** Bodies that are mostly accepted. Of random values for so many fields, one is nearly always wrong. */
  const good = fc.record(
    { name: fc.string(), email: fc.constant('a@b.co'), status: fc.constantFrom('draft', 'published') },
    { requiredKeys: [] },
  )

  it('is accepted or refused by every route, and a refusal changes nothing', async () => {
    const { id, send, rows } = await caller()
    const seen = new Map<number, number>()
    let before = await rows()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...bodyRoutes(id)),
        fc.oneof({ weight: 4, arbitrary: fields }, { weight: 1, arbitrary: good }, { weight: 1, arbitrary: anything }),
        async ([method, path], body) => {
          const answer = await send(method, path, { body: JSON.stringify(body) })
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
          if (answer.status >= 300)
            expectRefusal(answer, answer.status === 409 ? 409 : answer.status === 404 ? 404 : 400)
          const after = await rows()
          if (answer.status >= 300 || path === '/search') expect(after).toBe(before)
          before = after
        },
      ),
      { numRuns: 150, endOnFailure: true },
    )
    expect(seen.get(200)).toBeGreaterThan(10)
    expect(seen.get(400)).toBeGreaterThan(10)
  })

  it.each([
    ['nothing', ''],
    ['half of an object', '{"external_id": "x"'],
    ['words', 'external_id=x'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a string', '"x"'],
    ['a number', '1'],
    ['two objects', '{}{}'],
    ['a comment', '{} // x'],
  ])('%s is 400', async (_what, body) => {
    const { id, send, rows } = await caller()
    const before = await rows()
    for (const [method, path] of bodyRoutes(id)) {
      const answer = await send(method, path, { body, headers: { 'content-type': 'application/json' } })
      // An empty search needs no body.
      if (path === '/search' && body === '') expect(answer.status).toBe(200)
      else expectRefusal(answer, 400)
    }
    expect(await rows()).toBe(before)
  })

  it('returns 400 for bytes that are not UTF-8', async () => {
    const { key, id, rows } = await caller()
    const before = await rows()
    const bytes = new Uint8Array([...new TextEncoder().encode('{"external_id":"'), 0xff, 0xfe, 0x22, 0x7d])
    for (const [method, path] of bodyRoutes(id)) {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await exports.default.fetch(requestTo(`/v1/customers${path}`, { method, headers, body: bytes }))
      expect([method, path, answer.status]).toEqual([method, path, 400])
    }
    expect(await rows()).toBe(before)
  })

  it.each([
    ['a NUL in a value', '{"external_id":"x","name":"a\\u0000b"}', 'name'],
    ['half of a surrogate pair', '{"external_id":"x","address_city":"\\ud83d"}', 'address_city'],
    ['the other half', '{"external_id":"x","metadata":{"a":"\\uDE00"}}', 'metadata.a'],
    ['a NUL in a key', '{"external_id":"x","metadata":{"a\\u0000":"1"}}', 'metadata'],
    ['a NUL in a field nobody knows', '{"external_id":"x","later":["\\u0000"]}', 'later.0'],
    [
      'a NUL in an integration',
      '{"external_id":"x","integration_entity_mapping":[{"provider":"a","id":"\\u0000"}]}',
      'integration_entity_mapping.0.id',
    ],
  ])('%s is 400 by its field', async (_what, body, field) => {
    const { id, send, rows } = await caller()
    const before = await rows()
    for (const [method, path] of bodyRoutes(id)) {
      const answer = await send(method, path, { body })
      expectRefusal(answer, 400)
      expect(answer.body.details.errors[0].field).toBe(field)
    }
    expect(await rows()).toBe(before)
  })

  it('accepts a whole surrogate pair, written as escapes, as an ordinary character', async () => {
    const { send } = await caller()
    const { status, body } = await send('POST', '', { body: '{"external_id":"x","name":"\\ud83d\\ude00"}' })
    expect([status, body.name]).toEqual([201, '😀'])
  })

  it('returns 400 for endless nesting or ignores it, and never follows it', async () => {
    const { id, send } = await caller()
    const deep = `${'['.repeat(100_000)}"\\u0000"${']'.repeat(100_000)}`
    const harmless = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    for (const [method, path] of bodyRoutes(id)) {
      for (const field of ['metadata', 'integration_entity_mapping', 'filters', 'later']) {
        expectRefusal(await send(method, path, { body: `{"external_id":"x","${field}":${deep}}` }), 400)
        expect((await send(method, path, { body: `{"${field}":${harmless}}` })).status).toBeLessThan(500)
      }
    }
  })

  it('returns 415 for another content type and 413 for more than 256 KiB', async () => {
    const { id, send, rows } = await caller()
    const before = await rows()
    const large = JSON.stringify({ external_id: 'x', later: 'x'.repeat(256 * 1024) })
    for (const [method, path] of bodyRoutes(id)) {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/xml',
        'application/jsonp',
        'json',
      ]) {
        expectRefusal(await send(method, path, { body: '{}', headers: { 'content-type': type } }), 415)
      }
      expectRefusal(await send(method, path, { body: large }), 413)
    }
    expect(await rows()).toBe(before)
  })

  it('returns 413 also when the length is not announced', async () => {
    const { key, id } = await caller()
    const chunk = new TextEncoder().encode('x'.repeat(64 * 1024))
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < 6; at++) controller.enqueue(chunk)
        controller.close()
      },
    })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const request = requestTo(`/v1/customers/${id}`, { method: 'PUT', headers, body })
    expect((await exports.default.fetch(request)).status).toBe(413)
  })

  it('counts the last of two equal keys', async () => {
    const { id, send } = await caller()
    const { body } = await send('PUT', `/${id}`, { body: '{"name":"First","name":"Last"}' })
    expect(body.name).toBe('Last')
  })

  it('accepts unknown fields, and refuses them by name with handling=strict', async () => {
    const { id, send, rows } = await caller()
    const body = {
      external_id: 'here',
      nick: 'x',
      metadata: { anything: '1' },
      integration_entity_mapping: [{ provider: 'a', id: '1', own: 1 }],
    }
    const strict = { prefer: 'respond-async, handling=strict' }
    for (const [method, path] of bodyRoutes(id).filter(
      ([, path]) => !path.startsWith('/search') && !path.endsWith('elsewhere'),
    )) {
      const before = await rows()
      const refused = await send(method, path, { body, headers: strict })
      expectRefusal(refused, 400)
      expect(refused.body.details.errors).toMatchObject([{ field: 'nick' }])
      expect(await rows()).toBe(before)
      expect((await send(method, path, { body })).status).toBe(path === '' ? 409 : 200)
    }
    const search = { nick: 'x', filters: [{ field: 'name', operator: 'eq', value: { string: 'x' }, also: 1 }] }
    const refused = await send('POST', '/search', { body: search, headers: strict })
    const fields = refused.body.details.errors.map(({ field }: { field: string }) => field)
    expect(fields.toSorted()).toEqual(['filters.0.also', 'nick'])
    // A search would find everybody without the filter that was meant, so it refuses them always.
    expect((await send('POST', '/search', { body: search })).status).toBe(400)
    expect((await send('POST', '/search', { body: {}, headers: strict })).status).toBe(200)
  })
})

describe('any query string, path and headers', () => {
  it('is answered on a read with 200, 304, 400 or 404', async () => {
    const { id, send } = await caller()
    const names = [
      'limit',
      'offset',
      'cursor',
      'sort',
      'filters',
      'metadata',
      'metadata[a]',
      'status',
      'expand',
      'customer_ids',
    ]
    names.push('external_ids', 'external_id', 'email', 'start_time', 'end_time', 'order', 'id', 'if_exists')
    const values = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constantFrom('1', 'name', 'draft', 'children', '2026-01-01', 'asc'),
    )
    const parameter = fc.tuple(fc.oneof(fc.constantFrom(...names), fc.string()), values)
    const query = fc.oneof(
      fc.array(parameter, { maxLength: 4 }).map((parameters) => new URLSearchParams(parameters).toString()),
      fc.string().map((text) => text.replaceAll('#', '')),
    )
    const segment = fc.oneof(
      fc.constantFrom(id, 'external/here', 'lookup/here', ''),
      fc.string({ unit: 'binary' }).map(encodeURIComponent),
      fc.constantFrom('%', '%FF', '%2', 'external/%FF', 'external/%', '%00'),
    )
    const header = fc.oneof(
      fc.constantFrom('"1"', 'W/"1"', '*', '"x"'),
      fc.string().map((text) => text.replaceAll(/[^\x21-\x7e]/g, '')),
    )
    const seen = new Set<number>()
    await fc.assert(
      fc.asyncProperty(segment, query, header, header, async (path, text, ifNoneMatch, token) => {
        const answer = await send('GET', `${path === '' ? '' : `/${path}`}?${text}`, {
          headers: {
            'if-none-match': ifNoneMatch,
            ...(token.length % 3 === 0 && token !== '' && { 'consistency-token': token }),
          },
        })
        seen.add(answer.status)
        expect([path, text, [200, 304, 400, 404].includes(answer.status) || answer.text]).toEqual([path, text, true])
        if (answer.status >= 400) expectRefusal(answer, answer.status)
      }),
      // One of each status, so that random input only adds to them.
      {
        numRuns: 200,
        endOnFailure: true,
        examples: [
          [id, '', '*', ''],
          [id, '', '"x"', ''],
          [id, 'unknown=1', '*', ''],
          ['nobody', '', '*', ''],
        ],
      },
    )
    expect([...seen].sort()).toEqual([200, 304, 400, 404])
  })

  it('is refused on a route without query parameters', async () => {
    const { id, send, rows } = await caller()
    const before = await rows()
    const routes: [string, string, object?][] = [
      ['POST', '/search', {}],
      ['PUT', '/external/here', {}],
      ['PATCH', `/${id}`, {}],
      ['DELETE', `/${id}`],
      ['POST', `/${id}/restore`],
    ]
    for (const [method, path, body] of routes) {
      const refused = await send(method, `${path}?force=true`, { body })
      expectRefusal(refused, 400)
      expect(refused.body.details.errors[0].field).toBe('force')
    }
    for (const path of ['', `/${id}`, '/external/here', '/lookup/here'])
      expectRefusal(await send('GET', `${path}?force=true`), 400)
    for (const path of [`/${id}`, `?id=${id}`]) {
      const query = path.includes('?') ? '&force=true' : '?force=true'
      expectRefusal(await send('PUT', `${path}${query}`, { body: {} }), 400)
    }
    expectRefusal(await send('POST', '?force=true', { body: { external_id: 'new' } }), 400)
    expect(await rows()).toBe(before)
  })

  it('returns 405 with the allowed methods, and 404 for another path', async () => {
    const { id, send } = await caller()
    for (const [method, path, allow] of [
      ['DELETE', '', 'GET, POST, PUT, HEAD'],
      ['PATCH', '', 'GET, POST, PUT, HEAD'],
      ['POST', `/${id}`, 'GET, PUT, PATCH, DELETE, HEAD'],
      ['DELETE', '/external/here', 'GET, PUT, HEAD'],
      ['PUT', '/lookup/here', 'GET, HEAD'],
      ['GET', `/${id}/restore`, 'POST'],
      ['OPTIONS', `/${id}`, 'GET, PUT, PATCH, DELETE, HEAD'],
    ] as const) {
      const refused = await send(method, path)
      expectRefusal(refused, 405)
      expect([method, path, refused.headers.get('allow')?.split(', ').sort()]).toEqual([
        method,
        path,
        allow.split(', ').sort(),
      ])
    }
    for (const path of ['/', `/${id}/`, `/${id}/nothing`, '/external', '/external/', '/external/a/b']) {
      expectRefusal(await send('GET', path), 404)
    }
  })

  it("returns a request id with every answer, the caller's own if it is usable", async () => {
    const { id, send } = await caller()
    const kept = await send('GET', `/${id}`, { headers: { 'x-request-id': 'my-id:1' } })
    expect(kept.headers.get('x-request-id')).toBe('my-id:1')
    for (const bad of ['', 'a b', 'x'.repeat(129)]) {
      const answer = await send('GET', '/nothing', { headers: { 'x-request-id': bad } })
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})
