/** Webhooks of merges: receivers learn of both customers, and an erasure takes back what they answered about the erased one. */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { deliver } from '../../../src/composition/webhooks.ts'
import { deliverMessage } from '../../../src/events/messages.ts'
import type { Endpoint } from '../../../src/events/ports.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { attemptsAt, deliveriesTo, newEndpoint } from './support.ts'

const HOOK = 'http://localhost:9/merges'

let tenant: TestTenant
let scope: Scope
let endpoint: Endpoint
let received: { type: string; data: { customer: { name: string }; previous_attributes: { name?: string } } }[]

beforeEach(async () => {
  tenant = await newTenant()
  scope = { tenantId: tenant.tenantId, mode: 'live' }
  endpoint = await newEndpoint(scope, { url: HOOK })
  received = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_url, init) => {
    const event = JSON.parse(String(init?.body))
    received.push(event)
    return new Response(`Is it ${event.data.customer.name} or ${event.data.previous_attributes.name}?`)
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

const send = (method: string, path: string, body?: object) =>
  call(method, `/v1/customers/${path}`, { key: tenant.live.key, ...(body && { body }) })

/** Resolves when all is delivered: the queue does it too. */
async function delivered(...ids: string[]) {
  await expect
    .poll(async () => {
      for (const id of ids)
        await deliver(deliverMessage(scope, endpoint.id, id) as never, env, webhookOutbox(env.DB, newId))
      return new Set((await deliveriesTo(endpoint)).map(({ status }) => status))
    })
    .toEqual(new Set(['delivered']))
}

it('tells receivers of an unmerge, with both customers', async () => {
  const survivor = await newCustomer(tenant.live.key, { external_id: 's' })
  const source = await newCustomer(tenant.live.key, { external_id: 'a', name: 'Acme' })
  await send('POST', `${source.id}/merge`, { into: survivor.id })
  const { body } = await send('POST', `${survivor.id}/unmerge`, { source: source.id })
  await delivered(survivor.id, source.id)
  const of = (type: string) => received.filter((event) => event.type === type)
  const both = { source_id: source.id, survivor_id: survivor.id }
  expect(of('customer.merged')).toMatchObject([{ data: { customer: { id: survivor.id }, detail: both } }])
  expect(of('customer.unmerged')).toMatchObject([
    {
      timestamp: body.customer.updated_at,
      data: { customer: { id: survivor.id, name: '' }, previous_attributes: { name: 'Acme' }, detail: both },
    },
  ])
  expect(of('customer.restored')).toMatchObject([
    { data: { customer: { id: source.id, name: 'Acme' }, detail: { survivor_id: survivor.id } } },
  ])
})

it('forgets what receivers answered about the survivor from the merge to the unmerge, once the source is erased', async () => {
  const who = `jane${crypto.randomUUID().slice(0, 8)}`
  const survivor = await newCustomer(tenant.live.key, { external_id: 's' })
  const source = await newCustomer(tenant.live.key, { external_id: 'a', name: who })
  await send('POST', `${source.id}/merge`, { into: survivor.id })
  await send('POST', `${survivor.id}/unmerge`, { source: source.id })
  await send('PATCH', survivor.id, { contact: '7' })
  await delivered(survivor.id, source.id)
  const answers = async () => {
    const all = (await deliveriesTo(endpoint)).filter(({ customerId }) => customerId === survivor.id)
    return Promise.all(all.map(async ({ id }) => (await attemptsAt(id))[0]?.answer ?? null))
  }
  const before = await answers()
  expect(before.map((answer) => answer?.includes(who))).toEqual([false, true, true, false])
  expect((await send('POST', `${source.id}/erase`)).status).toBe(200)
  expect(await answers()).toEqual([before[0], null, null, before[3]])
})
