/**
 * Behaviour that only the RPC entrypoint has. Rules that all APIs share are in same-rules.test.ts, and the way through
 * a real second Worker is in test/node/apis/bound-worker.test.ts.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { CustomerQuery } from '../../../../src/apis/rpc/call-schema.ts'
import type { BindingProps, Customer, NewCustomer } from '../../../../src/apis/rpc/schema.ts'
import { Customers } from '../../../../src/entrypoints/rpc.ts'
import { call, newTenant } from '../../support/roster.ts'
import { BOUND_CALLER, bound } from '../drivers.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const SCOPES = ['customers:read', 'customers:write']

async function binding() {
  const tenant = await newTenant()
  const props: BindingProps = { tenantId: tenant.tenantId, mode: 'live', scopes: SCOPES, caller: BOUND_CALLER }
  return { tenant, props, roster: () => bound(props) }
}

/** The answer of a successful call, to a binding that may read what it writes. */
type Good<T> = T extends { ok: true; customer: unknown } ? T & { customer: Customer } : Extract<T, { ok: true }>

/** Returns the answer of a successful call; `T` is without its failure. */
function good<T extends { ok: boolean }>(answer: T): Good<T> {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`)
  return answer as Good<T>
}

describe('the props of a binding', () => {
  const right = { tenantId: crypto.randomUUID(), mode: 'live', scopes: SCOPES, caller: 'billing' }

  it.each([
    { wrong: { tenantId: 'acme' }, named: 'props.tenantId' },
    { wrong: { tenantId: undefined }, named: 'props.tenantId' },
    { wrong: { mode: 'production' }, named: 'props.mode' },
    { wrong: { scopes: [] }, named: 'props.scopes' },
    { wrong: { scopes: ['customers:delete'] }, named: 'props.scopes.0' },
    { wrong: { caller: '' }, named: 'props.caller' },
    { wrong: { caller: 'admin' }, named: 'props.caller' },
    { wrong: { caller: 'Admin' }, named: 'props.caller' },
    { wrong: { caller: 'sweep' }, named: 'props.caller' },
    { wrong: { caller: 'Sample' }, named: 'props.caller' },
    { wrong: { caller: 'unknown' }, named: 'props.caller' },
    { wrong: { caller: 'KEY_01ARZ3NDEKTSV4RRFFQ69G5FAV' }, named: 'props.caller' },
    { wrong: { caller: 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV' }, named: 'props.caller' },
    { wrong: { tenant: 'acme' }, named: 'props.tenant ' },
  ])('that are wrong throw, by the name of the prop: $wrong', async ({ wrong, named }) => {
    const roster = bound({ ...right, ...wrong } as BindingProps)
    const error = await Promise.resolve(roster.get('cust_1')).then(
      () => null,
      (thrown: Error) => thrown.message,
    )
    expect(error).toContain(named)
    expect(error).toContain('wrangler.toml')
  })

  it.each([
    ['read', (roster: ReturnType<typeof bound>) => roster.get('cust_01ARZ3NDEKTSV4RRFFQ69G5FAV')],
    ['write', (roster: ReturnType<typeof bound>) => roster.create({ externalId: 'user_1' })],
  ])('that name no tenant throw at the first %s', async (_, callMethod) => {
    const error = await Promise.resolve(callMethod(bound(right as BindingProps))).then(
      () => null,
      (thrown: Error) => thrown.message,
    )
    expect(error).toContain('props.tenantId names no tenant')
  })

  it('throw with the name of each when all are missing', async () => {
    const error = await Promise.resolve(bound(undefined as unknown as BindingProps).get('cust_1')).catch(String)
    for (const name of ['tenantId', 'mode', 'scopes', 'caller']) expect(error).toContain(`props.${name}`)
  })
})

it('exposes exactly the thirteen methods', () => {
  const reads = ['get', 'getByExternalId', 'list', 'duplicates']
  const writes = ['create', 'getOrCreate', 'update', 'archive', 'restore', 'revert', 'undo', 'merge', 'unmerge']
  const methods = [...reads, ...writes]
  expect(Object.getOwnPropertyNames(Customers.prototype).sort()).toEqual(['constructor', ...methods].sort())
})

describe('a customer as it was', () => {
  it('is read by its version or a time, and not by both, and can be so again', async () => {
    const { roster } = await binding()
    const { customer: first } = good(await roster().create({ externalId: 'first', name: 'One' }))
    const { consistencyToken } = good(await roster().update(first.id, { externalId: 'second' }))
    const options = { consistencyToken, asOf: first.updatedAt }
    const read = [
      roster().get(first.id, { consistencyToken, version: 1 }),
      roster().get(first.id, options),
      roster().getByExternalId('first', options),
    ]
    for (const answer of await Promise.all(read)) expect(good(answer).customer).toEqual(first)
    expect(await roster().get(first.id, { version: 9 })).toMatchObject({ failure: { reason: 'not_found' } })
    const reverted = good(await roster().revert(first.id, { version: 1 }))
    expect(reverted).toMatchObject({ left: [], customer: { externalId: 'first', version: 3 } })
    await roster().revert(first.id, { version: 2 })
    const { customer: taker } = good(await roster().create({ externalId: 'first' }))
    const conflicts = [{ field: 'externalId', reason: 'external_id_taken', customerId: taker.id }]
    const answer = await roster().revert(first.id, { asOf: first.updatedAt })
    expect(answer).toMatchObject({ failure: { reason: 'revert_conflict', conflicts } })
    const part = await roster().revert(first.id, { version: 1 }, { partial: true })
    expect(part).toMatchObject({ left: ['externalId'], customer: { externalId: 'second', name: 'One' } })
    const changes = { actor: BOUND_CALLER, since: first.createdAt }
    const undone = await roster().undo(changes, { dryRun: true })
    expect(undone).toMatchObject({ next: null, outcomes: [{ id: taker.id, result: 'reverted' }, { id: first.id }] })
    expect(await roster().undo({ since: first.createdAt })).toMatchObject({ failure: { reason: 'invalid_input' } })
    const refused = await roster().get(first.id, { version: 1, asOf: first.updatedAt })
    expect(refused).toMatchObject({ failure: { reason: 'invalid_input', problems: [{ field: 'asOf' }] } })
  })
})

describe('a customer', () => {
  it('is returned in camelCase, null where nothing is set, signed with the Worker’s name', async () => {
    const { roster, tenant } = await binding()
    const { customer, consistencyToken } = good(await roster().create({ externalId: 'user_1', name: 'Acme' }))
    expect(customer).toEqual({
      id: expect.stringMatching(/^cust_[0-9A-Z]{26}$/),
      externalId: 'user_1',
      name: 'Acme',
      email: null,
      contact: null,
      addressLine1: null,
      addressLine2: null,
      addressCity: null,
      addressState: null,
      addressPostalCode: null,
      addressCountry: null,
      timezone: 'UTC',
      parentId: null,
      metadata: {},
      integrations: [],
      status: 'published',
      version: 1,
      tenantId: tenant.tenantId,
      mode: 'live',
      createdAt: expect.stringMatching(ISO),
      updatedAt: customer.createdAt,
      createdBy: BOUND_CALLER,
      updatedBy: BOUND_CALLER,
    })
    expect(good(await roster().get(customer.id, { consistencyToken })).customer).toEqual(customer)
    const shown = await call('GET', `/v1/customers/${customer.id}`, { key: tenant.live.key })
    expect(shown.body).toMatchObject({ created_by: BOUND_CALLER, created_at: customer.createdAt })
  })

  it('keeps its metadata and integrations as given, and a sent list or metadata replaces the whole', async () => {
    const { roster } = await binding()
    const integrations = [{ provider: 'stripe', id: 'cus_1', region: 'eu', tags: ['a', 1], raw: { vip: true } }]
    const fields = { externalId: 'user_1', metadata: { plan: 'pro', seats: 3, vip: true }, integrations }
    const { customer } = good(await roster().create(fields))
    expect(customer).toMatchObject({ metadata: { plan: 'pro', seats: '3', vip: 'true' }, integrations })
    const kept = good(await roster().update(customer.id, { metadata: { plan: 'free' } })).customer
    expect(kept).toMatchObject({ metadata: { plan: 'free' }, integrations })
    const cleared = good(await roster().update(customer.id, { metadata: null, integrations: null })).customer
    expect(cleared).toMatchObject({ metadata: {}, integrations: [] })
  })

  it('is refused when another customer has its integration', async () => {
    const { roster } = await binding()
    const integrations = [{ provider: 'stripe', id: 'cus_1' }]
    await roster().create({ externalId: 'user_1', integrations })
    const second = await roster().create({ externalId: 'user_2', integrations })
    expect(second).toMatchObject({ ok: false, failure: { reason: 'integration_taken' } })
  })

  it('is created at most once by getOrCreate, however many calls run at once', async () => {
    const { roster } = await binding()
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => roster().getOrCreate({ externalId: 'user_1', name: `caller ${at}` })),
    )
    const all = answers.map(good)
    expect(all.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(all.map(({ customer }) => customer.id)).size).toBe(1)
    const maker = all.find(({ created }) => created)?.customer
    expect(good(await roster().getOrCreate({ externalId: 'user_1', name: 'late' })).customer).toEqual(maker)
  })

  it('is named by its id or by its external id for a change', async () => {
    const { roster } = await binding()
    const { customer } = good(await roster().create({ externalId: 'user_1' }))
    const updated = good(await roster().update({ externalId: 'user_1' }, { name: 'Acme' })).customer
    expect(updated).toMatchObject({ id: customer.id, name: 'Acme', version: 2 })
    const archived = good(await roster().archive({ externalId: 'user_1' }, { ifVersion: 2 })).customer
    expect(archived).toMatchObject({ id: customer.id, status: 'archived' })
    expect(good(await roster().get(customer.id)).customer.status).toBe('archived')
    expect(await roster().restore(customer.id, { ifVersion: 2 })).toMatchObject({
      failure: { reason: 'version_conflict', currentVersion: 3 },
    })
    expect(await roster().update({ externalId: 'nobody' }, {})).toMatchObject({ failure: { reason: 'not_found' } })
  })

  it('has its parent named in errors by the field that the caller used', async () => {
    const { roster } = await binding()
    const { customer: parent } = good(await roster().create({ externalId: 'parent' }))
    const { customer: child } = good(await roster().create({ externalId: 'child', parentExternalId: 'parent' }))
    expect(child.parentId).toBe(parent.id)
    expect(await roster().archive(parent.id)).toMatchObject({ ok: false, failure: { reason: 'has_children' } })
    expect(await roster().update(parent.id, { parentExternalId: 'child' })).toMatchObject({
      failure: { reason: 'parent_cycle', field: 'parentExternalId', message: expect.stringContaining('below itself') },
    })
    expect(await roster().update(child.id, { parentId: 'nobody' })).toMatchObject({
      failure: { reason: 'parent_not_found', field: 'parentId' },
    })
    expect(good(await roster().update(child.id, { parentExternalId: null })).customer.parentId).toBeNull()
  })
})

describe('a list', () => {
  it('shows what matches all filters, in the requested order', async () => {
    const { roster } = await binding()
    const { customer: parent } = good(await roster().create({ externalId: 'a', metadata: { plan: 'pro' } }))
    const b = { externalId: 'b', email: 'b@example.com', metadata: { plan: 'pro' }, parentId: parent.id }
    await roster().create(b)
    await roster().create({ externalId: 'c', status: 'draft' })
    const { customer: gone } = good(await roster().create({ externalId: 'd' }))
    const { consistencyToken } = good(await roster().archive(gone.id))
    const matchingIds = async (query: CustomerQuery) =>
      good(await roster().list(query, { consistencyToken })).customers.map(({ externalId }) => externalId)
    expect(await matchingIds({})).toEqual(['c', 'b', 'a'])
    expect(await matchingIds({ order: 'oldest' })).toEqual(['a', 'b', 'c'])
    expect(await matchingIds({ metadata: { plan: 'pro' } })).toEqual(['b', 'a'])
    expect(await matchingIds({ metadata: { plan: 'pro' }, email: 'b@example.com' })).toEqual(['b'])
    expect(await matchingIds({ parentId: parent.id })).toEqual(['b'])
    expect(await matchingIds({ externalIds: ['a', 'c', 'nobody'] })).toEqual(['c', 'a'])
    expect(await matchingIds({ status: 'archived' })).toEqual(['d'])
    expect(await matchingIds({ status: ['draft', 'archived'] })).toEqual(['d', 'c'])
    expect(await matchingIds({ createdFrom: gone.createdAt, status: ['archived'] })).toEqual(['d'])
    expect(await matchingIds({ createdBefore: parent.createdAt })).toEqual([])
  })

  it.each(['newest', 'oldest'] as const)('is paged by its cursor, %s first', async (order) => {
    const { roster } = await binding()
    let token = ''
    for (const externalId of ['a', 'b', 'c']) {
      token = good(await roster().create({ externalId })).consistencyToken
    }
    const first = good(await roster().list({ order, limit: 2 }, { consistencyToken: token }))
    expect(first.nextCursor).not.toBeNull()
    const cursor = first.nextCursor ?? ''
    const second = good(await roster().list({ order, limit: 2, cursor }, { consistencyToken: token }))
    expect(second.nextCursor).toBeNull()
    const names = [...first.customers, ...second.customers].map(({ externalId }) => externalId)
    expect(names).toEqual(order === 'newest' ? ['c', 'b', 'a'] : ['a', 'b', 'c'])
  })
})

describe('arguments that are wrong', () => {
  const cyclic: Record<string, unknown> = { provider: 'stripe', id: 'cus_1' }
  cyclic.self = cyclic

  it.each([
    { what: 'no fields at all', fields: undefined, field: 'fields' },
    { what: 'text instead of fields', fields: 'user_1', field: 'fields' },
    { what: 'no external id', fields: {}, field: 'externalId' },
    { what: 'a field named as in another API', fields: { external_id: 'user_1' }, field: 'external_id' },
    { what: 'a function', fields: { name: () => 'Acme' }, field: 'name' },
    { what: 'a big integer', fields: { name: 1n }, field: 'name' },
    { what: 'half a surrogate pair', fields: { name: '\ud800' }, field: 'name' },
    { what: 'metadata that is a Map', fields: { metadata: new Map([['plan', 'pro']]) }, field: 'metadata' },
    { what: 'metadata that nests', fields: { metadata: { plan: {} } }, field: 'metadata.plan' },
    { what: 'details that hold themselves', fields: { integrations: [cyclic] }, field: 'integrations.0' },
    {
      what: 'details that are not JSON',
      fields: { integrations: [{ provider: 'stripe', id: 'cus_1', at: new Date(0) }] },
      field: 'integrations.0',
    },
    {
      what: 'details without end',
      fields: { integrations: [{ provider: 'stripe', id: 'cus_1', note: 'x'.repeat(2_001) }] },
      field: 'integrations.0',
    },
    {
      what: 'an entity twice',
      fields: {
        integrations: [
          { provider: 'stripe', id: 'cus_1' },
          { provider: 'stripe', id: 'cus_1' },
        ],
      },
      field: 'integrations.1',
    },
    { what: 'two parents', fields: { parentId: 'a', parentExternalId: 'b' }, field: 'parentExternalId' },
    { what: 'archiving by status', fields: { status: 'archived' }, field: 'status' },
  ])('are refused by their name, and nothing is created: $what', async ({ fields, field }) => {
    const { roster } = await binding()
    const whole = typeof fields === 'object' && !('external_id' in fields || field === 'externalId')
    const given = whole ? { externalId: 'user_1', ...fields } : fields
    const answer = await roster().create(given as unknown as NewCustomer)
    expect(answer).toMatchObject({
      ok: false,
      failure: {
        reason: 'invalid_input',
        problems: expect.arrayContaining([{ field, message: expect.any(String), fix: expect.any(String) }]),
      },
    })
    expect(good(await roster().list()).customers).toEqual([])
  })

  it.each([
    { call: 'get', args: [7], field: 'id' },
    { call: 'getByExternalId', args: [null], field: 'externalId' },
    { call: 'update', args: [{ id: 'cust_1' }, {}], field: 'externalId' },
    { call: 'archive', args: [], field: 'target' },
    { call: 'restore', args: [], field: 'id' },
    { call: 'list', args: [{ limit: 1_001 }], field: 'limit' },
    { call: 'list', args: [{ cursor: 'page 2' }], field: 'cursor' },
    { call: 'list', args: [{ createdFrom: 'yesterday' }], field: 'createdFrom' },
    { call: 'get', args: ['cust_1', 'token'], field: 'options' },
    { call: 'get', args: ['cust_1', { ifVersion: 1 }], field: 'ifVersion' },
    { call: 'get', args: ['cust_1', { requestId: 'has a space' }], field: 'requestId' },
    { call: 'archive', args: ['cust_1', { ifVersion: 0 }], field: 'ifVersion' },
    { call: 'archive', args: ['cust_1', { reason: 'x'.repeat(501) }], field: 'reason' },
    {
      call: 'get',
      args: ['cust_01ARZ3NDEKTSV4RRFFQ69G5FAV', { consistencyToken: 'forged' }],
      field: 'consistencyToken',
    },
  ] as const)('are refused by their name: $call with $args', async ({ call: method, args, field }) => {
    const { roster } = await binding()
    const stub = roster() as unknown as Record<string, (...given: readonly unknown[]) => Promise<unknown>>
    expect(await stub[method]?.(...args)).toMatchObject({
      ok: false,
      failure: { reason: 'invalid_input', problems: expect.arrayContaining([expect.objectContaining({ field })]) },
    })
  })

  it('ignores a consistency token of another tenant', async () => {
    const ours = await binding()
    const theirs = await binding()
    const { customer } = good(await ours.roster().create({ externalId: 'user_1' }))
    const { consistencyToken } = good(await theirs.roster().create({ externalId: 'user_1' }))
    expect(await ours.roster().get(customer.id, { consistencyToken })).toMatchObject({
      failure: { reason: 'invalid_input', problems: [{ field: 'consistencyToken' }] },
    })
  })
})

it('records who changed a customer, why, and in which request', async () => {
  const { roster, tenant } = await binding()
  const { customer } = good(await roster().create({ externalId: 'user_1' }))
  await roster().update(customer.id, { name: 'Acme' }, { reason: 'asked by phone', requestId: 'req-42' })
  const { results } = await env.DB.prepare(
    'SELECT actor, reason, request_id FROM events WHERE tenant_id = ? AND customer_id = ? ORDER BY id DESC LIMIT 1',
  )
    .bind(tenant.tenantId, customer.id)
    .all()
  expect(results).toEqual([{ actor: BOUND_CALLER, reason: 'asked by phone', request_id: 'req-42' }])
})
