/**
 * What every door shows to whoever brings the last consistency token, held against the model: one customer, one external
 * id, and the list.
 */
import { expect } from 'vitest'
import { BOUND_CALLER, bound } from '../doors/drivers.ts'
import { ADMIN_KEY, call, type TestTenant } from '../support/roster.ts'
import { type DoorName, shownAt, shownIn } from './heard.ts'
import type { Model } from './model.ts'
import { happenedOf } from './stored.ts'
import { canonical, type Kept } from './words.ts'

export interface Look {
  door: DoorName
  id: string
  externalId: string
  token: string
}

export async function expectShown(tenant: TestTenant, model: Model, look: Look): Promise<void> {
  const { door, id, externalId, token } = look
  if (door === 'rpc') return expectShownByRpc(tenant, model, look)
  const get = (path: string) => call('GET', path, { key: tenant.live.key, headers: { 'consistency-token': token } })
  const read = async (path: string) => {
    const { status, body } = await get(path)
    return status === 404 ? null : bodyOf(door, body)
  }
  const shown = (customer: Kept | null) => customer && { id: customer.id, ...shownAt(door, customer) }
  const [one, all] = [model.byId(id), model.list()]
  if (door === 'flatpeak') {
    expect(await read(`/customers/${id}`)).toEqual(one?.archived ? null : shown(one))
    const listed = async (query: string) => {
      const { body } = await get(`/customers${query}`)
      return body.data.map((item: unknown) => bodyOf(door, item))
    }
    const holders = all.filter((customer) => customer.externalId === externalId)
    expect(await listed(`?reference_id=${externalId}`)).toEqual(holders.map(shown))
    expect(await listed('?limit=100')).toEqual(all.map(shown))
    return
  }
  expect(await read(`/v1/customers/external/${externalId}`)).toEqual(shown(model.byExternalId(externalId)))
  expect(await read(`/v1/customers/${id}`)).toEqual(shown(one))
  const { items, pagination } = (await get('/v1/customers?limit=1000')).body
  expect(items.map((item: unknown) => bodyOf(door, item))).toEqual(all.map(shown))
  expect(pagination.total).toBe(all.length)
  const { counts } = model.state()
  expect((await get('/v1/customers?status=archived&limit=1')).body.pagination.total).toBe(counts.archived)
  if (one) expectExpanded(model, one, (await get(`/v1/customers/${id}?expand=${EXPANSIONS}`)).body)
}

const EXPANSIONS = 'parent_customer,children,integrations,aliases'

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
function expectExpanded(model: Model, one: Kept, body: any): void {
  const aliases = [...model.aliases].flatMap(([former, of]) => (of === one.id ? former : []))
  expect(body.old_external_ids).toEqual(aliases.toSorted())
  expect(body.integrations).toEqual(
    one.integrations.map((each) => ({ ...each, provider_type: each.provider, provider_entity_id: each.id })),
  )
  expect(body.parent_customer?.id ?? null).toBe(model.byId(one.parentId ?? '')?.id ?? null)
  const ids = (customers: { id: string }[]) => customers.map(({ id }) => id).toSorted()
  expect(ids(body.children)).toEqual(ids(model.childrenOf(one.id)))
}

async function expectShownByRpc({ tenantId }: TestTenant, model: Model, look: Look): Promise<void> {
  const customers = bound({ tenantId, mode: 'live', scopes: ['customers:read'], caller: BOUND_CALLER })
  const options = { consistencyToken: look.token }
  const read = (answer: { ok: boolean; customer?: unknown }) => (answer.ok ? bodyOf('rpc', answer.customer) : null)
  const shown = (customer: Kept | null) => customer && { id: customer.id, ...shownAt('rpc', customer) }
  expect(read(await customers.get(look.id, options))).toEqual(shown(model.byId(look.id)))
  expect(read(await customers.getByExternalId(look.externalId, options))).toEqual(
    shown(model.byExternalId(look.externalId)),
  )
  const page = await customers.list({ limit: 1_000 }, options)
  expect(page.ok && page.customers.map((customer) => bodyOf('rpc', customer))).toEqual(model.list().map(shown))
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
function bodyOf(door: DoorName, body: any): object {
  return { id: body.id, ...shownIn(door, body) }
}

/** Everything that happened to customers is in the audit, and nothing else. */
export async function expectAudited({ tenantId }: TestTenant, model: Model): Promise<void> {
  const told: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path = `/admin/audit?tenant_id=${tenantId}&limit=50${cursor && `&cursor=${cursor}`}`
    const { body } = await call('GET', path, { headers: { 'x-api-key': ADMIN_KEY } })
    for (const item of body.items) if (item.customer_id !== null) told.push(canonical(happenedOf(item)))
    cursor = body.pagination.next_cursor
  }
  expect(told.toSorted()).toEqual(model.events.map(canonical).toSorted())
}
