/**
 * Compares what every API shows to a caller with the last consistency token with the model: one customer, one external id,
 * and the list.
 */
import { expect } from 'vitest'
import { BOUND_CALLER, bound } from '../apis/drivers.ts'
import { ADMIN_KEY, call, type TestTenant } from '../support/roster.ts'
import { type ShownVersion, shownVersionOf } from './callers.ts'
import type { Model } from './model.ts'
import { canonical, type ModelCustomer } from './model-types.ts'
import { type ApiName, shownAt, shownIn } from './observed.ts'
import { modelEventOf } from './rows.ts'

export interface View {
  api: ApiName
  id: string
  externalId: string
  token: string
}

/** Returns the customer as the v1 API shows it, if the view is of that API. */
export async function expectShown(tenant: TestTenant, model: Model, view: View): Promise<ShownVersion | undefined> {
  const { api, id, externalId, token } = view
  if (api === 'rpc') {
    await expectShownByRpc(tenant, model, view)
    return
  }
  const get = (path: string) => call('GET', path, { key: tenant.live.key, headers: { 'consistency-token': token } })
  const read = async (path: string) => {
    const { status, body } = await get(path)
    return status === 404 ? null : bodyOf(api, body)
  }
  const shown = (customer: ModelCustomer | null) => customer && { id: customer.id, ...shownAt(api, customer) }
  const [one, all] = [model.byId(id), model.list()]
  if (api === 'flatpeak') {
    expect(await read(`/customers/${id}`)).toEqual(one?.archived ? null : shown(one))
    const listed = async (query: string) => {
      const { body } = await get(`/customers${query}`)
      return body.data.map((item: unknown) => bodyOf(api, item))
    }
    const holders = all.filter((customer) => customer.externalId === externalId)
    expect(await listed(`?reference_id=${externalId}`)).toEqual(holders.map(shown))
    expect(await listed('?limit=100')).toEqual(all.map(shown))
    return
  }
  expect(await read(`/v1/customers/external/${externalId}`)).toEqual(shown(model.byExternalId(externalId)))
  const whole = await get(`/v1/customers/${id}`)
  expect(whole.status === 404 ? null : bodyOf(api, whole.body)).toEqual(shown(one))
  const { items, pagination } = (await get('/v1/customers?limit=1000')).body
  expect(items.map((item: unknown) => bodyOf(api, item))).toEqual(all.map(shown))
  expect(pagination.total).toBe(all.length)
  const { counts } = model.state()
  expect((await get('/v1/customers?status=archived&limit=1')).body.pagination.total).toBe(counts.archived)
  if (!one) return
  expectExpanded(model, one, (await get(`/v1/customers/${id}?expand=${EXPANSIONS}`)).body)
  return shownVersionOf(whole)
}

const EXPANSIONS = 'parent_customer,children,integrations,aliases'

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
function expectExpanded(model: Model, one: ModelCustomer, body: any): void {
  const aliases = [...model.aliases].flatMap(([former, { of }]) => (of === one.id ? former : []))
  expect(body.old_external_ids).toEqual(aliases.toSorted())
  expect(body.integrations).toEqual(
    one.integrations.map((each) => ({ ...each, provider_type: each.provider, provider_entity_id: each.id })),
  )
  expect(body.parent_customer?.id ?? null).toBe(model.byId(one.parentId ?? '')?.id ?? null)
  const ids = (customers: { id: string }[]) => customers.map(({ id }) => id).toSorted()
  expect(ids(body.children)).toEqual(ids(model.childrenOf(one.id)))
}

async function expectShownByRpc({ tenantId }: TestTenant, model: Model, view: View): Promise<void> {
  const customers = bound({ tenantId, mode: 'live', scopes: ['customers:read'], caller: BOUND_CALLER })
  const options = { consistencyToken: view.token }
  const read = (answer: { ok: boolean; customer?: unknown }) => (answer.ok ? bodyOf('rpc', answer.customer) : null)
  const shown = (customer: ModelCustomer | null) => customer && { id: customer.id, ...shownAt('rpc', customer) }
  expect(read(await customers.get(view.id, options))).toEqual(shown(model.byId(view.id)))
  expect(read(await customers.getByExternalId(view.externalId, options))).toEqual(
    shown(model.byExternalId(view.externalId)),
  )
  const page = await customers.list({ limit: 1_000 }, options)
  expect(page.ok && page.customers.map((customer) => bodyOf('rpc', customer))).toEqual(model.list().map(shown))
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
function bodyOf(api: ApiName, body: any): object {
  return { id: body.id, ...shownIn(api, body) }
}

/** Checks that the audit has every event of a customer, and no other. */
export async function expectAudited({ tenantId }: TestTenant, model: Model): Promise<void> {
  const audited: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path = `/admin/audit?tenant_id=${tenantId}&limit=50${cursor && `&cursor=${cursor}`}`
    const { body } = await call('GET', path, { headers: { 'x-api-key': ADMIN_KEY } })
    for (const item of body.items) if (item.customer_id !== null) audited.push(canonical(modelEventOf(item)))
    cursor = body.pagination.next_cursor
  }
  expect(audited.toSorted()).toEqual(model.events.map(canonical).toSorted())
}

/**
 * Checks that each version that was ever shown is read back to the byte, with its etag; of an erased customer none, of one that
 * was merged into another none any more, and of any none that it never had.
 */
export async function expectRemembered(
  { live: { key } }: TestTenant,
  model: Model,
  all: ShownVersion[],
): Promise<void> {
  const read = (id: string, version: number) => call('GET', `/v1/customers/${id}?version=${version}`, { key })
  const distinct = [...new Map(all.map((shown) => [`${shown.id} ${shown.etag}`, shown])).values()]
  for (const { id, text, etag } of distinct) {
    const { status, headers, ...again } = await read(id, Number(etag?.replaceAll('"', '')))
    const customer = model.customers.get(id)
    if (!customer || customer.erased) expect(status).toBe(404)
    else if (model.isForgotten(id, Number(etag?.replaceAll('"', '')))) expect(status).toBe(410)
    else expect([again.text, headers.get('etag')]).toEqual([text, etag])
  }
  for (const { id, version } of model.list()) expect((await read(id, version + 1)).status).toBe(404)
}

/** Customers of each kind that a run tries: more would take too long. */
const TRIED_MAX = 3
/** The advice that each refusal of a restore has. */
const NEXT_STEPS: Record<string, RegExp> = {
  external_id_taken: /send an external_id that no other customer has/,
  integration_taken: /send a list without the entity/,
  parent_not_found: /send another parent_customer_id or null with the restore/,
  too_many_descendants: /send another parent_customer_id or null with the restore/,
  parent_too_deep: /send another parent_customer_id or null with the restore/,
}

/**
 * Checks that no customer is stuck: one request restores an archived one, whatever was taken meanwhile, and then it can be
 * read and changed; a refusal says how; and every customer can be erased, after its children.
 */
export async function expectWaysOut({ live: { key } }: TestTenant, model: Model): Promise<void> {
  const send = (method: string, path: string, body?: object) =>
    call(method, `/v1/customers/${path}`, { key, ...(body && { body }) })
  const present = [...model.customers.values()].filter(({ erased, mergedInto }) => !erased && mergedInto === null)
  const archived = present.filter((customer) => customer.archived).slice(0, TRIED_MAX)
  for (const { id } of archived) {
    const plain = await send('POST', `${id}/restore`)
    if (plain.status !== 200) {
      const { reason, errors } = plain.body.details
      expect([reason, errors[0].fix]).toEqual([reason, expect.stringMatching(NEXT_STEPS[reason] ?? /^$/)])
    }
    const free = { external_id: `free ${id}`, parent_customer_id: null, integration_entity_mapping: [] }
    const statuses = [
      (await send('POST', `${id}/restore`, free)).status,
      (await send('PUT', id, { name: 'In use' })).status,
      (await send('GET', `external/${encodeURIComponent(free.external_id)}`)).status,
    ]
    expect(statuses).toEqual([200, 200, 200])
  }
  const [top] = present.filter(({ id }) => model.childrenOf(id).length > 0)
  const tried = [...archived, ...present.filter(({ id }) => model.childrenOf(id).length === 0).slice(-TRIED_MAX)]
  for (const { id } of tried) expect([id, (await send('POST', `${id}/erase`)).status]).toEqual([id, 200])
  if (!top) return
  // Those that were restored above have no parent any more, and some of the children may be erased by now.
  const { body: left } = await call('GET', `/v1/customers?parent_customer_id=${top.id}`, { key })
  const { status, body } = await send('POST', `${top.id}/erase`)
  if (left.items.length === 0) return expect(status).toBe(200)
  expect([status, body.details.reason, body.message]).toEqual([
    ...[400, 'has_children', expect.stringContaining('GET /v1/customers?parent_customer_id=')],
  ])
}
