/** `POST /v1/undo` end to end: what each customer becomes, what is in the way, and what an interruption leaves. */
import { beforeEach, describe, expect, it } from 'vitest'
import { UNDO_BOUNDS } from '../../../src/registry/undo.ts'
import { exportAll, importLines } from '../import/support.ts'
import { failingD1, type Trouble } from '../support/failing-d1.ts'
import { call, newCustomer, newKey, newTenant, type TestTenant } from '../support/roster.ts'

interface Line {
  result?: 'reverted' | 'unchanged' | 'conflict'
  external_id?: string
  reason?: string
  change?: { event_id: string; actor: string }
  conflicts?: { field: string }[]
  undo_id?: string
  reverted?: number
  unchanged?: number
  conflict?: number
  done?: true
}

const SINCE = '2020-01-01'
/** Reads of D1 before an undo of a few customers makes its changes: two for the page, two for the customers. */
const LOOKS = 4
let tenant: TestTenant
let other: { key: string; keyId: string }

beforeEach(async () => {
  tenant = await newTenant()
  other = await newKey(tenant.tenantId, { mode: 'live' })
})

/** Sends the undo, and returns the lines of customers by their external ids, and the last one. */
async function undo(body: object, headers: Record<string, string> = {}) {
  const { status, text } = await call('POST', '/v1/undo', {
    key: tenant.live.key,
    body: { since: SINCE, ...body },
    headers,
  })
  const all: Line[] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  const of = new Map(all.flatMap((line) => (line.external_id === undefined ? [] : [[line.external_id, line] as const])))
  return {
    status,
    of,
    last: all.at(-1) ?? {},
    results: Object.fromEntries([...of].map(([id, { result }]) => [id, result])),
  }
}

/** Returns all customers as they are, without stamps, and former external ids: the one that is given up stays one. */
async function states(): Promise<Record<string, unknown>> {
  const all = await exportAll(tenant.live.key, undefined, '?include_archived=true')
  return Object.fromEntries(all.map(({ updated_at, updated_by, old_external_ids, ...state }) => [state.id, state]))
}

const change = (method: string, path: string, key: string, body?: object) =>
  call(method, `/v1/customers${path}`, { key, ...(body && { body }) })

describe('an undo of what a key did', () => {
  it('reverts changes, archives what was created, restores what was archived, and leaves what is erased', async () => {
    const { key } = tenant.live
    const [changed, archived, erased] = [
      await newCustomer(key, { external_id: 'changed', name: 'One', metadata: { plan: 'pro' } }),
      await newCustomer(key, { external_id: 'archived' }),
      await newCustomer(key, { external_id: 'erased' }),
    ]
    const before = await states()
    await change('PATCH', `/${changed.id}`, other.key, { external_id: 'renamed', name: null, metadata: { plan: null } })
    await change('PATCH', `/${changed.id}`, other.key, { address_city: 'Rome' })
    await change('DELETE', `/${archived.id}`, other.key)
    const made = await newCustomer(other.key, { external_id: 'made' })
    await newCustomer(other.key, { external_id: 'below', parent_customer_id: made.id })
    await change('PATCH', `/${erased.id}`, other.key, { name: 'Jane' })
    await change('POST', `/${erased.id}/erase`, key)

    const expected = {
      renamed: 'reverted',
      archived: 'reverted',
      made: 'reverted',
      below: 'reverted',
      [erased.id]: 'unchanged',
    }
    const dry = await undo({ actor: other.keyId, dry_run: true })
    expect([dry.status, dry.results]).toEqual([200, expected])
    expect((await change('GET', `/${changed.id}`, key)).body.address_city).toBe('Rome')
    const wet = await undo({ actor: other.keyId }, { 'x-reason': 'ticket 7' })
    expect(wet.results).toEqual(expected)
    expect(wet.of.get(erased.id)?.reason).toBe('erased')
    expect(wet.last).toMatchObject({ done: true, reverted: 4, unchanged: 1, conflict: 0 })
    const after = await states()
    for (const { id } of [changed, archived]) expect(after[id]).toEqual(before[id])
    expect(after[made.id]).toMatchObject({ status: 'archived' })
    const { body } = await call('GET', `/v1/customers/${changed.id}/events?limit=1`, { key })
    expect(body.items[0].data).toMatchObject({ actor: tenant.live.keyId, request_id: wet.last.undo_id, version: 4 })

    const again = await undo({ actor: other.keyId })
    expect(Object.values(again.results)).toEqual(Array(5).fill('unchanged'))
    expect(await states()).toEqual(after)
  })

  it('never undoes a change that somebody else came after, and names theirs', async () => {
    const { key } = tenant.live
    const { id } = await newCustomer(key, { external_id: 'a', name: 'One' })
    await change('PATCH', `/${id}`, other.key, { name: 'Two' })
    await change('PATCH', `/${id}`, key, { address_city: 'Rome' })
    const theirs = (await call('GET', `/v1/customers/${id}/events?limit=1`, { key })).body.items[0]
    for (const dry_run of [true, false]) {
      const { of, last } = await undo({ actor: other.keyId, dry_run })
      expect(of.get('a')).toMatchObject({
        ...{ result: 'conflict', reason: 'changed_later' },
        change: {
          event_id: theirs.id,
          actor: tenant.live.keyId,
          type: 'customer.updated',
          created_at: theirs.timestamp,
        },
      })
      expect(last).toMatchObject({ reverted: 0, conflict: 1 })
    }
    // One that only has the same result is no conflict.
    await change('PATCH', `/${id}`, key, { name: 'One', address_city: null })
    expect((await undo({ actor: other.keyId })).results).toEqual({ a: 'unchanged' })
    expect((await change('GET', `/${id}`, key)).headers.get('etag')).toBe('"4"')
  })

  it('names the fields that are not to be had any more', async () => {
    const { key } = tenant.live
    const { id } = await newCustomer(key, { external_id: 'a' })
    await change('PATCH', `/${id}`, other.key, { external_id: 'b' })
    await newCustomer(key, { external_id: 'a' })
    const { of } = await undo({ actor: other.keyId })
    expect(of.get('b')).toMatchObject({
      result: 'conflict',
      reason: 'revert_conflict',
      conflicts: [{ field: 'external_id' }],
    })
  })

  it('takes the changes of a span of time, and a later one of the same key is in the way', async () => {
    const { key } = tenant.live
    const { id } = await newCustomer(key, { external_id: 'a', name: 'One' })
    const stamps: string[] = []
    for (const name of ['Two', 'Three', 'Four']) {
      await scheduler.wait(2)
      stamps.push((await change('PATCH', `/${id}`, other.key, { name })).body.updated_at)
    }
    const [second, third, fourth] = stamps
    expect((await undo({ actor: other.keyId, since: second, until: fourth })).results).toEqual({ a: 'conflict' })
    expect((await undo({ actor: other.keyId, since: third })).results).toEqual({ a: 'reverted' })
    expect((await change('GET', `/${id}`, key)).body.name).toBe('Two')
  })

  it('takes back no merge and no unmerge, nor what they did to a child', async () => {
    const { key } = tenant.live
    const survivor = await newCustomer(key, { external_id: 'survivor' })
    const source = await newCustomer(key, { external_id: 'source' })
    const child = await newCustomer(key, { external_id: 'child', parent_customer_id: source.id })
    await change('POST', `/${source.id}/merge`, other.key, { into: survivor.id })
    expect((await undo({ actor: other.keyId })).results).toEqual({})
    await change('POST', `/${survivor.id}/unmerge`, other.key, { source: source.id })
    expect((await undo({ actor: other.keyId })).results).toEqual({ source: 'unchanged' })
    expect((await change('GET', `/${child.id}`, key)).body.parent_customer_id).toBe(source.id)
    await change('PATCH', `/${child.id}`, other.key, { name: 'Two' })
    await change('POST', `/${source.id}/merge`, other.key, { into: survivor.id })
    const { of } = await undo({ actor: other.keyId })
    expect(of.get('child')).toMatchObject({ result: 'conflict', change: { type: 'customer.updated' } })
  })

  it('leaves a customer that is merged into another one where it is, and says so in a dry run too', async () => {
    const { key } = tenant.live
    const survivor = await newCustomer(key, { external_id: 'survivor' })
    const source = await newCustomer(key, { external_id: 'source', name: 'One' })
    await change('PATCH', `/${source.id}`, other.key, { name: 'Two' })
    await change('POST', `/${source.id}/merge`, key, { into: survivor.id })
    for (const dry_run of [true, false]) {
      const { of } = await undo({ actor: other.keyId, dry_run })
      expect(of.get('source')).toMatchObject({ result: 'conflict', reason: 'merged' })
    }
    expect((await change('GET', `/${source.id}`, key)).body.id).toBe(survivor.id)
  })

  it('leaves an archived customer the parent that it had, though that one is merged since', async () => {
    const { key } = tenant.live
    const survivor = await newCustomer(key, { external_id: 'survivor' })
    const parent = await newCustomer(key, { external_id: 'parent' })
    const { id } = await newCustomer(key, { external_id: 'a', parent_customer_id: parent.id })
    await change('DELETE', `/${id}`, key)
    await change('POST', `/${id}/restore`, other.key, { parent_customer_id: survivor.id })
    await change('POST', `/${parent.id}/merge`, key, { into: survivor.id })
    expect((await undo({ actor: other.keyId })).results).toEqual({ a: 'reverted' })
    const { body } = await change('GET', `/${id}`, key)
    expect([body.status, body.parent_customer_id]).toEqual(['archived', parent.id])
  })

  it('is undone by its own id', async () => {
    const { key } = tenant.live
    const { id } = await newCustomer(key, { external_id: 'a', name: 'One' })
    await newCustomer(other.key, { external_id: 'made' })
    await change('PATCH', `/${id}`, other.key, { name: 'Two' })
    const before = await states()
    const { last } = await undo({ actor: other.keyId })
    expect(await states()).not.toEqual(before)
    expect((await undo({ undo_id: last.undo_id })).results).toEqual({ a: 'reverted', made: 'reverted' })
    expect(await states()).toEqual(before)
  })

  it('needs the scope to write, and of an operator the role and a reason', async () => {
    const reader = await newKey(tenant.tenantId, { mode: 'live', scopes: ['customers:read', 'events:read'] })
    const body = { actor: other.keyId, since: SINCE, dry_run: true }
    expect((await call('POST', '/v1/undo', { key: reader.key, body })).status).toBe(403)
    for (const wrong of [{ since: SINCE }, { actor: 'a' }, { ...body, until: SINCE }, { ...body, import_id: 'a b' }])
      expect((await call('POST', '/v1/undo', { key: tenant.live.key, body: wrong })).status).toBe(400)
  })
})

describe('an undo of an import', () => {
  it('takes back a file of more customers than a chunk, parents and external ids that moved on too', async () => {
    const { key } = tenant.live
    const count = UNDO_BOUNDS.chunkCustomersMax + 40
    const old = Array.from({ length: 30 }, (_, at) => ({ external_id: `old_${at}`, name: `Old ${at}` }))
    await importLines(key, old)
    const before = await states()
    const lines = Array.from({ length: count }, (_, at) => ({
      external_id: `new_${at}`,
      ...(at > 0 && { parent_customer_external_id: `new_${Math.floor(at / 20)}` }),
    }))
    const headers = { 'x-request-id': 'the-import' }
    const { results } = await importLines(other.key, [...old.map((line) => ({ ...line, name: 'New' })), ...lines], {
      headers,
    })
    expect(results.map(({ result }) => result)).not.toContain('error')
    expect(results.at(-1)?.import_id).toBe('the-import')

    const dry = await undo({ import_id: 'the-import', dry_run: true })
    expect(dry.last).toMatchObject({ reverted: count + old.length, unchanged: 0, conflict: 0 })
    const { last } = await undo({ import_id: 'the-import' })
    expect(last).toMatchObject({ reverted: count + old.length, unchanged: 0, conflict: 0 })
    const after = Object.values(await states()) as { status: string; id: string }[]
    expect(after.filter(({ status }) => status !== 'archived').map(({ id }) => id)).toEqual(Object.keys(before))
    for (const state of after) if (state.status !== 'archived') expect(state).toEqual(before[state.id])
  })
})

it('says of a customer that somebody changes meanwhile what became of it', async () => {
  const { key } = tenant.live
  const { id } = await newCustomer(key, { external_id: 'a', name: 'One' })
  const { id: again } = await newCustomer(key, { external_id: 'b', name: 'One' })
  const { id: erased } = await newCustomer(key, { external_id: 'd', name: 'One' })
  for (const each of [id, again, erased]) await change('PATCH', `/${each}`, other.key, { name: 'Two' })
  const { id: merged } = await newCustomer(other.key, { external_id: 'c' })
  const d1 = failingD1()
  // The last look before the commit. The writes beside it pass.
  d1.fail([...Array<Trouble>(LOOKS - 1).fill('none'), 'held'])
  const undone = undo({ actor: other.keyId })
  await d1.holds()
  await change('PATCH', `/${id}`, key, { name: 'Three' })
  await change('PATCH', `/${again}`, other.key, { name: 'Three' })
  await change('POST', `/${merged}/merge`, key, { into: id })
  await change('POST', `/${erased}/erase`, key)
  d1.heal()
  d1.release()
  const { results } = await undone.finally(() => d1.restore())
  // A customer that is merged away is archived, as the undo would have left it.
  expect(results).toEqual({ a: 'conflict', b: 'reverted', c: 'unchanged', [erased]: 'unchanged' })
  expect((await change('GET', `/${id}`, key)).body.name).toBe('Three')
  expect((await change('GET', `/${again}`, key)).body.name).toBe('One')
})

it.each<[at: number, trouble: Trouble]>([
  [0, 'unsent'],
  [1, 'unsent'],
  [2, 'unsent'],
  [3, 'unsent'],
  [3, 'lost'],
  [3, 'late'],
])('is done once, sent again after call %i of D1 was %s', async (at, trouble) => {
  const { key } = tenant.live
  const made = await Promise.all(['a', 'b', 'c'].map((external_id) => newCustomer(key, { external_id, name: 'One' })))
  const before = await states()
  for (const { id } of made) await change('PATCH', `/${id}`, other.key, { name: 'Two' })
  // The gate has loaded the policy by now, so the calls are those of the undo.
  const d1 = failingD1()
  d1.fail([...Array<Trouble>(at).fill('none'), trouble])
  const send = () => call('POST', '/v1/undo', { key, body: { actor: other.keyId, since: SINCE } })
  const first = await send().finally(() => d1.heal())
  await d1.deliver()
  d1.restore()
  expect([200, 503]).toContain(first.status)
  const { last } = await undo({ actor: other.keyId })
  expect([last.done, last.conflict, (last.reverted ?? 0) + (last.unchanged ?? 0)]).toEqual([true, 0, 3])
  expect(await states()).toEqual(before)
  for (const { id } of made) expect((await change('GET', `/${id}`, key)).headers.get('etag')).toBe('"3"')
})
