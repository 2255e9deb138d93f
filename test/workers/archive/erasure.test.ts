/** Erasures and the archive: afterwards nobody can read what the archive has of the person, and no copy is in clear. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type Line, unpacked } from '../../../src/storage/archive/format.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { call, newCustomer, newTenant } from '../support/roster.ts'
import { archived } from './support.ts'

const erasedDocument = (id: string) => ({ id, external_id: id, name: '', email: '' })

describe('an erased customer', () => {
  it('is in no store in clear, in the archive as in D1 and KV, and its events say when and who alone', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const who = `jane${crypto.randomUUID().slice(0, 8)}`
    const reason = { headers: { 'x-reason': `asked by ${who}` } }
    const { id } = await newCustomer(key, { name: who, external_id: `${who}-1`, email: `${who}@person.example` })
    const other = await newCustomer(key, { name: 'Other' })
    await call('PATCH', `/v1/customers/${id}`, { key, ...reason, body: { external_id: `${who}-2` } })
    await call('DELETE', `/v1/customers/${id}`, { key, ...reason })
    await archived({ tenantId: tenant.tenantId, mode: 'live' }, 3)
    const gates = [`${tenant.tenantId}:live`, `${tenant.tenantId}:test`]
    expect(await everythingStored(gates)).toContain(who)
    expect(await keyOf(id)).not.toBeNull()
    expect((await call('POST', `/v1/customers/${id}/erase`, { key })).status).toBe(200)

    await mergeRemovedWords()
    expect(await everythingStored(gates)).not.toContain(who)
    expect(await keyOf(id)).toBeNull()
    const { items } = (await call('GET', `/v1/events?limit=10`, { key })).body
    const own = items.filter(({ data }: { data: { customer: { id: string } } }) => data.customer.id === id)
    expect(own).toHaveLength(4)
    for (const event of own) expect(event.data.customer).toMatchObject(erasedDocument(id))
    expect(items).toContainEqual(
      expect.objectContaining({
        data: expect.objectContaining({ customer: expect.objectContaining({ name: 'Other', id: other.id }) }),
      }),
    )
    expect((await call('GET', `/v1/customers/${id}?version=1`, { key })).status).toBe(404)
    // The key of another customer opens nothing.
    await env.DB.prepare(
      'UPDATE customers SET archive_key = (SELECT other.archive_key FROM customers other WHERE other.id = ?2) WHERE id = ?1',
    )
      .bind(id, other.id)
      .run()
    await expect(call('GET', `/v1/events?limit=10`, { key }).then(({ status }) => status)).resolves.toBe(503)
  })

  it('takes with it what a host that it was merged into got meanwhile, and nothing from before or after', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const scope = { tenantId: tenant.tenantId, mode: 'live' as const }
    const host = await newCustomer(key, { name: 'Host' })
    const guest = await newCustomer(key, { name: 'Guest', contact: '+15550123' })
    const send = (method: string, path: string, body?: object) =>
      call(method, `/v1/customers/${path}`, { key, ...(body && { body }) })
    await send('PATCH', host.id, { name: 'Host before' })
    await archived(scope)
    expect((await send('POST', `${guest.id}/merge`, { into: host.id })).status).toBe(200)
    await send('PATCH', host.id, { name: 'Host with guest' })
    // One part of the stay goes to the archive while it lasts, the other one when it is over.
    await archived(scope)
    await send('PATCH', host.id, { name: 'Host with guest still' })
    expect((await send('POST', `${host.id}/unmerge`, { source: guest.id })).status).toBe(200)
    await archived(scope)
    await send('PATCH', host.id, { name: 'Host after' })
    await send('PATCH', guest.id, { name: 'Guest after' })
    await archived(scope)
    expect(await ownersIn(tenant.tenantId, host.id)).toEqual(
      [
        ...['created host', 'updated host', 'merged host+guest', 'updated host+guest', 'updated host+guest'],
        ...['unmerged host+guest', 'updated host'],
      ].map((text) => text.replace('host', host.id).replace('guest', guest.id)),
    )

    expect((await send('POST', `${guest.id}/erase`)).status).toBe(200)
    const named = async (id: string) => {
      const { items } = (await call('GET', `/v1/customers/${id}/events?order=desc&limit=50`, { key })).body
      return items.map(
        ({ type, data }: { type: string; data: { customer: { name: string } } }) => `${type} ${data.customer.name}`,
      )
    }
    expect(await named(host.id)).toEqual([
      ...[
        'customer.updated Host after',
        'customer.unmerged ',
        'customer.updated ',
        'customer.updated ',
        'customer.merged ',
      ],
      ...['customer.updated Host before', 'customer.created Host'],
    ])
    expect(await send('GET', `${host.id}?version=1`)).toMatchObject({ status: 200, body: { name: 'Host' } })
    expect((await send('GET', `${host.id}?version=4`)).status).toBe(410)
    // Erased itself, the host has no event any more that anybody could read.
    expect((await send('POST', `${host.id}/erase`)).status).toBe(200)
    const { items } = (await call('GET', `/v1/events?limit=50`, { key })).body
    for (const { data } of items) expect(data.customer).toMatchObject({ name: '', contact: null, email: '' })
  })
})

async function keyOf(id: string) {
  return env.DB.prepare('SELECT archive_key FROM customers WHERE id = ?').bind(id).first('archive_key')
}

/** Returns the types of a customer's archived events with whose keys open them. */
async function ownersIn(tenantId: string, customerId: string): Promise<string[]> {
  const { objects } = await env.ARCHIVE.list({ prefix: `events/${tenantId}/` })
  const lines: Line[] = []
  for (const { key } of objects) {
    const object = await env.ARCHIVE.get(key)
    if (object) lines.push(...(await unpacked(object.body, customerId)))
  }
  return lines
    .filter((line) => line.customerId === customerId)
    .sort((one, other) => one.version - other.version)
    .map(({ type, owners }) => `${type.replace('customer.', '')} ${owners.join('+')}`)
}
