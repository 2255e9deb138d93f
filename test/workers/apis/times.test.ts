/**
 * Filters by time at every API that has them, to the millisecond: from is inclusive, to is exclusive, before and after are
 * strict.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_KEY, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { BOUND_CALLER, bound } from './drivers.ts'

/** Says whether the filter finds the customer with the time one millisecond before, the exact time, and one after. */
type Found = [before: boolean, same: boolean, after: boolean]
const FROM: Found = [true, true, false]
const TO: Found = [false, false, true]

let tenant: TestTenant
let id: string
let createdAtMs: number
let updatedAtMs: number

beforeAll(async () => {
  tenant = await newTenant()
  const { key } = tenant.live
  const made = await newCustomer(key)
  id = made.id
  // So that the two times differ by more than the filter does.
  await scheduler.wait(20)
  const { body } = await call('PUT', `/v1/customers/${id}`, { key, body: { name: 'Later' } })
  createdAtMs = Date.parse(made.created_at)
  updatedAtMs = Date.parse(body.updated_at)
  expect(updatedAtMs - createdAtMs).toBeGreaterThan(2)
})

async function found(atMs: number, request: (time: string) => Promise<boolean>): Promise<Found> {
  const all = [-1, 0, 1].map((offMs) => request(new Date(atMs + offMs).toISOString()))
  return (await Promise.all(all)) as Found
}

const get = (path: string) => call('GET', path, { key: tenant.live.key })
const search = async (body: object) => {
  const answer = await call('POST', '/v1/customers/search', { key: tenant.live.key, body })
  expect([answer.status, answer.body.pagination.total]).toEqual([200, answer.body.items.length])
  return answer.body.items.length === 1
}

describe('/v1/customers', () => {
  it.each([
    ['start_time', FROM],
    ['end_time', TO],
  ] as const)('%s, in the query and in a search', async (name, expected) => {
    const request = async (time: string) => (await get(`/v1/customers?${name}=${time}`)).body.items.length === 1
    expect(await found(createdAtMs, request)).toEqual(expected)
    expect(await found(createdAtMs, (time) => search({ [name]: time }))).toEqual(expected)
  })

  it('finds nothing when start_time and end_time are the same moment', async () => {
    const time = new Date(createdAtMs).toISOString()
    expect(await search({ start_time: time, end_time: time })).toBe(false)
    expect(await search({ start_time: time, end_time: new Date(createdAtMs + 1).toISOString() })).toBe(true)
  })

  it.each([
    ['before', TO],
    ['lt', TO],
    ['after', [true, false, false]],
    ['gt', [true, false, false]],
    ['gte', FROM],
    ['eq', [false, true, false]],
  ] as const)('a filter %s, on either time', async (operator, expected) => {
    for (const [field, atMs] of [
      ['created_at', createdAtMs],
      ['updated_at', updatedAtMs],
    ] as const) {
      const request = (date: string) => search({ filters: [{ field, operator, data_type: 'date', value: { date } }] })
      expect([field, await found(atMs, request)]).toEqual([field, expected])
    }
  })

  it.each([
    ['in', [false, true, false]],
    ['not_in', [true, false, true]],
  ] as const)('a filter %s, on either time', async (operator, expected) => {
    for (const [field, atMs] of [
      ['created_at', createdAtMs],
      ['updated_at', updatedAtMs],
    ] as const) {
      const request = (time: string) => search({ filters: [{ field, operator, value: { array: [time] } }] })
      expect([field, await found(atMs, request)]).toEqual([field, expected])
    }
  })
})

describe('RPC', () => {
  it.each([
    ['createdFrom', FROM],
    ['createdBefore', TO],
  ] as const)('%s', async (name, expected) => {
    const { tenantId } = tenant
    const request = async (time: string) => {
      const customers = bound({ tenantId, mode: 'live', scopes: ['customers:read'], caller: BOUND_CALLER })
      const page = await customers.list({ [name]: time })
      return page.ok && page.customers.length === 1
    }
    expect(await found(createdAtMs, request)).toEqual(expected)
  })
})

describe.each([
  ['the audit', '/admin/audit?', () => ({ 'x-api-key': ADMIN_KEY })],
  ['the log of events', '/v1/events?', () => ({ authorization: `Bearer ${tenant.live.key}` })],
] as const)('%s', (_what, path, headers) => {
  it.each([
    ['start_time', FROM],
    ['end_time', TO],
  ] as const)('%s', async (name, expected) => {
    const query = path.startsWith('/admin') ? `customer_id=${id}&` : ''
    for (const [type, atMs] of [
      ['customer.created', createdAtMs],
      ['customer.updated', updatedAtMs],
    ] as const) {
      const request = async (time: string) => {
        const { status, body } = await call('GET', `${path}${query}type=${type}&${name}=${time}`, {
          headers: headers(),
        })
        expect(status).toBe(200)
        return body.items.length === 1
      }
      expect([type, await found(atMs, request)]).toEqual([type, expected])
    }
  })
})
