/** A caller may repeat a POST with an Idempotency-Key: it runs once, and every repeat gets the same response. */

import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { and, eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { sweepIdempotencyRecords } from '../../../src/storage/idempotency/records.ts'
import { events } from '../../../src/storage/schema/tables.ts'
import { db } from '../storage/support.ts'
import {
  type Called,
  type CallOptions,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenant,
} from '../support/roster.ts'

const DAY_MS = 24 * 3_600_000

interface Keyed extends CallOptions {
  idempotencyKey: string
}

function post(tenant: TestTenant, path: string, { idempotencyKey, headers, ...options }: Keyed): Promise<Called> {
  return call('POST', path, {
    key: tenant.live.key,
    ...options,
    headers: { 'idempotency-key': idempotencyKey, ...headers },
  })
}

/** Returns the parts in which a repeat must not differ. */
function responseOf({ status, text, headers }: Called) {
  return { status, text, etag: headers.get('etag') }
}

const isReplay = ({ headers }: Called) => headers.get('idempotent-replayed') === 'true'

async function changesOf({ tenantId }: TestTenant): Promise<number> {
  return (
    await db
      .select({ id: events.id })
      .from(events)
      .where(and(eq(events.tenantId, tenantId)))
  ).length
}

describe('a keyed creation', () => {
  const apis = {
    '/v1/customers': (name: string) => ({
      external_id: 'user_1',
      name,
      email: 'jane@example.com',
      metadata: { b: '1', a: '2' },
    }),
    '/customers': (name: string) => ({
      reference_id: 'user_1',
      personal_details: { email: `${name}@example.com` },
      geo_location: { latitude: '51.50', longitude: 0.25 },
    }),
  }

  it.each(Object.entries(apis))(
    'happens once at %s, and its repeat is answered byte for byte, though the customer has changed since',
    async (path, bodyOf) => {
      const tenant = await newTenant()
      const keyed = { idempotencyKey: crypto.randomUUID(), body: bodyOf('Jane') }
      const first = await post(tenant, path, keyed)
      expect(first.status).toBe(201)
      expect(isReplay(first)).toBe(false)
      const { id } = first.body
      await call('PUT', `/v1/customers/${id}`, { key: tenant.live.key, body: { name: 'Later', external_id: 'later' } })

      const repeat = await post(tenant, path, keyed)
      expect(responseOf(repeat)).toEqual(responseOf(first))
      expect(isReplay(repeat)).toBe(true)
      expect(await changesOf(tenant)).toBe(2)
      const token = repeat.headers.get('consistency-token')
      const now = await call('GET', `/v1/customers/${id}`, {
        key: tenant.live.key,
        headers: { 'consistency-token': token ?? '' },
      })
      expect(now.body.name).toBe('Later')
    },
  )

  it('makes one customer of fifty at once and answers all alike, or with 409 while the first is under way', async () => {
    const tenant = await newTenant()
    const keyed = { idempotencyKey: 'fifty', body: { external_id: 'user_1', name: 'Jane' } }
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(tenant, '/v1/customers', keyed)))
    const done = answers.filter(({ status }) => status === 201)
    expect(done.length).toBeLessThan(answers.length)
    expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1)
    expect(new Set(done.map((answer) => JSON.stringify(responseOf(answer)))).size).toBe(1)
    for (const answer of answers) {
      if (answer.status === 201) continue
      expect([answer.status, answer.body.details.reason]).toEqual([409, 'idempotency_in_progress'])
      expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect(await changesOf(tenant)).toBe(1)
  })

  it('is stored in the database: a gate that lost its memory replays it too', async () => {
    const tenant = await newTenant()
    const keyed = { idempotencyKey: 'k', body: { external_id: 'user_1' } }
    const first = await post(tenant, '/v1/customers', keyed)
    await evictDurableObject(env.GATE.getByName(`${tenant.tenantId}:live`))
    // A gate that begins anew has an empty bucket for a moment.
    const repeat = await expect
      .poll(() => post(tenant, '/v1/customers', keyed), { interval: 200, timeout: 120_000 })
      .toMatchObject({ status: 201 })
      .then(() => post(tenant, '/v1/customers', keyed))
    expect([responseOf(repeat), isReplay(repeat)]).toEqual([responseOf(first), true])
    expect(await changesOf(tenant)).toBe(1)
  })

  it('replays 200 with if_exists=return and the customer as it was returned', async () => {
    const tenant = await newTenant()
    const made = await newCustomer(tenant.live.key, { external_id: 'user_1', name: 'Jane' })
    const keyed = { idempotencyKey: 'k', body: { external_id: 'user_1', name: 'Other' } }
    const first = await post(tenant, '/v1/customers?if_exists=return', keyed)
    expect([first.status, first.body]).toEqual([200, made])
    await call('PUT', `/v1/customers/${made.id}`, { key: tenant.live.key, body: { name: 'Later' } })
    const repeat = await post(tenant, '/v1/customers?if_exists=return', keyed)
    expect([responseOf(repeat), isReplay(repeat)]).toEqual([responseOf(first), true])
  })
})

describe('a keyed request that is refused', () => {
  it('is refused the same when repeated, also once it would succeed', async () => {
    const tenant = await newTenant()
    const holder = await newCustomer(tenant.live.key, { external_id: 'user_1' })
    const taken = { idempotencyKey: 'taken', body: { external_id: 'user_1' } }
    const orphan = { idempotencyKey: 'orphan', body: { external_id: 'user_2', parent_customer_external_id: 'user_3' } }
    const first = [await post(tenant, '/v1/customers', taken), await post(tenant, '/v1/customers', orphan)]
    expect(first.map(({ status }) => status)).toEqual([409, 400])
    await call('DELETE', `/v1/customers/${holder.id}`, { key: tenant.live.key })
    await newCustomer(tenant.live.key, { external_id: 'user_3' })
    const repeats = [await post(tenant, '/v1/customers', taken), await post(tenant, '/v1/customers', orphan)]
    expect(repeats.map(responseOf)).toEqual(first.map(responseOf))
    expect(repeats.map(isReplay)).toEqual([true, true])
    expect((await call('POST', '/v1/customers', { key: tenant.live.key, body: taken.body })).status).toBe(201)
  })

  it('may succeed the next time if it was refused for want of permits', async () => {
    const tenant = await newTenant({ tier: 'custom', limits: { requests_per_second: 1, burst: 1 } })
    const keyed = (name: string) => ({ idempotencyKey: name, body: { external_id: name } })
    const send = async (name: string) => (await post(tenant, '/v1/customers', keyed(name))).status
    let refused: string | undefined
    for (let round = 0; refused === undefined; round++) {
      const names = Array.from({ length: 20 }, (_, at) => `user_${round}_${at}`)
      const statuses = await Promise.all(names.map(send))
      refused = names.find((_, at) => statuses[at] === 429)
    }
    const name = refused
    await expect.poll(() => send(name), { interval: 300, timeout: 120_000 }).toBe(201)
  })
})

describe('a key', () => {
  it('returns 422 for another request, whatever differs: body, path, query or API', async () => {
    const tenant = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    const body = { external_id: 'user_1', reference_id: 'user_1' }
    expect((await post(tenant, '/v1/customers', { idempotencyKey: 'k', body })).status).toBe(201)
    const others = [
      await post(tenant, '/v1/customers', { idempotencyKey: 'k', body: { ...body, name: 'J' } }),
      await post(tenant, '/v1/customers?if_exists=return', { idempotencyKey: 'k', body }),
      await post(tenant, `/v1/customers/${id}/restore`, { idempotencyKey: 'k' }),
      await post(tenant, '/customers', { idempotencyKey: 'k', body }),
    ]
    expect(others.map(({ status, body }) => [status, body.code])).toEqual(
      others.map(() => [422, 'idempotency_mismatch']),
    )
    expect(others.some(isReplay)).toBe(false)
    expect(await changesOf(tenant)).toBe(2)
  })

  it('is separate for each tenant and mode', async () => {
    const [one, two] = [await newTenantOfBothModes(), await newTenantOfBothModes()]
    const ids: string[] = []
    for (const key of [one.live.key, one.test.key, two.live.key]) {
      const { status, body } = await post(one, '/v1/customers', {
        idempotencyKey: 'k',
        body: { external_id: 'x' },
        key,
      })
      expect(status).toBe(201)
      ids.push(body.id)
    }
    expect(new Set(ids).size).toBe(3)
  })

  it('is the same quoted and bare', async () => {
    const tenant = await newTenant()
    const body = { external_id: 'user_1' }
    await post(tenant, '/v1/customers', { idempotencyKey: 'a-"b', body })
    const quoted = await post(tenant, '/v1/customers', { idempotencyKey: '"a-\\"b"', body })
    expect([quoted.status, isReplay(quoted)]).toEqual([201, true])
  })

  it('has 1 to 255 characters; anything else returns 400 and does nothing', async () => {
    const tenant = await newTenant()
    const body = { external_id: 'user_1' }
    for (const idempotencyKey of [
      '',
      '""',
      '"a',
      'a b',
      'a, b',
      'é',
      'x'.repeat(256),
      `"${'x'.repeat(256)}"`,
      '"a";b',
    ]) {
      const { status, body: error } = await post(tenant, '/v1/customers', { idempotencyKey, body })
      expect([idempotencyKey, status, error.details.errors[0].field]).toEqual([idempotencyKey, 400, 'idempotency-key'])
    }
    expect((await post(tenant, '/v1/customers', { idempotencyKey: `"${'x'.repeat(255)}"`, body })).status).toBe(201)
  })

  it('costs its repeats a permit each', async () => {
    const limits = { requests_per_second: 1, burst: 200 }
    const tenant = await newTenant({ tier: 'custom', limits })
    const keyed = { idempotencyKey: 'k', body: { external_id: 'user_1' } }
    const before = await post(tenant, '/v1/customers', keyed)
    const sentAtMs = Date.now()
    const repeats = await Promise.all(Array.from({ length: 40 }, () => post(tenant, '/v1/customers', keyed)))
    const left = Math.min(...repeats.map(({ headers }) => Number(headers.get('x-ratelimit-remaining'))))
    const refilled = Math.ceil((Date.now() - sentAtMs) / 1_000)
    expect(left).toBeLessThanOrEqual(Number(before.headers.get('x-ratelimit-remaining')) - 40 + refilled)
  })

  it('is free again a day later, swept or not, and the sweep deletes only expired ones', async () => {
    const tenant = await newTenant()
    const keyed = { idempotencyKey: 'k', body: { external_id: 'user_1' } }
    const first = await post(tenant, '/v1/customers', keyed)
    await call('DELETE', `/v1/customers/${first.body.id}`, { key: tenant.live.key })
    await sweepIdempotencyRecords(env.DB, Date.now() + DAY_MS - 60_000)
    expect(isReplay(await post(tenant, '/v1/customers', keyed))).toBe(true)
    await env.DB.prepare('UPDATE idempotency_records SET expires_at = ?1 WHERE tenant_id = ?2')
      .bind(Date.now() - 1, tenant.tenantId)
      .run()
    const again = await post(tenant, '/v1/customers', keyed)
    expect([again.status, isReplay(again)]).toEqual([201, false])
    expect(again.body.id).not.toBe(first.body.id)
    expect(isReplay(await post(tenant, '/v1/customers', keyed))).toBe(true)
    await sweepIdempotencyRecords(env.DB, Date.now() + DAY_MS + 1)
    const { results } = await env.DB.prepare('SELECT key FROM idempotency_records').all()
    expect(results).toEqual([])
  })
})

it('replays a keyed restore, though the customer was archived again', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key)
  const remove = () => call('DELETE', `/v1/customers/${id}`, { key: tenant.live.key })
  await remove()
  const first = await post(tenant, `/v1/customers/${id}/restore`, { idempotencyKey: 'k' })
  expect(first.status).toBe(200)
  await remove()
  const repeat = await post(tenant, `/v1/customers/${id}/restore`, { idempotencyKey: 'k' })
  expect([responseOf(repeat), isReplay(repeat)]).toEqual([responseOf(first), true])
  expect(await changesOf(tenant)).toBe(4)
})
