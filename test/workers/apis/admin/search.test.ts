/** Operators find customers and tenants by an exact value, whatever tenant they are of. */
import { expect, it } from 'vitest'
import {
  ADMIN_KEY,
  admin,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
} from '../../support/roster.ts'

async function find(q: string) {
  const { status, body } = await call('GET', `/admin/search?q=${encodeURIComponent(q)}`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  expect(status).toBe(200)
  return body
}

const idsOf = (body: { customers: { customer_id: string }[] }) => body.customers.map((one) => one.customer_id)

it('finds customers of all tenants and modes by id, external id and e-mail address, with the tenant and mode', async () => {
  const [one, other] = [await newTenantOfBothModes(), await newTenantOfBothModes()] as [
    TestTenantOfBothModes,
    TestTenantOfBothModes,
  ]
  const external = crypto.randomUUID()
  const email = `Billing-${external}@Example.com`
  const { id: first } = await newCustomer(one.live.key, { external_id: external, name: 'Ada' })
  const { id: second } = await newCustomer(one.test.key, { external_id: external, email })
  const { id: third } = await newCustomer(other.live.key, { external_id: external, email: email.toLowerCase() })
  const { customers, has_more: hasMore } = await find(external)
  expect(hasMore).toBe(false)
  expect(customers).toEqual([
    expect.objectContaining({ customer_id: third, tenant_id: other.tenantId, mode: 'live' }),
    expect.objectContaining({ customer_id: second, tenant_id: one.tenantId, mode: 'test', external_id: external }),
    expect.objectContaining({ customer_id: first, tenant_id: one.tenantId, mode: 'live', name: 'Ada', email: null }),
  ])
  expect(idsOf(await find(email.toUpperCase()))).toEqual([third, second])
  expect(idsOf(await find(second))).toEqual([second])
  expect(idsOf(await find(external.slice(1)))).toEqual([])
})

it('finds a customer by any address, whatever its signs, and by a former one no more', async () => {
  const { live } = await newTenant()
  const part = crypto.randomUUID().slice(0, 13)
  for (const email of [
    `o\`neil+${part}@x.io`,
    `o'neil+${part}@x.io`,
    `!#$%&*+-/=?^_{|}~.${part}@x.io`,
    `Ünal.${part}@BÜCHER.example`,
  ]) {
    const { id } = await newCustomer(live.key, { email })
    // Those that only have the same words come behind it.
    expect(idsOf(await find(email))[0], email).toBe(id)
  }
  const [before, after] = [`before-${part}@x.io`, `after-${part}@x.io`]
  const { id } = await newCustomer(live.key, { email: before })
  await call('PATCH', `/v1/customers/${id}`, { key: live.key, body: { email: after } })
  expect([idsOf(await find(before)), idsOf(await find(after.toUpperCase()))]).toEqual([[], [id]])
  // It has no tenant's words, and no tenant finds it by what stands before it.
  const { items } = (await call('GET', `/v1/customers?q=00000e${after}`, { key: live.key })).body
  expect(items).toEqual([])
})

it('finds an archived customer by id and address, and an erased one not at all', async () => {
  const tenant = await newTenant()
  const external = crypto.randomUUID()
  const email = `${external}@bücher.example`
  const { id } = await newCustomer(tenant.live.key, { external_id: external, email })
  expect(idsOf(await find(`${external}@xn--bcher-kva.example`))).toEqual([id])
  await call('DELETE', `/v1/customers/${id}`, { key: tenant.live.key })
  expect(idsOf(await find(external))).toEqual([])
  expect((await find(email)).customers).toEqual([expect.objectContaining({ customer_id: id, status: 'archived' })])
  expect(idsOf(await find(id))).toEqual([id])
  await call('POST', `/v1/customers/${id}/erase`, { key: tenant.live.key })
  expect(idsOf(await find(email))).toEqual([])
  expect(idsOf(await find(id))).toEqual([])
})

it('finds tenants by id and contact address, and neither them nor their customers once they are deleted', async () => {
  const tenant = await newTenant()
  const contact = `Ops-${crypto.randomUUID()}@example.com`
  await admin('PUT', `/${tenant.tenantId}`, { contact_email: contact })
  const { id } = await newCustomer(tenant.live.key, { external_id: crypto.randomUUID() })
  for (const q of [tenant.tenantId, tenant.tenantId.toUpperCase(), contact, contact.toLowerCase()]) {
    const { tenants, customers } = await find(q)
    expect([tenants.map((found: { customer_id: string }) => found.customer_id), customers]).toEqual([
      [tenant.tenantId],
      [],
    ])
  }
  await admin('PUT', `/${tenant.tenantId}`, { status: 'suspended', company_name: 'Gone' })
  const headers = { 'x-api-key': ADMIN_KEY, 'x-confirm': 'Gone' }
  expect((await call('DELETE', `/admin/customers/${tenant.tenantId}`, { headers })).status).toBe(202)
  expect((await find(tenant.tenantId)).tenants).toEqual([])
  expect(idsOf(await find(id))).toEqual([])
})

it('is refused without q, with an empty one, and without an admin key', async () => {
  const headers = { 'x-api-key': ADMIN_KEY }
  expect((await call('GET', '/admin/search', { headers })).status).toBe(400)
  expect((await call('GET', '/admin/search?q=', { headers })).status).toBe(400)
  const { live } = await newTenant()
  expect((await call('GET', '/admin/search?q=a', { headers: { 'x-api-key': live.key } })).status).toBe(401)
})
