/**
 * No customer gets stuck: whatever happened to its external id, entities and parent while it was archived, a documented
 * request restores it. And an upsert answers 200 or 201, whatever happens to its customer at the same moment.
 */
import { describe, expect, it } from 'vitest'
import { BOUND_CALLER, bound } from '../apis/drivers.ts'
import { importLines } from '../import/support.ts'
import { commit, create, insertTenant, prepared, store } from '../storage/support.ts'
import { call, newCustomer, newTenant } from '../support/roster.ts'

const STRIPE = [{ provider: 'stripe', id: '1' }]

async function newCaller() {
  const { tenantId, live } = await newTenant()
  const { key } = live
  const send = (method: string, path: string, body?: object) =>
    call(method, `/v1/customers${path}`, { key, ...(body && { body }) })
  const made = (fields: Record<string, unknown> = {}): Promise<{ id: string; external_id: string }> =>
    newCustomer(key, fields)
  const archive = async (...ids: string[]) => {
    for (const id of ids) expect((await send('DELETE', `/${id}`)).status).toBe(204)
  }
  return { tenantId, key, send, made, archive }
}

describe('an archived customer', () => {
  it('is restored without its parent when that was erased, and the event says so', async () => {
    const { send, made, archive } = await newCaller()
    const parent = await made()
    const child = await made({ parent_customer_id: parent.id })
    await archive(child.id)
    expect((await send('POST', `/${parent.id}/erase`)).status).toBe(200)
    const { status, body } = await send('POST', `/${child.id}/restore`)
    expect([status, body.parent_customer_id, body.status]).toEqual([200, null, 'published'])
    const [{ type, data }] = (await send('GET', `/${child.id}/events`)).body.items
    expect([type, data.previous_attributes]).toEqual([
      'customer.restored',
      { parent_customer_id: parent.id, status: 'archived' },
    ])
  })

  it('is restored with other fields when its parent, external id or entity is not to be had, as the refusal says', async () => {
    const { send, made, archive } = await newCaller()
    const parent = await made()
    const fields = { external_id: 'mine', parent_customer_id: parent.id, integration_entity_mapping: STRIPE }
    const child = await made(fields)
    await archive(child.id, parent.id)
    const thief = await made({ external_id: 'mine', integration_entity_mapping: STRIPE })

    const refused = async (body: object, status: number, field: string, word: string) => {
      const answer = await send('POST', `/${child.id}/restore`, body)
      const [problem] = answer.body.details.errors
      expect([answer.status, problem]).toEqual([
        ...[status, { field, message: expect.any(String), fix: expect.stringContaining(word) }],
      ])
    }
    await refused({}, 400, 'parent_customer_id', 'with the restore')
    await refused({ parent_customer_id: null }, 409, 'external_id', 'send an external_id')
    await refused({ parent_customer_id: null, external_id: 'other' }, 409, 'integration_entity_mapping', 'send a list')
    const repaired = { parent_customer_id: null, external_id: 'other', integration_entity_mapping: [], name: 'Back' }
    const { status, body } = await send('POST', `/${child.id}/restore`, repaired)
    expect([status, body]).toMatchObject([200, { external_id: 'other', name: 'Back', parent_customer_id: null }])
    expect((await send('GET', '/external/mine')).body.id).toBe(thief.id)
    await archive(thief.id)
    expect((await send('GET', '/external/mine')).status).toBe(404)
    expect((await send('GET', '/external/other')).body.id).toBe(child.id)
    expect((await send('GET', `/${child.id}?expand=aliases`)).body.old_external_ids).toEqual([])
  })

  it('is restored below another customer when its parent has moved too far down', async () => {
    const { send, made, archive } = await newCaller()
    const child = await made()
    const parent = await made()
    await send('PUT', `/${child.id}`, { parent_customer_id: parent.id })
    await archive(child.id)
    let above: string | null = null
    for (let level = 1; level <= 9; level++) above = (await made({ parent_customer_id: above })).id
    expect((await send('PUT', `/${parent.id}`, { parent_customer_id: above })).status).toBe(200)
    const { status, body } = await send('POST', `/${child.id}/restore`)
    expect([status, body.details.reason, body.details.errors[0].fix]).toEqual([
      ...[400, 'parent_too_deep', expect.stringContaining('with the restore')],
    ])
    expect((await send('POST', `/${child.id}/restore`, { parent_customer_id: above })).status).toBe(200)
  })

  it('is restored by a bound Worker in the same way', async () => {
    const { tenantId, made, archive } = await newCaller()
    const { id, external_id: externalId } = await made()
    await archive(id)
    await made({ external_id: externalId })
    const scopes = ['customers:read' as const, 'customers:write' as const]
    const customers = bound({ tenantId, mode: 'live', scopes, caller: BOUND_CALLER })
    expect(await customers.restore(id)).toMatchObject({ ok: false, failure: { reason: 'external_id_taken' } })
    const changes = { externalId: 'another', parentId: null }
    expect(await customers.restore(id, { changes })).toMatchObject({ ok: true, customer: changes })
  })

  it('is updated by a repeat of the restore, and not changed by a repeat with the same fields', async () => {
    const { send, made, archive } = await newCaller()
    const { id } = await made()
    await archive(id)
    const versions = []
    for (const name of ['A', 'A', 'B']) {
      versions.push((await send('POST', `/${id}/restore`, { name })).headers.get('etag'))
    }
    expect(versions).toEqual(['"3"', '"3"', '"4"'])
  })
})

describe('an upsert', () => {
  it('looks again when its customer was erased after the look-up', async () => {
    const scope = await insertTenant()
    const { id, externalId } = await create(scope)
    await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
    const late = prepared({ kind: 'update', target: { id, externalId }, changes: { name: 'A' }, ifVersion: null })
    const { results } = await store.commitWrites(scope, [late])
    expect(results).toMatchObject([{ ok: false, targetMoved: true }])
  })

  it('answers 200 or 201 by every API, while its customer is archived, erased or renamed', async () => {
    const { tenantId, key, send } = await newCaller()
    const scopes = ['customers:read' as const, 'customers:write' as const]
    const customers = bound({ tenantId, mode: 'live', scopes, caller: BOUND_CALLER })
    const rivals = [
      (id: string) => send('DELETE', `/${id}`),
      (id: string) => send('POST', `/${id}/erase`),
      (id: string) => send('PUT', `/${id}`, { external_id: `${id} renamed` }),
    ]
    const answers: unknown[] = []
    for (let round = 0; round < 6; round++) {
      const { body } = await send('PUT', '/external/hot', { name: `${round}` })
      const rival = rivals[round % rivals.length] as (id: string) => Promise<unknown>
      const upserts = [
        async () => (await send('PUT', '/external/hot', { name: 'put' })).status,
        async () => (await send('POST', '?if_exists=return', { external_id: 'hot' })).status,
        async () => (await customers.getOrCreate({ externalId: 'hot' })).ok,
        async () => (await importLines(key, [{ external_id: 'hot', name: 'line' }])).results[0]?.result,
      ]
      const together = upserts.map((upsert) => upsert())
      answers.push(...(await Promise.all([...together, rival(body.id)])).slice(0, upserts.length))
      answers.push(...(await Promise.all([rival(body.id), ...upserts.map((upsert) => upsert())])).slice(1))
    }
    const isDone = (answer: unknown) => [200, 201, true, 'created', 'updated', 'unchanged'].includes(answer as string)
    expect(answers.filter((answer) => !isDone(answer))).toEqual([])
  })
})
