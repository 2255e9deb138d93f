/**
 * The headers of a request that mean the same at every API: content codings and types of a body, preferences,
 * credentials, and the idempotency key of a request that is refused. The routes are taken from the contracts.
 */
import { exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AnyContract } from '../../../src/http/contract-types.ts'
import { contracts, credentialsFor, exampleOf, nameOf } from '../support/contracts.ts'
import { expectAsDocumented } from '../support/documented.ts'
import { ADMIN_KEY, call, newCustomer, newTenant, requestTo, type TestTenant } from '../support/roster.ts'

let tenant: TestTenant
beforeAll(async () => {
  tenant = await newTenant()
})

type Format = 'gzip' | 'deflate' | 'deflate-raw'

async function compressed(data: string | Uint8Array, ...formats: Format[]): Promise<Uint8Array> {
  let stream: ReadableStream = new Blob([data]).stream()
  for (const format of formats) stream = stream.pipeThrough(new CompressionStream(format))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Sends bytes, which `call` cannot, and checks the answer against the OpenAPI document like it. */
async function sendBytes(
  { method, url, headers }: ReturnType<typeof exampleOf>,
  body: Uint8Array | ReadableStream,
  others: Record<string, string>,
) {
  const all = { ...credentialsFor(url, tenant.live.key), ...headers, ...others }
  const response = await exports.default.fetch(requestTo(url, { method, headers: all, body }))
  const text = await response.text()
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
  let parsed: any
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  const answer = { status: response.status, headers: response.headers, text, body: parsed }
  expectAsDocumented(method, url, answer)
  return answer
}

const textOf = ({ body }: ReturnType<typeof exampleOf>) => (typeof body === 'string' ? body : JSON.stringify(body))
/**
 * Expects the answer that an example gets once it was read. The ids in the examples do not exist, and two have the same external
 * id. A URL of a webhook is looked up in the DNS, which a test may not reach. The token of a sign-in link is none. A tenant
 * cannot move where one database is bound.
 */
function expectThatItWasRead({ path }: AnyContract, { status, text }: { status: number; text: string }) {
  if (path === '/admin/session') return expect(status, text).toBe(401)
  if (path.endsWith('/move')) return expect([status, text]).toEqual([400, expect.stringContaining('is not bound')])
  return expect([200, 201, 202, 404, 409, 503], text).toContain(status)
}
const withBody = contracts.filter(({ body, stream }) => body || stream?.request)
const table = (some: AnyContract[]) => some.map((contract) => ({ name: nameOf(contract), contract }))

describe('a content coding of a body', () => {
  it.each(table(withBody))('is decoded, or refused with those that are: $name', async ({ contract }) => {
    const example = exampleOf(contract)
    const gzip = await compressed(textOf(example), 'gzip')
    const coded = (body: Uint8Array, coding: string) => sendBytes(example, body, { 'content-encoding': coding })
    const codings = ['gzip, br', 'br', 'compress', 'gzip, gzip, gzip']
    await Promise.all(
      codings.map(async (coding) => {
        const { status, headers } = await coded(gzip, coding)
        expect([coding, status, headers.get('accept-encoding')]).toEqual([coding, 415, 'gzip, deflate, identity'])
      }),
    )
    const broken = {
      'is cut off': gzip.slice(0, -4),
      'has no end': gzip.slice(0, 12),
      'is followed by more': new Uint8Array([...gzip, 0]),
      'has a wrong checksum': gzip.map((byte, at) => (at === gzip.length - 8 ? byte ^ 1 : byte)),
      'is not coded at all': new TextEncoder().encode(textOf(example)),
    }
    await Promise.all(
      Object.entries(broken).map(async ([what, body]) => {
        const refused = await coded(body, 'gzip')
        expect([what, refused.status, refused.text]).toEqual([what, 400, expect.stringContaining('cannot be decoded')])
      }),
    )
    expectThatItWasRead(contract, await coded(gzip, 'GZip'))
  })

  const create = () => {
    const contract = contracts.find((one) => nameOf(one) === 'POST /v1/customers') as AnyContract
    return exampleOf(contract)
  }
  const bodyOf = (name: string) => JSON.stringify({ external_id: crypto.randomUUID(), name })

  it('may be any of those that are read, one after the other', async () => {
    const cases: [string, Format[]][] = [
      ['gzip', ['gzip']],
      ['x-gzip', ['gzip']],
      ['deflate', ['deflate']],
      ['deflate, gzip', ['deflate', 'gzip']],
      ['gzip,identity,\tdeflate', ['gzip', 'deflate']],
      ['identity', []],
      ['', []],
    ]
    for (const [coding, formats] of cases) {
      const body = await compressed(bodyOf(`Müller ${coding}`), ...formats)
      const made = await sendBytes(create(), body, { 'content-encoding': coding })
      expect([coding, made.status, made.body.name]).toEqual([coding, 201, `Müller ${coding}`])
    }
  })

  it('does not get around the size limit: what it becomes counts, and it is not decoded further than that', async () => {
    const large = new Uint8Array(8_000_000).fill(32)
    const bombs = { gzip: await compressed(large, 'gzip'), 'gzip, gzip': await compressed(large, 'gzip', 'gzip') }
    for (const [coding, body] of Object.entries(bombs)) {
      expect(body.length).toBeLessThan(16_000)
      expect((await sendBytes(create(), body, { 'content-encoding': coding })).status).toBe(413)
    }
    const fits = JSON.stringify({ external_id: crypto.randomUUID(), later: 'x'.repeat(256 * 1024 - 70) })
    expect((await sendBytes(create(), await compressed(fits, 'gzip'), { 'content-encoding': 'gzip' })).status).toBe(201)
  })

  it('counts as another form of the same request for an idempotency key', async () => {
    const body = bodyOf('Acme')
    const key = { 'idempotency-key': crypto.randomUUID() }
    const first = await sendBytes(create(), await compressed(body, 'gzip'), { 'content-encoding': 'gzip', ...key })
    const again = await sendBytes(create(), new TextEncoder().encode(body), key)
    expect([again.status, again.headers.get('idempotent-replayed'), again.text]).toEqual([201, 'true', first.text])
  })

  describe('of an import', () => {
    const route = () => exampleOf(contracts.find((one) => nameOf(one) === 'POST /v1/customers/import') as AnyContract)
    const lines = (count: number) => {
      const id = crypto.randomUUID()
      return Array.from({ length: count }, (_, at) => `${JSON.stringify({ external_id: `${id}-${at}` })}\n`).join('')
    }
    const results = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))

    it('is decoded as it arrives', async () => {
      const body = await compressed(lines(1_500), 'gzip')
      const { status, text } = await sendBytes(route(), body, { 'content-encoding': 'gzip' })
      expect(status).toBe(200)
      expect(new Set(results(text).map(({ result }) => result))).toEqual(new Set(['created']))
      expect(results(text)).toHaveLength(1_500)
    })

    it('ends the import with the line to continue from when it turns out to be damaged', async () => {
      const whole = await compressed(lines(3_000), 'gzip')
      const { status, text } = await sendBytes(route(), whole.slice(0, -500), { 'content-encoding': 'gzip' })
      expect(status).toBe(200)
      const all = results(text)
      const last = all.at(-1)
      expect(all.length).toBeGreaterThan(1)
      expect(last).toMatchObject({ result: 'error', stopped: true, line: all.length })
      expect(last.errors[0].message).toContain('cannot be decoded as gzip')
      expect(all.slice(0, -1).every(({ result }) => result === 'created')).toBe(true)
    })
  })
})

describe('the content type of a body', () => {
  it.each(table(withBody))('has the charset UTF-8 or none: $name', async ({ contract }) => {
    const example = exampleOf(contract)
    const type = example.headers['content-type'] ?? ''
    const send = (contentType: string) =>
      sendBytes(example, new TextEncoder().encode(textOf(example)), { 'content-type': contentType })
    for (const charset of ['"windows-1252"', 'iso-8859-1', 'utf-16']) {
      expect([charset, (await send(`${type}; charset=${charset}`)).status]).toEqual([charset, 415])
    }
    expectThatItWasRead(contract, await send(`${type.toUpperCase()} ; charset="UTF-8"; q=1`))
  })

  it.each(table(withBody.filter(({ body }) => body)))(
    'does not change bytes that are not UTF-8: $name',
    async ({ contract }) => {
      const invalid = new Uint8Array([
        ...new TextEncoder().encode('{"name":"M'),
        0xfc,
        ...new TextEncoder().encode('"}'),
      ])
      const refused = await sendBytes(exampleOf(contract), invalid, {})
      expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('UTF-8')])
    },
  )
})

describe('a preference', () => {
  const unknown = { nickname: 'x' }
  const applied = (answer: { headers: Headers }) => answer.headers.get('preference-applied')

  it('for strict handling is read at every API, and the response says that it was', async () => {
    const { id } = await newCustomer(tenant.live.key)
    const paths: [string, string][] = [
      ['PUT', `/v1/customers/${id}`],
      ['PATCH', `/v1/customers/${id}`],
      ['PATCH', `/customers/${id}`],
      ['PUT', '/v1/settings/customer_onboarding'],
      ['POST', '/v1/webhooks/endpoints'],
      ['PUT', `/admin/customers/${tenant.tenantId}`],
    ]
    const required = { workflows: {}, url: 'http://127.0.0.1:9/' }
    for (const [method, path] of paths) {
      const send = (prefer: string, body: object) =>
        call(method, path, {
          headers: { ...credentialsFor(path, tenant.live.key), prefer },
          body: { ...required, ...body },
        })
      for (const prefer of ['handling="strict"', 'Handling = Strict ;x', 'wait=1, handling=strict, handling=lenient']) {
        const refused = await send(prefer, unknown)
        expect([path, prefer, refused.status, applied(refused)]).toEqual([path, prefer, 400, 'handling=strict'])
        expect(refused.text).toContain('nickname')
      }
      const lenient = await send('handling=lenient, handling=strict', unknown)
      expect([path, lenient.status, applied(lenient)]).toEqual([path, expect.any(Number), 'handling=lenient'])
      expect([200, 201, 202, 503]).toContain(lenient.status)
      expect(applied(await send('return=minimal', unknown))).toBeNull()
    }
  })

  it('for strict handling of the lines of an import, a consistent write and a timing is applied too', async () => {
    const imported = await call('POST', '/v1/customers/import', {
      key: tenant.live.key,
      headers: { 'content-type': 'application/x-ndjson', prefer: 'server-timing, handling="strict"' },
      body: '{"external_id":"preference","nickname":"x"}',
    })
    expect([applied(imported), JSON.parse(imported.text).errors[0].field]).toEqual([
      'handling=strict, server-timing',
      'nickname',
    ])
    const { id } = await newCustomer(tenant.live.key)
    const strong = { prefer: 'consistency = "strong", server-timing=""' }
    const written = await call('PUT', `/v1/customers/${id}`, { key: tenant.live.key, headers: strong, body: {} })
    expect(applied(written)).toBe('consistency=strong, server-timing')
    const read = await call('GET', `/v1/customers/${id}`, { key: tenant.live.key, headers: strong })
    expect(applied(read)).toBe('server-timing')
    const refused = await call('PUT', '/v1/customers/cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', {
      key: tenant.live.key,
      headers: { prefer: 'consistency=strong' },
      body: {},
    })
    expect([refused.status, applied(refused)]).toEqual([404, null])
  })
})

describe('credentials', () => {
  const BASIC = `Basic ${btoa('proxy:secret')}`
  const status = async (path: string, headers: Record<string, string>) => (await call('GET', path, { headers })).status

  it('that a proxy adds do not hide the key of the caller', async () => {
    const other = await newTenant()
    for (const path of ['/v1/customers', '/customers', '/v1/events', '/v1/webhooks/endpoints']) {
      for (const { key } of [tenant.live, other.live]) {
        const requests: Record<string, string>[] = [
          { authorization: BASIC, 'x-api-key': key },
          { authorization: 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln', 'x-api-key': key },
          { authorization: `${BASIC}, Bearer ${key}` },
          { authorization: `bearer  ${key} ` },
          { 'x-api-key': ` ${key}, ${key}` },
          { authorization: `Bearer ${key}`, 'x-api-key': 'a key of somebody else' },
        ]
        const answers = await Promise.all(requests.map(async (headers) => [headers, await status(path, headers)]))
        expect(answers).toEqual(requests.map((headers) => [headers, 200]))
      }
    }
    const admin = { authorization: BASIC, 'x-api-key': ADMIN_KEY }
    expect(await status('/admin/customers', admin)).toBe(200)
    expect(await status('/admin/customers', { ...admin, 'x-api-key': `${ADMIN_KEY}, ${ADMIN_KEY}` })).toBe(200)
    expect(await status('/admin/customers', { ...admin, 'x-api-key': `wrong, ${ADMIN_KEY}` })).toBe(401)
  })

  it('count as those of the bearer if two tenants are named', async () => {
    const other = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    const both = { authorization: `Bearer ${tenant.live.key}`, 'x-api-key': other.live.key }
    expect(await status(`/v1/customers/${id}`, both)).toBe(200)
    const swapped = { authorization: `Bearer ${other.live.key}`, 'x-api-key': tenant.live.key }
    expect(await status(`/v1/customers/${id}`, swapped)).toBe(404)
  })

  it('are the Basic ones for a login, whatever key is beside them', async () => {
    const basic = `Basic ${btoa(`${tenant.tenantId}:${tenant.live.key}`)}`
    expect(await status('/login', { authorization: basic, 'x-api-key': 'other' })).toBe(200)
    expect(await status('/login', { authorization: BASIC, 'x-api-key': tenant.live.key })).toBe(403)
  })
})

describe('the idempotency key of a refused request', () => {
  const keyed = (path: string, key: string, body: unknown, headers: Record<string, string> = {}) =>
    call('POST', path, {
      headers: { ...credentialsFor(path, tenant.live.key), 'idempotency-key': key, ...headers },
      body,
    })

  it.each(table(contracts.filter(({ idempotent, body }) => idempotent && body)))(
    'is still free if the request was refused for what it says: $name',
    async ({ contract }) => {
      const { url, body } = exampleOf(contract)
      const key = crypto.randomUUID()
      const refusals = [
        await keyed(url, key, '{'),
        await keyed(url, key, '{}', { 'content-type': 'text/plain' }),
        await keyed(url, key, JSON.stringify({ x: 'x'.repeat(300_000) })),
        await keyed(url, key, '[]'),
        await keyed(`${url}?unknown=1`, key, body),
        await keyed(url, key, body, { 'if-match': '1' }),
      ]
      expect(refusals.map(({ status }) => status)).toEqual([400, 415, 413, 400, 400, 400])
      const made = await keyed(url, key, body)
      expect([200, 201, 202, 404, 409, 503], made.text).toContain(made.status)
      expect(made.headers.has('idempotent-replayed')).toBe(false)
    },
  )

  it('is still free after a rule that the values of the request break among themselves, at every API', async () => {
    const cases: [string, object, object][] = [
      ['/v1/customers', { external_id: 'k1', email: 'no' }, { external_id: 'k1', email: 'a@example.com' }],
      ['/customers', { reference_id: 'k2', personal_details: { email: 'no' } }, { reference_id: 'k2' }],
      [
        '/admin/customers',
        { company_name: 'A', contact_email: 'a@example.com', contract_start: '2026-02-01', contract_end: '2026-01-01' },
        { company_name: 'A', contact_email: 'a@example.com' },
      ],
      [
        '/admin/customers',
        { company_name: 'A', contact_email: 'a@example.com', limits: { burst: 5 } },
        { company_name: 'A', contact_email: 'a@example.com' },
      ],
      [`/admin/customers/${tenant.tenantId}/keys`, { expires_at: '2020-01-01T00:00:00Z' }, {}],
      ['/v1/webhooks/endpoints', { url: 'http://10.0.0.1/' }, { url: 'http://127.0.0.1:9/' }],
    ]
    for (const [path, wrong, right] of cases) {
      const key = crypto.randomUUID()
      expect([path, (await keyed(path, key, wrong)).status]).toEqual([path, 400])
      expect([path, (await keyed(path, key, right)).status]).toEqual([path, 201])
    }
  })

  it('is used up by the answer of the registry: it is kept, and another body is another request', async () => {
    await newCustomer(tenant.live.key, { external_id: 'used' })
    const unknownRun = '/v1/customers/cust_01JD3VQ4X8N2M7R5T9W6YBZKCE/onboarding/signal'
    const nobody = '/admin/customers/00000000-0000-4000-8000-000000000000/keys'
    const cases: [string, object, object, number][] = [
      ['/v1/customers', { external_id: 'used' }, { external_id: 'free' }, 409],
      ['/v1/customers', { external_id: 'x', parent_customer_external_id: 'nobody' }, { external_id: 'x' }, 400],
      ['/customers', { reference_id: 'used' }, { reference_id: 'free' }, 409],
      ['/v1/webhooks/endpoints/whe_01JD3VQ4X8N2M7R5T9W6YBZKCE/rotate', {}, { overlap_seconds: 1 }, 404],
      [unknownRun, { signal: 'a' }, { signal: 'b' }, 404],
      [nobody, {}, { name: 'b' }, 404],
    ]
    for (const [path, body, other, status] of cases) {
      const key = crypto.randomUUID()
      const first = await keyed(path, key, body)
      const again = await keyed(path, `"${key}"`, body)
      expect([path, first.status, again.status, again.text.length]).toEqual([path, status, status, first.text.length])
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect([path, (await keyed(path, key, other)).status]).toEqual([path, 422])
    }
  })
})
