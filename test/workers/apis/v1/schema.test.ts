/** The schemas and the mapping of the v1 API, without a Worker around them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { toListRequest, toV1Pagination } from '../../../../src/apis/v1/customers/list-mapping.ts'
import { listQueryString, searchBody } from '../../../../src/apis/v1/customers/list-schema.ts'
import { toChanges, toMergePatch, toNewCustomer } from '../../../../src/apis/v1/customers/mapping.ts'
import {
  createQueryString,
  customerCreate,
  customerUpdate,
  customerUpsert,
  readQueryString,
  targetQueryString,
} from '../../../../src/apis/v1/customers/schema.ts'
import { toV1 } from '../../../../src/formats/v1-customer.ts'
import type { Customer } from '../../../../src/registry/customer.ts'
import { optionalTexts } from '../../../../src/registry/customer-fields.ts'
import { RegistryError } from '../../../../src/registry/errors.ts'
import { isExternalId } from '../../../../src/validation/external-id.ts'
import { problemsOf } from '../../../../src/validation/problems.ts'

const CREATE_FIELDS = Object.keys(customerCreate().shape)
const LIST_PARAMETERS = Object.keys(searchBody().shape)

/** Objects whose keys are mostly the schema's own, so that the values get further than "unknown field". */
function anyObjectOf(names: string[]) {
  return fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), fc.oneof(fc.string(), fc.jsonValue()), {
    noNullPrototype: true,
  })
}

function problemsFor(schema: z.ZodType, input: unknown) {
  const result = schema.safeParse(input)
  return result.success ? [] : problemsOf(result.error)
}

describe('whatever is sent', () => {
  it.each([
    ['create', customerCreate()],
    ['update', customerUpdate()],
    ['upsert', customerUpsert()],
  ])('is accepted by the schema for %s, or refused with a field and a fix', (_name, schema) => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyObjectOf(CREATE_FIELDS)), (input) => {
        const result = schema.safeParse(input)
        if (result.success) {
          toMergePatch(result.data)
          toChanges(result.data)
          return
        }
        for (const { message, fix } of problemsOf(result.error)) expect([message, fix]).not.toContain('')
      }),
      { numRuns: 1_000 },
    )
  })

  it('is accepted by the schema for a search, or refused with a field and a fix', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anyObjectOf(LIST_PARAMETERS)), (input) => {
        const result = searchBody().safeParse(input)
        if (!result.success) expect(problemsOf(result.error)).not.toEqual([])
        else refusedOrFine(() => toListRequest(result.data, null))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is a list request when it is a query string of known and unknown names, or refused with the problem', () => {
    const names = fc.oneof(
      fc.constantFrom(...LIST_PARAMETERS, 'metadata[plan]', 'metadata[__proto__]', 'metadata[]', '__proto__'),
      fc.string(),
    )
    const texts = fc.oneof(fc.string(), fc.json(), fc.constantFrom('1', '50', 'created_at:desc', '2026-01-01', 'draft'))
    fc.assert(
      fc.property(
        fc.dictionary(names, fc.oneof(texts, fc.array(texts, { minLength: 2 })), { noNullPrototype: true }),
        (query) => {
          const result = listQueryString().safeParse(query)
          if (!result.success) expect(problemsOf(result.error)).not.toEqual([])
          else refusedOrFine(() => toListRequest(result.data, null))
          for (const schema of [readQueryString(), createQueryString(), targetQueryString()]) schema.safeParse(query)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('metadata', () => {
  const keys = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '"', "'", '$.a', 'a.b', 'é', '😀'),
    fc.string({ minLength: 1, maxLength: 20 }),
  )

  it('keeps any key and value, __proto__ and constructor too, through create, PUT and PATCH', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, fc.string({ maxLength: 20 })), { maxLength: 20 }), (entries) => {
        const sent = Object.fromEntries(entries)
        const input = customerCreate().parse(JSON.parse(JSON.stringify({ external_id: 'a', metadata: sent })))
        const expected = Object.entries(sent).sort()
        const replaced = toNewCustomer(input).metadata as { replace: object }
        expect(Object.entries(replaced.replace).sort()).toEqual(expected)
        const merged = toMergePatch(input).metadata as { merge: object } | undefined
        expect(Object.entries(merged?.merge ?? {}).sort()).toEqual(expected)
      }),
    )
  })

  it('takes numbers and booleans as text', () => {
    const { metadata } = customerUpdate().parse({ metadata: { seats: 12, beta: true, ratio: 0.5, plan: 'pro' } })
    expect(metadata).toEqual({ seats: '12', beta: 'true', ratio: '0.5', plan: 'pro' })
  })

  it('refuses by name a structure, too many keys, and a key or a value that is too long', () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`key${at}`, 'x']))
    expect(problemsFor(customerUpdate(), { metadata: { plan: { a: 1 } } })[0]?.field).toBe('metadata.plan')
    expect(problemsFor(customerUpdate(), { metadata: { plan: [1] } })[0]?.field).toBe('metadata.plan')
    expect(problemsFor(customerUpdate(), { metadata: many })[0]?.field).toBe('metadata')
    expect(problemsFor(customerUpdate(), { metadata: { ['k'.repeat(41)]: 'x' } })).toHaveLength(1)
    expect(problemsFor(customerUpdate(), { metadata: { plan: '😀'.repeat(501) } })[0]?.field).toBe('metadata.plan')
    expect(problemsFor(customerUpdate(), { metadata: { ['😀'.repeat(40)]: '😀'.repeat(500) } })).toEqual([])
    expect(problemsFor(customerUpdate(), { metadata: ['x'] })[0]?.field).toBe('metadata')
  })
})

describe('integration_entity_mapping', () => {
  const parse = (...entries: object[]) =>
    customerUpdate().parse({ integration_entity_mapping: entries }).integration_entity_mapping

  it('means the same in both of its forms, and keeps the other fields that it is given', () => {
    expect(parse({ provider: 'stripe', id: 'cus_1' })).toEqual([{ provider: 'stripe', id: 'cus_1' }])
    expect(parse({ provider_type: 'stripe', provider_entity_id: 'cus_1', metadata: { a: 1 } })).toEqual([
      { provider: 'stripe', id: 'cus_1', details: '{"metadata":{"a":1}}' },
    ])
    expect(parse({ provider: 'stripe', provider_type: 'stripe', id: 'x', provider_entity_id: 'x' })).toEqual([
      { provider: 'stripe', id: 'x' },
    ])
  })

  it.each([
    ['half of one', [{ provider: 'stripe' }], 'integration_entity_mapping.0.id'],
    ['an empty provider', [{ provider: '', id: 'x' }], 'integration_entity_mapping.0.provider'],
    [
      'two names that differ',
      [{ provider: 'a', provider_type: 'b', id: 'x' }],
      'integration_entity_mapping.0.provider',
    ],
    [
      'an entity twice',
      [
        { provider: 'a', id: 'x' },
        { provider_type: 'a', provider_entity_id: 'x' },
      ],
      'integration_entity_mapping.1',
    ],
    ['no object', ['stripe'], 'integration_entity_mapping.0'],
    ['an id that is too long', [{ provider: 'a', id: 'x'.repeat(256) }], 'integration_entity_mapping.0.id'],
    [
      'details that are too long',
      [{ provider: 'a', id: 'x', note: 'n'.repeat(2_001) }],
      'integration_entity_mapping.0',
    ],
    [
      'fifty-one of them',
      Array.from({ length: 51 }, (_, at) => ({ provider: 'a', id: `${at}` })),
      'integration_entity_mapping',
    ],
  ])('%s is refused by name', (_what, list, field) => {
    expect(problemsFor(customerUpdate(), { integration_entity_mapping: list })[0]?.field).toBe(field)
  })

  it('refuses details of endless nesting, without following them', () => {
    const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
    const entry = { provider: 'a', id: 'x', deep }
    expect(problemsFor(customerUpdate(), { integration_entity_mapping: [entry] })[0]?.field).toBe(
      'integration_entity_mapping.0',
    )
  })
})

describe('a customer, as request and as response', () => {
  const customer: Customer = {
    tenantId: '550e8400-e29b-41d4-a716-446655440000',
    mode: 'test',
    id: 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    externalId: 'a',
    ...optionalTexts(() => null),
    timezone: 'UTC',
    parentId: null,
    metadata: {},
    integrations: [],
    profile: {},
    status: 'published',
    version: 1,
    createdAtMs: 0,
    updatedAtMs: 1,
    createdBy: 'admin',
    updatedBy: 'key_1',
  }

  it('has every key of the contract even when nothing is set', () => {
    expect(toV1(customer)).toEqual({
      id: customer.id,
      external_id: 'a',
      name: '',
      email: '',
      contact: null,
      address_line1: '',
      address_line2: '',
      address_city: '',
      address_state: '',
      address_postal_code: '',
      address_country: '',
      timezone: 'UTC',
      parent_customer_id: null,
      parent_customer: null,
      metadata: {},
      environment_id: 'env_test',
      tenant_id: customer.tenantId,
      status: 'published',
      created_at: '1970-01-01T00:00:00.000Z',
      updated_at: '1970-01-01T00:00:00.001Z',
      created_by: 'admin',
      updated_by: 'key_1',
    })
  })

  it('treats absent as no change, and null or empty text as clear', () => {
    expect(toChanges(customerUpdate().parse({}))).toEqual({})
    expect(toMergePatch(customerUpdate().parse({ metadata: {} }))).toEqual({})
    const cleared = { name: null, email: null, contact: null, timezone: null, parent: null }
    expect(
      toChanges(customerUpdate().parse({ name: '', email: '', contact: '', timezone: '', parent_customer_id: '' })),
    ).toEqual(cleared)
    expect(
      toChanges(
        customerUpdate().parse({
          name: null,
          email: null,
          contact: null,
          timezone: null,
          parent_customer_external_id: null,
        }),
      ),
    ).toEqual(cleared)
    expect(toMergePatch(customerUpdate().parse({ metadata: null }))).toEqual({ metadata: { replace: {} } })
    expect(toChanges(customerUpdate().parse({ metadata: { a: null, b: 'x' } }))).toEqual({
      metadata: { replace: { b: 'x' } },
    })
  })

  it.each([
    ['external_id', null],
    ['external_id', ''],
    ['external_id', 7],
    ['external_id', 'x'.repeat(256)],
    ['name', 'x'.repeat(256)],
    ['name', 7],
    ['email', 'not an address'],
    ['email', `${'x'.repeat(320)}@example.com`],
    ['contact', '1'.repeat(21)],
    ['address_line1', 'x'.repeat(256)],
    ['address_line2', 'x'.repeat(256)],
    ['address_city', 'x'.repeat(101)],
    ['address_state', 'x'.repeat(101)],
    ['address_postal_code', 'x'.repeat(21)],
    ['address_country', 'ZZ'],
    ['address_country', 'USA'],
    ['timezone', 'Mars/Olympus'],
    ['timezone', '+01:00'],
    ['metadata', 'plan'],
    ['parent_customer_id', 7],
    ['integration_entity_mapping', {}],
    ['status', 'archived'],
    ['status', 'gone'],
    ['skip_onboarding_workflow', 'yes'],
    ['onboarding_workflow_name', 7],
  ])('refuses %s of %j by its name, with a fix', (field, value) => {
    const problems = problemsFor(customerCreate(), { external_id: 'a', [field]: value })
    expect(problems).toEqual([{ field, message: expect.any(String), fix: expect.stringMatching(/./) }])
  })

  it('measures lengths in characters as people see them: an emoji is one', () => {
    expect(problemsFor(customerCreate(), { external_id: '😀'.repeat(255), name: '👍'.repeat(255) })).toEqual([])
    expect(isExternalId('😀'.repeat(255))).toBe(true)
    expect(isExternalId('😀'.repeat(256))).toBe(false)
    expect(isExternalId('a\0')).toBe(false)
    expect(isExternalId('')).toBe(false)
  })

  it('rejects two parent fields', () => {
    const both = { parent_customer_id: 'cust_1', parent_customer_external_id: 'b' }
    expect(problemsFor(customerUpdate(), both)[0]?.field).toBe('parent_customer_external_id')
    expect(toChanges(customerUpdate().parse({ ...both, parent_customer_id: null })).parent).toEqual({ externalId: 'b' })
  })

  it('keeps a country in upper case', () => {
    expect(toChanges(customerUpdate().parse({ address_country: 'gb' }))).toEqual({ addressCountry: 'GB' })
  })
})

describe('the place of a page', () => {
  it('is where the page before ended, how many were shown, and how many there are', async () => {
    const customers = [{ id: 'cust_1', name: null, version: 3 } as Customer]
    const input = searchBody().parse({ sort: [{ field: 'name' }], limit: 1, offset: 4 })
    let place = ''
    const cursor = {
      position: null,
      next: async (position: string | null) => {
        place = position ?? ''
        return position
      },
    }
    const request = toListRequest(input, null)
    const page = { customers, positions: [['', 'cust_1']], next: ['', 'cust_9'], total: { count: 9, isCapped: true } }
    const first = await toV1Pagination(page, request, cursor)
    expect(first.pagination).toMatchObject({ total: 9, total_is_capped: true, has_more: true, offset: 5 })
    const second = toListRequest({ ...input, offset: undefined }, place)
    expect(second).toEqual({
      query: { ...request.query, start: { kind: 'after', position: ['', 'cust_9'] } },
      offset: 5,
      total: { count: 9, isCapped: true },
    })
    // A later page has the total of the first, which counted.
    const empty = await toV1Pagination({ customers: [], positions: [], next: null, total: null }, second, cursor)
    expect(empty.pagination).toEqual({
      total: 9,
      total_is_capped: true,
      limit: 1,
      offset: 5,
      next_cursor: null,
      has_more: false,
    })
  })
})

describe('a list request', () => {
  const query = (parameters: Record<string, string | string[]>) =>
    toListRequest(listQueryString().parse(parameters), null).query
  const search = (body: object) => toListRequest(searchBody().parse(body), null).query

  it('means the same as a query string and as a search', () => {
    const filters = [{ field: 'name', operator: 'contains', data_type: 'string', value: { string: 'acme' } }]
    const sort = [{ field: 'created_at', direction: 'desc' }, { field: 'name' }]
    const body = {
      customer_ids: ['cust_1', 'cust_2'],
      external_ids: ['a', 'b'],
      external_id: 'a',
      email: 'a@example.com',
      metadata: { plan: 'pro', seats: 3 },
      parent_customer_id: 'cust_3',
      parent_customer_ids: ['cust_3'],
      status: ['draft', 'archived'],
      start_time: '2026-01-01',
      end_time: '2026-01-02T10:00:00+02:00',
      filters,
      sort,
      order: 'desc',
      limit: 7,
      offset: 3,
      expand: ['parent_customer', 'aliases'],
    }
    const parameters = {
      customer_ids: 'cust_1,cust_2',
      external_ids: ['a', 'b'],
      external_id: 'a',
      email: 'a@example.com',
      'metadata[plan]': 'pro',
      'metadata[seats]': '3',
      parent_customer_id: 'cust_3',
      parent_customer_ids: 'cust_3',
      status: 'draft,archived',
      start_time: '2026-01-01',
      end_time: '2026-01-02T10:00:00+02:00',
      filters: JSON.stringify(filters),
      sort: '-created_at,name',
      order: 'desc',
      limit: '7',
      offset: '3',
      expand: 'parent_customer,aliases',
    }
    expect(listQueryString().parse(parameters).expand).toEqual(searchBody().parse(body).expand)
    expect(query(parameters)).toEqual(search(body))
    expect(query({ metadata: '{"plan":"pro","seats":3}' })).toEqual(search({ metadata: { plan: 'pro', seats: 3 } }))
    expect(query({ sort: JSON.stringify(sort) })).toEqual(search({ sort }))
    expect(query({ sort: 'created_at:desc,name:asc' })).toEqual(query({ sort: '-created_at,name' }))
  })

  it('defaults to fifty, newest first, also for null', () => {
    const plain = { filters: [], includeArchived: false, sort: [], start: { kind: 'offset', offset: 0 }, limit: 50 }
    expect(query({})).toEqual(plain)
    expect(search({})).toEqual(plain)
    expect(search(Object.fromEntries(LIST_PARAMETERS.map((name) => [name, null])))).toEqual(plain)
    expect(search({ order: 'asc' }).sort).toEqual([{ field: 'id', direction: 'asc' }])
  })

  it('takes the direction of order for a sort key without one, or else ascending', () => {
    const sort = [{ field: 'name' }, { field: 'email', direction: 'asc' }]
    const directions = (body: object) => search(body).sort.map(({ direction }) => direction)
    expect(directions({ sort })).toEqual(['asc', 'asc'])
    expect(directions({ sort, order: 'desc' })).toEqual(['desc', 'asc'])
  })

  it('includes the start of a period and not its end', () => {
    expect(search({ start_time: '2026-01-01', end_time: '2026-02-01' }).filters).toEqual([
      { field: 'createdAtMs', operator: 'gte', value: Date.UTC(2026, 0, 1) },
      { field: 'createdAtMs', operator: 'lt', value: Date.UTC(2026, 1, 1) },
    ])
  })

  it('leaves archived customers out when it names no status', () => {
    const of = (operator: string, array: string[]) =>
      search({ filters: [{ field: 'status', operator, value: { array } }] }).filters
    expect(of('not_in', ['draft'])).toContainEqual({ field: 'status', operator: 'ne', value: 'archived' })
    expect(of('in', ['archived'])).toHaveLength(1)
  })

  const filter = (fields: object) => ({
    filters: [{ field: 'name', operator: 'eq', value: { string: 'x' }, ...fields }],
  })
  it.each([
    ['an unknown field', filter({ field: 'shoe_size' }), 'filters.0.field'],
    ['an unknown operator', filter({ operator: 'like' }), 'filters.0.operator'],
    ['an operator that the field does not take', filter({ operator: 'before' }), 'filters.0.operator'],
    ['a time that contains', filter({ field: 'created_at', operator: 'contains' }), 'filters.0.operator'],
    ['a status that is greater', filter({ field: 'status', operator: 'gt' }), 'filters.0.operator'],
    ['a type that the field is not of', filter({ data_type: 'number', value: { number: 1 } }), 'filters.0.data_type'],
    ['a boolean', filter({ data_type: 'boolean', value: { boolean: true } }), 'filters.0.data_type'],
    ['a list without a list', filter({ operator: 'in' }), 'filters.0.value.array'],
    ['a value under another name', filter({ value: { date: '2026-01-01' } }), 'filters.0.value.string'],
    [
      'a date that is none',
      filter({ field: 'created_at', operator: 'after', value: { date: 'soon' } }),
      'filters.0.value.date',
    ],
    [
      'a status that is none',
      filter({ field: 'status', operator: 'in', value: { array: ['draft', 'x'] } }),
      'filters.0.value.array.1',
    ],
    ['no value', { filters: [{ field: 'name', operator: 'eq' }] }, 'filters.0.value'],
    ['too many filters', { filters: Array.from({ length: 31 }, () => filter({}).filters[0]) }, 'filters'],
    ['sorting by nothing', { sort: [{ field: 'shoe_size' }] }, 'sort.0.field'],
    ['sorting sideways', { sort: [{ field: 'name', direction: 'left' }] }, 'sort.0.direction'],
    ['sorting twice by one', { sort: [{ field: 'name' }, { field: 'name' }] }, 'sort.1.field'],
    ['a limit of none', { limit: 0 }, 'limit'],
    ['a limit of too many', { limit: 1001 }, 'limit'],
    ['a limit of one and a half', { limit: 1.5 }, 'limit'],
    ['an offset before the start', { offset: -1 }, 'offset'],
    ['an offset and a cursor', { offset: 1, cursor: 'x' }, 'offset'],
    ['a status that no customer has', { status: 'deleted' }, 'status.0'],
    ['a time that is none', { start_time: 'yesterday' }, 'start_time'],
    ['a period that ends before it starts', { start_time: '2026-01-02', end_time: '2026-01-01' }, 'end_time'],
    ['an empty external id', { external_id: '' }, 'external_id'],
    ['an empty id in a list', { customer_ids: ['a', ''] }, 'customer_ids.1'],
    ['metadata that is no object', { metadata: 'plan' }, 'metadata'],
    ['metadata that is null', { metadata: { plan: null } }, 'metadata.plan'],
    ['an unknown expansion', { expand: 'parent_customer,shoes' }, 'expand'],
    ['children of a thousand', { expand: 'children', limit: 101 }, 'limit'],
  ])('%s is refused by name', (_what, body, field) => {
    expect(problemsFor(searchBody(), body)).toEqual([
      { field, message: expect.stringMatching(/./), fix: expect.stringMatching(/./) },
    ])
  })

  it.each([
    ['limit', 'ten'],
    ['limit', '1e2'],
    ['limit', ['1', '2']],
    ['offset', '-1'],
    ['external_id', ['a', 'b']],
    ['email', ''],
    ['customer_ids', ''],
    ['filters', 'name'],
    ['filters', '{"field":"name"}'],
    ['sort', 'name:up'],
    ['sort', ''],
    ['metadata', 'plan'],
    ['metadata', 'null'],
    ['metadata', '{"a":"\\u0000"}'],
    ['metadata[a]', ['1', '2']],
    ['metadata[]', 'x'],
    ['cursor', ''],
    ['parent_customer_external_id', 'a'],
    ['metadata[a', 'x'],
  ])('?%s=%j is refused', (name, value) => {
    expect(problemsFor(listQueryString(), { [name]: value })).not.toEqual([])
  })

  it('refuses metadata given in two ways', () => {
    const problems = problemsFor(listQueryString(), { metadata: '{"a":"1"}', 'metadata[b]': '2' })
    expect(problems).toMatchObject([{ field: 'metadata' }])
  })
})

function refusedOrFine(action: () => unknown): void {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(RegistryError)
  }
}
