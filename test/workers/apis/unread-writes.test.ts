/**
 * A caller without the scope `customers:read` learns nothing of a customer by writing to it, through any API: neither
 * from the write, nor from one that changes nothing, nor by repeating the request of a caller that may read.
 */
import { describe, expect, it } from 'vitest'
import { flatpeakContracts } from '../../../src/apis/flatpeak/contract.ts'
import { customerContracts } from '../../../src/apis/v1/customers/contract.ts'
import { onboardingContracts } from '../../../src/apis/v1/onboarding/contract.ts'
import type { AnyContract } from '../../../src/http/contract-types.ts'
import { exampleOf, nameOf } from '../support/contracts.ts'
import { call, newKey, newTenant } from '../support/roster.ts'
import { BOUND_CALLER, bound } from './drivers.ts'

const MARK = 'seen-by-readers-only'
const WHOLE = {
  external_id: 'user_12345',
  name: MARK,
  email: `${MARK}@example.com`,
  contact: MARK.slice(0, 20),
  address_line1: MARK,
  address_line2: MARK,
  address_city: MARK,
  metadata: { [MARK]: MARK },
  integration_entity_mapping: [{ provider: 'stripe', id: MARK }],
}
const VALUE = new RegExp(MARK.slice(0, 20))

async function marked() {
  const { tenantId, live } = await newTenant()
  const { key: writer } = await newKey(tenantId, { scopes: ['customers:write'] })
  const { body } = await call('POST', '/v1/customers', { key: live.key, body: WHOLE })
  return { tenantId, key: live.key, writer, id: body.id as string }
}

const writes: AnyContract[] = [
  ...Object.values(customerContracts),
  ...Object.values(flatpeakContracts),
  ...Object.values(onboardingContracts),
].filter(({ scopes, method }) => method !== 'get' && scopes.every((scope) => scope === 'customers:write'))

describe('a caller with customers:write alone', () => {
  it.each(writes.map((contract) => ({ name: nameOf(contract), contract })))(
    'gets nothing that others wrote from $name',
    async ({ contract }) => {
      const { id, writer } = await marked()
      const { method, url, headers, body } = exampleOf(contract, { id })
      const sent =
        typeof body === 'string' ? body : contract.method === 'post' && !contract.path.includes(':') ? body : {}
      const first = await call(method, url, {
        key: writer,
        headers,
        body: contract.body || contract.stream ? sent : undefined,
      })
      expect(first.status).not.toBe(403)
      expect(first.text).not.toMatch(VALUE)
    },
  )

  it('gets id, external id, status and version from each write of /v1', async () => {
    const { id, writer: key } = await marked()
    const cut = { id, external_id: 'user_12345', status: 'published' }
    const name = { name: 'Acme' }
    for (const [method, path, body, version] of [
      ['POST', '/v1/customers?if_exists=return', { external_id: 'user_12345' }, 1],
      ['PUT', `/v1/customers/${id}`, {}, 1],
      ['PUT', `/v1/customers?id=${id}`, name, 2],
      ['PUT', '/v1/customers/external/user_12345', {}, 2],
      ['PATCH', `/v1/customers/${id}`, { metadata: { a: 'b' } }, 3],
      ['POST', `/v1/customers/${id}/restore`, {}, 3],
      ['POST', `/v1/customers/${id}/revert`, { version: 1 }, 4],
    ] as const) {
      const written = await call(method, path, { key, body })
      expect(written.body, `${method} ${path}`).toEqual({ ...cut, version })
      expect(written.headers.get('etag')).toBe(`"${version}"`)
    }
    const made = await call('POST', '/v1/customers', { key, body: { external_id: 'user_2', name: 'Own' } })
    expect([made.status, Object.keys(made.body).sort()]).toEqual([201, ['external_id', 'id', 'status', 'version']])
  })

  it('gets id and reference id from each write of /customers', async () => {
    const { id, writer: key } = await marked()
    const cut = { object: 'customer', live_mode: true }
    const changed = await call('PATCH', `/customers/${id}`, { key, body: {} })
    expect([changed.status, changed.body]).toEqual([202, { ...cut, id, reference_id: 'user_12345' }])
    const made = await call('POST', '/customers', { key, body: { reference_id: 'user_2' } })
    expect([made.status, made.body]).toEqual([201, { ...cut, id: made.body.id, reference_id: 'user_2' }])
  })

  it('gets id, external id, status and version from each write of RPC', async () => {
    const { id, tenantId } = await marked()
    const roster = () => bound({ tenantId, mode: 'live', scopes: ['customers:write'], caller: BOUND_CALLER })
    const cut = { id, externalId: 'user_12345', status: 'published' }
    expect((await roster().getOrCreate({ externalId: 'user_12345' })) as object).toMatchObject({ created: false })
    const all = [
      [await roster().getOrCreate({ externalId: 'user_12345' }), { ...cut, version: 1 }],
      [await roster().update(id, {}), { ...cut, version: 1 }],
      [await roster().update(id, { name: 'Acme' }), { ...cut, version: 2 }],
      [await roster().archive(id), { ...cut, status: 'archived', version: 3 }],
      [await roster().restore(id), { ...cut, version: 4 }],
    ] as const
    for (const [answer, shown] of all) expect(answer.ok && answer.customer).toEqual(shown)
  })

  it('gets its own part of a response that is repeated by an idempotency key, first or not', async () => {
    const { id, key, writer } = await marked()
    const headers = { 'idempotency-key': 'k1' }
    const path = `/v1/customers/${id}/restore`
    const body = { name: MARK }
    const first = await call('POST', path, { key, headers, body })
    expect(first.body.address_line1).toBe(MARK)
    const repeated = await call('POST', path, { key: writer, headers, body })
    expect(repeated.headers.get('idempotent-replayed')).toBe('true')
    expect(repeated.body).toEqual({
      id,
      external_id: 'user_12345',
      status: 'published',
      version: first.body.version ?? 1,
    })
    const other = { 'idempotency-key': 'k2' }
    expect((await call('POST', path, { key: writer, headers: other, body })).text).not.toMatch(VALUE)
    expect((await call('POST', path, { key, headers: other, body })).body).toEqual(first.body)
  })
})

it('needs customers:read to send customers to a URL by onboarding steps', async () => {
  const { tenantId } = await newTenant()
  const { key } = await newKey(tenantId, { scopes: ['onboarding:manage', 'customers:write'] })
  const steps = [{ type: 'webhook', url: 'https://hooks.example.com/x' }]
  const body = { workflows: { default: { steps } } }
  const { status, body: refused } = await call('PUT', '/v1/settings/customer_onboarding', { key, body })
  expect([status, refused.details.scope]).toEqual([403, 'customers:read'])
})

it('shows of an onboarding run that it signals only the customer and the status', async () => {
  const { tenantId, live } = await newTenant()
  const steps = [{ type: 'wait_for', signal: 'go', timeout_seconds: 60, name: MARK }]
  const settings = { workflows: { default: { steps } } }
  await call('PUT', '/v1/settings/customer_onboarding', { key: live.key, body: settings })
  const { body } = await call('POST', '/v1/customers', { key: live.key, body: { external_id: 'user_1' } })
  const { key: writer } = await newKey(tenantId, { scopes: ['customers:write'] })
  for (const [route, sent] of [
    ['retry', undefined],
    ['signal', { signal: 'go' }],
  ] as const) {
    const path = `/v1/customers/${body.id}/onboarding/${route}`
    const changed = await call('POST', path, { key: writer, body: sent })
    expect([changed.status, Object.keys(changed.body)]).toEqual([202, ['customer_id', 'status']])
  }
})
