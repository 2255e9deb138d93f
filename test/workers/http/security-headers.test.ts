/** The headers that browsers obey, and those that no answer has. The headers of the pages are tested in test/node/docs. */
import { expect, it } from 'vitest'
import { ADMIN_KEY, call, newCustomer, newTenant } from '../support/roster.ts'

it('sends from every API JSON that no cache keeps, without a hint of the software behind it', async () => {
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
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    for (const name of ['x-powered-by', 'server', 'set-cookie', 'access-control-allow-origin']) {
      expect([name, headers.get(name)]).toEqual([name, null])
    }
  }
})

it('serves a file under its own name and as no other type', async () => {
  const { live } = await newTenant()
  await newCustomer(live.key, { name: '<script>alert(1)</script>' })
  for (const format of ['csv', 'ndjson']) {
    const { headers } = await call('GET', `/v1/customers/export?format=${format}`, { key: live.key })
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-disposition')).toBe(`attachment; filename="customers.${format}"`)
  }
})
