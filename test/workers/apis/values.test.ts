/**
 * Values are kept as they were sent, or refused by name, at every entrance. The grammar of each kind is tested in
 * test/node/validation; here, that every API uses it.
 */
import { env, exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import document from '../../../public/openapi.json'
import { ADMIN_KEY, admin, type Called, call, newCustomer, newTenant, requestTo } from '../support/roster.ts'

type Send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Called>

async function caller(): Promise<{ tenantId: string; key: string; send: Send }> {
  const { tenantId, live } = await newTenant()
  const send: Send = (method, path, body, headers = {}) =>
    call(method, path, {
      ...(path.startsWith('/admin') ? { headers: { 'x-api-key': ADMIN_KEY, ...headers } } : { key: live.key, headers }),
      body,
    })
  return { tenantId, key: live.key, send }
}

/** Imports lines, each as its text, and returns the results. */
async function importLines(key: string, lines: string[]) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }
  const init = { method: 'POST', headers, body: lines.join('\n') }
  const response = await exports.default.fetch(requestTo('/v1/customers/import', init))
  const results = (await response.text()).trim().split('\n')
  return results.map((line) => JSON.parse(line))
}

const NUMBERS = ['1.10', '12345678901234567890', '1e5', '-0', '0.10000000000000000001']

describe('the digits of a number', () => {
  const wanted = NUMBERS.map((text, at) => `"n${at}":${text}`).join(',')
  const stored = Object.fromEntries(NUMBERS.map((text, at) => [`n${at}`, text]))

  it('come back from metadata as text, from v1, an import and a search', async () => {
    const { key, send } = await caller()
    const made = await send('POST', '/v1/customers', `{"external_id":"a","metadata":{${wanted}}}`)
    expect([made.status, made.body.metadata]).toEqual([201, stored])
    await importLines(key, [`{"external_id":"b","metadata":{${wanted}}}`])
    const found = await send('POST', '/v1/customers/search', `{"metadata":{${wanted}}}`)
    expect(found.body.items.map((item: { external_id: string }) => item.external_id)).toEqual(['b', 'a'])
    const inQuery = await send('GET', `/v1/customers?metadata=${encodeURIComponent(`{${wanted}}`)}`)
    expect(inQuery.body.items).toHaveLength(2)
    const patched = await send('PATCH', `/v1/customers/${made.body.id}`, '{"metadata":{"n0":2.50}}')
    expect(patched.body.metadata).toEqual({ ...stored, n0: '2.50' })
  })

  it('come back from the details of an integration, also through export and import, and in an event', async () => {
    const { key, send } = await caller()
    const entry = `{"provider":"stripe","id":"cus_1","money":{"list":[${NUMBERS.join(',')}]}}`
    const list = `[${NUMBERS.join(',')}]`
    const { body } = await send('POST', '/v1/customers', `{"external_id":"a","integration_entity_mapping":[${entry}]}`)
    const read = async (path: string) => (await send('GET', path)).text
    expect(await read(`/v1/customers/${body.id}?expand=integrations`)).toContain(`"money":{"list":${list}}`)
    expect(await read(`/v1/customers/${body.id}/events`)).toContain(`"money":{"list":${list}}`)
    const line = await read('/v1/customers/export')
    expect(line).toContain(`"money":{"list":${list}}`)
    expect(await importLines(key, [line.trim()])).toMatchObject([{ result: 'unchanged' }])
    expect(await read('/v1/customers/export?format=csv')).toContain(`""list"":${list}`)
  })

  it('come back from coordinates, as the number or text that was sent', async () => {
    const { send } = await caller()
    const place = '{"latitude":51.50740,"longitude":-0.12780000000000000001}'
    const made = await send('POST', '/customers', `{"reference_id":"a","geo_location":${place}}`)
    expect(made.text).toContain(`"geo_location":${place}`)
    expect((await send('GET', `/customers/${made.body.id}`)).text).toContain(`"geo_location":${place}`)
    const text = await send('PATCH', `/customers/${made.body.id}`, '{"geo_location":{"latitude":"51.50740"}}')
    expect(text.text).toContain('"latitude":"51.50740","longitude":-0.12780000000000000001')
    const events = await send('GET', `/v1/customers/${made.body.id}/events`)
    expect(events.text).not.toContain('"digits"')
    for (const beyond of ['90.00000000000000000001', '9.1e1', '-91', '"1e1"', '{"digits":"5"}']) {
      const refused = await send('PATCH', `/customers/${made.body.id}`, `{"geo_location":{"latitude":${beyond}}}`)
      expect([beyond, refused.status, refused.body.param]).toEqual([beyond, 400, 'geo_location.latitude'])
    }
  })

  it('come back from the metadata of a tenant, and from the audit', async () => {
    const { tenantId, send } = await caller()
    const metadata = `{"list":[${NUMBERS.join(',')}],"__proto__":1.10}`
    const changed = await send('PUT', `/admin/customers/${tenantId}`, `{"metadata":${metadata}}`)
    expect([changed.status, changed.text.includes(`"metadata":${metadata}`)]).toEqual([200, true])
    const audit = await send('GET', `/admin/audit?tenant_id=${tenantId}&type=tenant.updated`)
    expect(audit.text).toContain(`"metadata":${metadata}`)
  })

  it('come back from a step that sets metadata', async () => {
    const { send } = await caller()
    const settings = `{"workflows":{"w":{"steps":[{"type":"set_metadata","metadata":{${wanted}}}]}}}`
    const { body } = await send('PUT', '/v1/settings/customer_onboarding', settings)
    expect(body.workflows.w.steps[0].metadata).toEqual(stored)
  })

  it('are refused by name at every entrance if they have no finite value', async () => {
    const { tenantId, key, send } = await caller()
    const { id } = await newCustomer(key)
    const cases: [string, string, string, string][] = [
      ['POST', '/v1/customers', '{"external_id":"x","metadata":{"a":1e400}}', 'metadata.a'],
      ['PATCH', `/v1/customers/${id}`, '{"metadata":{"a":-1e400}}', 'metadata.a'],
      ['POST', '/v1/customers/search', '{"metadata":{"a":1e400}}', 'metadata.a'],
      ['POST', '/customers', '{"reference_id":"x","geo_location":{"latitude":1e400}}', 'geo_location.latitude'],
      ['PUT', `/admin/customers/${tenantId}`, '{"metadata":{"a":[1e400]}}', 'metadata.a.0'],
    ]
    for (const [method, path, body, field] of cases) {
      const refused = await send(method, path, body)
      expect([path, refused.status, refused.body.param ?? refused.body.details.errors[0].field]).toEqual([
        path,
        400,
        field,
      ])
    }
    const [line] = await importLines(key, ['{"external_id":"x","metadata":{"a":1e400}}'])
    expect(line).toMatchObject({ result: 'error', external_id: 'x', errors: [{ field: 'metadata.a' }] })
  })
})

describe('an e-mail address', () => {
  const SPELLINGS = ['ada@münchen.de', 'ada@MÜNCHEN.de', 'Ada@xn--mnchen-3ya.DE']

  it('is found by every spelling of its domain, and shown as it was sent', async () => {
    const { tenantId, key, send } = await caller()
    const ids: string[] = []
    for (const [at, email] of SPELLINGS.entries())
      ids.push((await newCustomer(key, { external_id: `e${at}`, email })).id)
    await importLines(key, [JSON.stringify({ external_id: 'e3', email: SPELLINGS[0] })])
    await newCustomer(key, { external_id: 'other', email: 'ada@munchen.de' })
    const found = async (body: object) =>
      (await send('POST', '/v1/customers/search', { ...body, order: 'asc' })).body.items.map(
        (item: { external_id: string; email: string }) => [item.external_id, item.email],
      )
    const all = [...SPELLINGS, SPELLINGS[0]].map((email, at) => [`e${at}`, email])
    for (const email of [...SPELLINGS, 'ADA@mu\u0308nchen.de']) {
      expect(await found({ email })).toEqual(all)
      const filter = (operator: string, value: object) => ({ filters: [{ field: 'email', operator, value }] })
      expect(await found(filter('eq', { string: email }))).toEqual(all)
      expect(await found(filter('in', { array: ['x@y.z', email] }))).toEqual(all)
      expect(await found(filter('in', { array: ['', email] }))).toEqual(all)
      expect(await found(filter('not_in', { array: [email] }))).toEqual([['other', 'ada@munchen.de']])
    }
    await send('PATCH', `/v1/customers/${ids[0]}`, { email: 'ada@example.com' })
    expect(await found({ email: SPELLINGS[0] })).toEqual(all.slice(1))
    await send('POST', `/v1/customers/${ids[1]}/erase`)
    const left = await env.DB.prepare(
      'SELECT count(*) AS n FROM customers WHERE tenant_id = ? AND email_ascii IS NOT NULL',
    )
    expect(await left.bind(tenantId).first('n')).toBe(1)
  })
})

describe('a value of a kind', () => {
  it('is stored in its own form at every entrance', async () => {
    const { key, send } = await caller()
    const v1 = await newCustomer(key, { timezone: 'europe/berlin', address_country: 'xk' })
    const groups = { personal_details: { timezone: 'ASIA/CALCUTTA' }, postal_address: { country_code: 'gB' } }
    const flatpeak = (await send('POST', '/customers', { reference_id: 'f', ...groups })).body
    expect([v1.timezone, v1.address_country]).toEqual(['Europe/Berlin', 'XK'])
    expect([flatpeak.personal_details.timezone, flatpeak.postal_address.country_code]).toEqual(['Asia/Calcutta', 'GB'])
    await importLines(key, ['{"external_id":"i","timezone":"utc","address_country":"de"}'])
    const imported = (await send('GET', '/v1/customers/external/i')).body
    expect([imported.timezone, imported.address_country]).toEqual(['UTC', 'DE'])
  })

  it('is refused by name at every entrance', async () => {
    const { tenantId, key, send } = await caller()
    const v1: [object, string][] = [
      [{ email: 'ada@example..com' }, 'email'],
      [{ address_country: 'ß' }, 'address_country'],
      [{ timezone: 'BST' }, 'timezone'],
      [{ external_id: '..' }, 'external_id'],
      [{ parent_customer_external_id: '.' }, 'parent_customer_external_id'],
    ]
    for (const [fields, field] of v1) {
      const body = { external_id: 'x', ...fields }
      const refused = await send('POST', '/v1/customers', body)
      expect([fields, refused.status, refused.body.details.errors[0].field]).toEqual([fields, 400, field])
      const [line] = await importLines(key, [JSON.stringify(body)])
      expect([fields, line.result, line.errors[0].field]).toEqual([fields, 'error', field])
    }
    const flatpeak: [object, string][] = [
      [{ personal_details: { email: '<ada@example.com>' } }, 'personal_details.email'],
      [{ personal_details: { timezone: '+02:00' } }, 'personal_details.timezone'],
      [{ postal_address: { country_code: 'uk' } }, 'postal_address.country_code'],
      [{ reference_id: '.' }, 'reference_id'],
    ]
    for (const [fields, field] of flatpeak) {
      const refused = await send('POST', '/customers', { reference_id: 'x', ...fields })
      expect([fields, refused.status, refused.body.param]).toEqual([fields, 400, field])
    }
    const operator: [object, string][] = [
      [{ contact_email: 'mailto:ada@example.com' }, 'contact_email'],
      [{ contract_start: '2026-02-30' }, 'contract_start'],
      [{ contract_end: '1969-12-31' }, 'contract_end'],
    ]
    for (const [fields, field] of operator) {
      const refused = await admin('PUT', `/${tenantId}`, fields)
      expect([fields, refused.status, refused.body.details.errors[0].field]).toEqual([fields, 400, field])
    }
  })

  it('is a time of RFC 3339 wherever one is taken', async () => {
    const { tenantId, send } = await caller()
    const good = encodeURIComponent('2026-11-26t22:00:00.123456+01:00')
    for (const time of [good, '2026-11-26T22:00Z', '2026-11-26']) {
      for (const path of [
        `/v1/customers?start_time=${time}`,
        `/v1/events?start_time=${time}`,
        `/admin/audit?start_time=${time}`,
      ]) {
        expect([path, (await send('GET', path)).status]).toEqual([path, 200])
      }
      const value = { date: decodeURIComponent(time) }
      const filters = [{ field: 'created_at', operator: 'before', value }]
      expect((await send('POST', '/v1/customers/search', { filters })).status).toBe(200)
    }
    const set = await admin('PUT', `/${tenantId}`, { contract_start: '2026-11-26T22:00+01:00' })
    expect(set.body.contract_start).toBe('2026-11-26T21:00:00.000Z')
    for (const path of [
      '/v1/customers?end_time=now',
      '/v1/events?end_time=2026-01-01T00:00:00',
      '/admin/audit?end_time=',
    ]) {
      const refused = await send('GET', path)
      expect([path, refused.status, refused.body.details.errors[0].field]).toEqual([path, 400, 'end_time'])
    }
  })
})

describe('the reason of a change', () => {
  it.each(['r'.repeat(501), 'a\u001b[31m', 'a\tb'])('%j is refused to a tenant and to an operator', async (reason) => {
    const { tenantId, send } = await caller()
    const headers = { 'x-reason': reason }
    for (const [path, body] of [
      ['/v1/customers', { external_id: 'x' }],
      [`/admin/customers/${tenantId}/keys`, { name: 'x' }],
    ] as const) {
      const refused = await send('POST', path, body, headers)
      expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, 'x-reason'])
    }
  })
})

it('refuses a parameter that is not percent-encoded UTF-8, instead of searching for another text', async () => {
  const { send } = await caller()
  const refused = await send('GET', '/v1/customers?email=%ff@b.co')
  expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, 'email'])
  expect((await send('GET', '/v1/customers?email=%EF%BF%BD@b.co')).status).toBe(200)
})

// biome-ignore lint/suspicious/noExplicitAny: a document of many shapes, read by name
type Json = any

/** Texts that are taken for what they are, or refused. `raw` is how JSON writes them. */
const STRANGE = ['"a\\u202eb"', '"e\\u0301 \\u00e9\\ud83d\\ude00"', '" <padded> "']
/** All of them in one text, which a field that takes each alone takes too. */
const ALL_STRANGE = `"${STRANGE.map((raw) => raw.slice(1, -1)).join('')}"`
/** Values that no text field takes. */
const IMPOSSIBLE = ['"\\u0000"', '"\\ud800"', '{"a":1}', `"${'x'.repeat(20_000)}"`]

/** Fields that name something else, whose response shows that and not the name. */
const NOT_SHOWN = new Set(['parent_customer_external_id', 'onboarding_workflow_name'])

describe('every text field of every body', () => {
  const { paths, components } = document as Json
  const resolved = (schema: Json): Json =>
    schema?.$ref ? resolved(components.schemas[schema.$ref.split('/').at(-1)]) : schema

  /** Returns the paths of the fields that take text, through objects and the first entry of lists. */
  function textFields(given: Json, path: string[] = []): string[][] {
    const schema = resolved(given) ?? {}
    if (schema.anyOf ?? schema.oneOf)
      return (schema.anyOf ?? schema.oneOf).flatMap((each: Json) => textFields(each, path))
    if (schema.properties) {
      return Object.entries(schema.properties).flatMap(([name, inner]) => textFields(inner, [...path, name]))
    }
    if (schema.items) return textFields(schema.items, [...path, '0'])
    return [schema.type].flat().includes('string') && schema.const === undefined ? [path] : []
  }

  /** Returns the body as JSON text with `raw` at the path. */
  function withValue(body: Json, path: string[], raw: string): string {
    // A public host would have to be looked up.
    const copy = JSON.parse(JSON.stringify(body).replaceAll(/"https:[^"]*"/g, '"http://127.0.0.1:9/"'))
    let at = copy
    for (const [index, name] of path.slice(0, -1).entries()) {
      at[name] ??= path[index + 1] === '0' ? [] : {}
      at = at[name]
    }
    at[path.at(-1) as string] = 'THE VALUE'
    return JSON.stringify(copy).replace('"THE VALUE"', raw)
  }

  // Settings come last: with workflows in force, each new customer would start one.
  const isSetting = ([path]: [string, Json]) => Number(path.startsWith('/v1/settings'))
  const inOrder = Object.entries<Json>(paths).toSorted((a, b) => isSetting(a) - isSetting(b))
  const bodies = inOrder.flatMap(([path, methods]) =>
    Object.entries<Json>(methods).flatMap(([method, operation]) => {
      const content = operation?.requestBody?.content?.['application/json']
      if (!content) return []
      const example = content.example ?? (Object.values<Json>(content.examples ?? {})[0]?.value as Json) ?? {}
      const quiet = example.url === undefined ? example : { ...example, enabled: false }
      return [{ method: method.toUpperCase(), path, example: quiet, fields: textFields(content.schema) }]
    }),
  )

  it('are found in the document', () => {
    expect(bodies.length).toBeGreaterThan(15)
    expect(bodies.flatMap(({ fields }) => fields).length).toBeGreaterThan(60)
  })

  it('keep what they take, and refuse by name what they do not', async () => {
    const { tenantId, key, send } = await caller()
    const { id } = await newCustomer(key)
    const keyId = (await send('POST', `/admin/customers/${tenantId}/keys`, { name: 'walk' })).body.key_id
    const places: Record<string, string> = {
      id,
      customer_id: tenantId,
      key_id: keyId,
      external_id: 'walk',
      endpoint_id: 'we_none',
    }
    const seen = { kept: 0, refused: 0 }
    const faults: string[] = []
    const asJson = (raw: string) => JSON.stringify(JSON.parse(raw))
    for (const { method, path, example, fields } of bodies) {
      const at =
        path.replaceAll(/\{(\w+)\}/g, (_, name) => places[name] ?? 'none') +
        (path === '/v1/customers' && method === 'PUT' ? `?id=${id}` : '')
      for (const field of fields) {
        const isKept = async (raw: string) => {
          // A search by words is combined with no filter.
          const beside = field[0] === 'q' ? {} : example
          const { status, text, body } = await send(method, at, withValue(beside, field, raw))
          const named = String(body?.param ?? body?.details?.errors?.[0]?.field ?? '').split('.')
          // A search and an undo only look for the value.
          const isShown =
            /\/(search|undo)$/.test(path) || NOT_SHOWN.has(field.at(-1) as string) || text.includes(asJson(raw))
          const isRight =
            status < 300
              ? isShown && !IMPOSSIBLE.includes(raw)
              : status === 400 && body.details?.reason !== 'too_many_endpoints'
                ? named.some((part) => field.includes(part))
                : status < 500
          if (!isRight)
            faults.push(`${method} ${path} ${field.join('.')} ${raw.slice(0, 20)}: ${status} ${text.slice(0, 200)}`)
          if (status < 300) seen.kept += raw === ALL_STRANGE ? STRANGE.length : 1
          else if (status === 400) seen.refused++
          return status < 300
        }
        // Refused values change nothing, and so they are sent at once.
        await Promise.all(IMPOSSIBLE.map(isKept))
        if (!(await isKept(ALL_STRANGE))) for (const raw of STRANGE) await isKept(raw)
      }
    }
    expect(faults).toEqual([])
    expect(Math.min(seen.kept, seen.refused)).toBeGreaterThan(100)
  })
})
