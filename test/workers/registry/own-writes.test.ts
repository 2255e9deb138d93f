import { expect, it } from 'vitest'
import { call, newCustomer, newTenant } from '../support/roster.ts'

it('answers in an isolate what it has just written, without a token and whatever it had cached', async () => {
  const { live } = await newTenant()
  const { id, external_id } = await newCustomer(live.key, { name: '0' })
  for (let write = 1; write <= 10; write++) {
    for (const path of [`/v1/customers/${id}`, `/v1/customers/external/${external_id}`]) {
      await call('GET', path, { key: live.key })
    }
    await call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: String(write) } })
    const byId = await call('GET', `/v1/customers/${id}`, { key: live.key })
    const byExternalId = await call('GET', `/v1/customers/external/${external_id}`, { key: live.key })
    const list = await call('GET', '/v1/customers', { key: live.key })
    const names = [byId.body.name, byExternalId.body.name, list.body.items[0].name]
    expect(names).toEqual([write, write, write].map(String))
  }
})
