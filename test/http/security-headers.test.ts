/** What an answer tells a browser, and does not tell anyone else. Those of the pages are in test/docs. */
import { expect, it } from 'vitest'
import { ADMIN_KEY, call, newCustomer, newTenant } from '../support/roster.ts'

it('every answer of every door is JSON that no cache keeps, and says nothing of what runs here', async () => {
  const { tenantId, live } = await newTenant()
  const { id } = await newCustomer(live.key)
  const answers = [
    await call('GET', `/v1/customers/${id}`, { key: live.key }),
    await call('GET', `/v1/customers/${id}`, { key: live.key }),
    await call('GET', '/v1/customers', { key: live.key }),
    await call('GET', `/customers/${id}`, { key: live.key }),
    await call('GET', `/admin/customers/${tenantId}`, { headers: { 'x-api-key': ADMIN_KEY } }),
    await call('GET', '/v1/customers/<script>alert(1)</script>', { key: live.key }),
    await call('POST', '/v1/customers', { key: live.key, body: { external_id: '' } }),
    await call('GET', '/v1/customers'),
    await call('GET', '/nowhere'),
    await call('GET', '/healthz'),
  ]
  for (const { headers } of answers) {
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('cache-control')).toBe('no-store')
    for (const name of ['x-powered-by', 'server', 'set-cookie', 'access-control-allow-origin']) {
      expect([name, headers.get(name)]).toEqual([name, null])
    }
  }
})

it('a file is saved under its own name and taken for nothing else', async () => {
  const { live } = await newTenant()
  await newCustomer(live.key, { name: '<script>alert(1)</script>' })
  for (const format of ['csv', 'ndjson']) {
    const { headers } = await call('GET', `/v1/customers/export?format=${format}`, { key: live.key })
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-disposition')).toBe(`attachment; filename="customers.${format}"`)
  }
})
