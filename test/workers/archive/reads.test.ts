/** Reads of events that are in the archive: nobody notices where an event is, and what cannot be had then says so. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ADMIN_KEY, admin, type Called, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { archived } from './support.ts'

afterEach(() => vi.restoreAllMocks())

const liveOf = ({ tenantId }: TestTenant) => ({ tenantId, mode: 'live' as const })

/** Makes a tenant with three customers and fifteen changes. */
async function tenantWithHistory() {
  const tenant = await newTenant()
  const { key } = tenant.live
  const ids: string[] = []
  for (const name of ['Ada', 'Bo', 'Cy']) {
    const { id } = await newCustomer(key, {
      name,
      external_id: `${name}-of-${tenant.tenantId}`,
      metadata: { n: '1.10' },
    })
    ids.push(id)
  }
  const [ada = '', bo = '', cy = ''] = ids
  const change = (id: string, body: object) => call('PATCH', `/v1/customers/${id}`, { key, body })
  await change(ada, { name: 'Ada L.' })
  await change(bo, { external_id: `bo-2-${tenant.tenantId}` })
  await call('DELETE', `/v1/customers/${cy}`, { key, headers: { 'x-reason': 'left' } })
  await call('POST', `/v1/customers/${cy}/restore`, { key })
  for (let n = 0; n < 7; n++) await change(ada, { metadata: { n: `${n}` } })
  await change(bo, { email: 'bo@example.com' })
  return { tenant, key, ada, bo, cy, change }
}

/** Returns all items of a list, page by page. */
async function everyItem(path: string, given: { key: string } | { headers: Record<string, string> }) {
  const items: unknown[] = []
  for (let cursor: string | null = '', pages = 0; cursor !== null && pages < 100; pages++) {
    const { status, body }: Called = await call('GET', `${path}${cursor && `&cursor=${cursor}`}`, given)
    expect(status).toBe(200)
    items.push(...body.items)
    cursor = body.pagination.has_more ? body.pagination.next_cursor : null
  }
  return items
}

const OPERATOR = { headers: { 'x-api-key': ADMIN_KEY } }

describe('events that are in the archive', () => {
  it('are listed as before, in both orders, with every filter, in pages of any size, and so is the audit', async () => {
    const { tenant, key, ada, bo } = await tenantWithHistory()
    const { items } = (await call('GET', '/v1/events?limit=100', { key })).body
    const [middle] = items.slice(7)
    const paths = [
      ...['/v1/events?limit=100', '/v1/events?limit=4', '/v1/events?limit=3&order=asc'],
      `/v1/events?limit=2&type=customer.updated`,
      `/v1/events?limit=100&start_time=${middle.timestamp}`,
      `/v1/events?limit=5&end_time=${middle.timestamp}&order=asc`,
      ...[`/v1/customers/${ada}/events?limit=3`, `/v1/customers/${bo}/events?limit=1&order=asc`],
    ]
    const audits = [
      `/admin/audit?tenant_id=${tenant.tenantId}&limit=4`,
      `/admin/audit?customer_id=${bo}&limit=1`,
      `/admin/audit?tenant_id=${tenant.tenantId}&type=customer.archived&limit=2`,
    ]
    // D1 does not list the newest events in this order, because older ones may still come.
    const inOrder = async (path: string, isArchived: boolean) =>
      path.endsWith('&order=asc') && !isArchived
        ? (await everyItem(path.replace('&order=asc', ''), { key })).toReversed()
        : everyItem(path, { key })
    const everything = async (isArchived = false) => [
      ...(await Promise.all(paths.map((path) => inOrder(path, isArchived)))),
      ...(await Promise.all(audits.map((path) => everyItem(path, OPERATOR)))),
    ]
    const before = await everything()
    expect(before[0]).toHaveLength(15)
    await archived(liveOf(tenant), 4)
    expect(
      await env.DB.prepare('SELECT count(*) AS n FROM events WHERE tenant_id = ?').bind(tenant.tenantId).first('n'),
    ).toBe(0)
    expect(await everything(true)).toEqual(before)
    const { id } = await newCustomer(key, { name: 'Young' })
    const after = await everyItem('/v1/events?limit=100', { key })
    expect(after).toEqual([
      expect.objectContaining({
        type: 'customer.created',
        data: expect.objectContaining({ customer: expect.objectContaining({ id }) }),
      }),
      ...(before[0] as unknown[]),
    ])
    expect(await everyItem('/v1/events?limit=4&order=asc', { key })).toEqual(after.slice(1).toReversed())
  })

  it('tell what a customer was, by id and by external id, and a revert goes back to it', async () => {
    const { tenant, key, ada, bo, cy } = await tenantWithHistory()
    const { items } = (await call('GET', '/v1/events?limit=100', { key })).body
    const times: string[] = items.map(({ timestamp: at }: { timestamp: string }) => at)
    const names = ['Bo', 'Cy', 'Ada'].map((name) => `${name}-of-${tenant.tenantId}`)
    const paths = [ada, bo, cy].flatMap((id) => [
      ...[1, 2, 3, 5, 9].map((version) => `/v1/customers/${id}?version=${version}`),
      ...times.map((time) => `/v1/customers/${id}?as_of=${time}`),
    ])
    const external = names.flatMap((name) => times.map((time) => `/v1/customers/external/${name}?as_of=${time}`))
    const everything = async () =>
      Promise.all(
        [...paths, ...external].map(async (path) => {
          const { status, text, headers } = await call('GET', path, { key })
          return [path, status, status === 200 ? text : '', headers.get('etag')]
        }),
      )
    const before = await everything()
    expect(new Set(before.map(([, status]) => status))).toEqual(new Set([200, 404]))
    await archived(liveOf(tenant), 3)
    expect(await everything()).toEqual(before)
    const reverted = await call('POST', `/v1/customers/${ada}/revert`, { key, body: { version: 1 } })
    expect([reverted.status, reverted.body.name]).toEqual([200, 'Ada'])
  })

  it('are too old for an undo, which says so', async () => {
    const { tenant, key, ada } = await tenantWithHistory()
    const since = (await call('GET', `/v1/customers/${ada}?version=1`, { key })).body.created_at
    await archived(liveOf(tenant))
    const undone = await call('POST', '/v1/undo', { key, body: { actor: tenant.live.keyId, since } })
    expect(undone.body?.code ?? undone.text).toContain('history_expired')
  })

  it('are 503 while R2 is away, and recent events are not', async () => {
    const { tenant, key, ada, change } = await tenantWithHistory()
    await archived(liveOf(tenant))
    await change(ada, { name: 'Ada again' })
    const get = vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'get').mockRejectedValue(new Error('R2 is away'))
    for (const path of ['/v1/events?limit=100', `/v1/customers/${ada}?version=3`, `/v1/customers/${ada}/events`]) {
      const { status, headers } = await call('GET', path, { key })
      expect([path, status, headers.has('retry-after')]).toEqual([path, 503, true])
    }
    expect((await call('GET', '/v1/events?limit=1', { key })).status).toBe(200)
    expect((await call('GET', `/v1/customers/${ada}`, { key })).status).toBe(200)
    get.mockRestore()
    expect((await call('GET', '/v1/events?limit=100', { key })).status).toBe(200)
    expect((await admin('GET', `/${tenant.tenantId}`)).status).toBe(200)
  })
})
