/** A deployment without a tenant, as its first operator meets it. */
import { expect, it } from 'vitest'
import { ADMIN_KEY, call } from '../../support/roster.ts'

it.each(['acme', 'acme corporation', 'billing@acme.example', 'cust_01M8HEXYGKTEBG5J54TGH3ERGP'])(
  'finds nothing for %s',
  async (q) => {
    const path = `/admin/search?q=${encodeURIComponent(q)}`
    const { status, body } = await call('GET', path, { headers: { 'x-api-key': ADMIN_KEY } })
    expect([status, body]).toMatchObject([200, { customers: [], tenants: [], has_more: false }])
  },
)

it.each(['/admin/customers', '/admin/audit', '/admin/health'])('answers %s', async (path) => {
  expect((await call('GET', path, { headers: { 'x-api-key': ADMIN_KEY } })).status).toBe(200)
})
