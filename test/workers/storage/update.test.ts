import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CustomerChanges, Integration, Scope } from '../../../src/registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS } from '../../../src/registry/customer-fields.ts'
import { readCustomer } from '../../../src/storage/customers/reads.ts'
import { eventsOf, expectOneEventForEachVersion } from './event-log.ts'
import { archive, commit, committed, create, db, failureOf, insertTenant, restore, update } from './support.ts'
import { applied, type ComparedState, NOTHING, same, stateOf } from './update-model.ts'

const text = fc.constantFrom('', 'a', 'é', "it's", '"', '\\', '\u2028', 'null', '{}')
const key = fc.constantFrom('plan', 'a.b', '"q"', '\\', '__proto__', 'constructor', 'toString', '', '1', '$', 'é')
const object = <T>(value: fc.Arbitrary<T>) =>
  fc
    .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 3 })
    .map((entries) => Object.fromEntries(entries) as Record<string, T>)
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(-77.52907766250239, 1e21, 0.1),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 2 }),
    object(tie('json')),
  ),
}))
const integration = fc
  .tuple(fc.constantFrom('stripe', 'paddle'), fc.constantFrom('1', '2'), object(json))
  .map(([provider, id, details]): Integration => ({ ...details, provider, id }))

/** Any change that an API can request; every field is absent, cleared or set. */
const changes: fc.Arbitrary<CustomerChanges> = fc.record(
  {
    ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, fc.option(text)])),
    externalId: fc.constantFrom('one', 'two', '/é %?'),
    timezone: fc.constantFrom('UTC', 'Asia/Tokyo', null),
    status: fc.constantFrom('published', 'draft'),
    parent: fc.constantFrom(null, { externalId: 'parent A' }, { externalId: 'parent B' }),
    metadata: fc.oneof(
      object(text).map((replace) => ({ replace })),
      object(fc.option(text)).map((merge) => ({ merge })),
    ),
    integrations: fc.uniqueArray(integration, { selector: ({ provider, id }) => provider + id, maxLength: 3 }),
    profile: object(json),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<CustomerChanges>

describe('an update', () => {
  it('changes the named fields, keeps the rest, and is a new version only if something differs', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.array(fc.tuple(changes, fc.nat(9)), { maxLength: 8 }), async (first, steps) => {
        const scope = await insertTenant()
        const parents = new Map<string, string>()
        for (const externalId of ['parent A', 'parent B'])
          parents.set(externalId, (await create(scope, { externalId })).id)
        const made = await create(scope, { externalId: 'one', ...first }, { nowMs: 5, actor: 'maker' })
        let state: ComparedState = stateOf(made)
        expect(state).toEqual(applied({ ...NOTHING, externalId: 'one' }, first, parents))
        let version = 1
        let updatedAtMs = 5
        for (const [step, nowMs] of steps) {
          const next = applied(state, step, parents)
          const differs = !same(next, state)
          const result = await commit(scope, update(made.id, step), { nowMs, actor: `at ${nowMs}` })
          if (!result.ok) throw new Error(JSON.stringify(result.failure))
          if (differs) version++
          if (differs) updatedAtMs = Math.max(updatedAtMs, nowMs)
          expect(result.effect).toBe(differs ? 'updated' : 'unchanged')
          expect(result.customer).toMatchObject({ version, updatedAtMs, createdAtMs: 5, createdBy: 'maker' })
          if (differs) expect(result.customer.updatedBy).toBe(`at ${nowMs}`)
          expect(stateOf(result.customer)).toEqual(next)
          state = next
        }
        const kept = await readCustomer(db, scope, made.id)
        expect(kept && stateOf(kept)).toEqual(state)
        await expectOneEventForEachVersion(scope, made.id, version)
      }),
      { numRuns: 80 },
    )
  })

  it('keeps `__proto__` and `constructor` as the ordinary keys they are', async () => {
    const scope = await insertTenant()
    const entries = [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]
    const { id } = await create(scope, { metadata: { replace: Object.fromEntries(entries) } })
    const read = await readCustomer(db, scope, id)
    expect(Object.entries(read?.metadata ?? {})).toEqual(entries)
    const merge = Object.fromEntries([
      ['__proto__', null],
      ['constructor', 'c'],
    ])
    const merged = await committed(scope, update(id, { metadata: { merge } }))
    expect(Object.entries(merged.metadata)).toEqual([['constructor', 'c']])
  })

  it('sees no change in metadata or integrations whose keys only come in another order', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, {
      metadata: { replace: { a: '1', b: '2' } },
      integrations: [{ provider: 'stripe', id: '1', details: '{"x":1}' }],
    })
    const same = await commit(
      scope,
      update(id, {
        metadata: { replace: { b: '2', a: '1' } },
        integrations: [{ details: '{"x":1}', id: '1', provider: 'stripe' }],
      }),
    )
    expect(same).toMatchObject({ ok: true, effect: 'unchanged', customer: { version: 1 } })
  })

  it('is refused if it would leave more than 50 metadata keys, and not if it leaves 50', async () => {
    const scope = await insertTenant()
    const keys = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, at) => [`key ${from + at}`, 'x']))
    const { id } = await create(scope, { metadata: { replace: keys(0, 30) } })
    expect(await failureOf(commit(scope, update(id, { metadata: { merge: keys(10, 51) } })))).toEqual({
      reason: 'metadata_too_many_keys',
      keysMax: 50,
    })
    const full = await committed(scope, update(id, { metadata: { merge: keys(10, 50) } }))
    expect(Object.keys(full.metadata)).toHaveLength(50)
    expect(full.version).toBe(2)
  })

  it('returns without any change whether the customer exists and has the expected version', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope)
    expect(await commit(scope, update(id, {}))).toMatchObject({
      ok: true,
      effect: 'unchanged',
      customer: { version: 1 },
    })
    expect(await failureOf(commit(scope, update(id, {}, 7)))).toEqual({ reason: 'version_conflict', currentVersion: 1 })
    expect(await failureOf(commit(scope, update('cust_none', {})))).toEqual({
      reason: 'not_found',
      resource: 'customer',
    })
  })

  it('is made only while the customer has the expected version', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope)
    const results = await Promise.all([1, 2, 3].map((n) => commit(scope, update(id, { name: `writer ${n}` }, 1))))
    expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    for (const result of results) {
      if (!result.ok) expect(result.failure).toEqual({ reason: 'version_conflict', currentVersion: 2 })
    }
  })

  it('survives updates of other fields at the same time', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { metadata: { replace: { kept: 'yes' } } })
    await Promise.all([
      ...OPTIONAL_TEXT_FIELDS.map((field) => committed(scope, update(id, { [field]: `new ${field}` }))),
      ...[1, 2, 3].map((n) => committed(scope, update(id, { metadata: { merge: { [`key ${n}`]: 'x' } } }))),
      committed(scope, update(id, { profile: { terms_accepted: true } })),
      committed(scope, update(id, { profile: { geo_location: { latitude: '1.50' } } })),
    ])
    const read = await readCustomer(db, scope, id)
    expect(read).toMatchObject({
      ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, `new ${field}`])),
      metadata: { kept: 'yes', 'key 1': 'x', 'key 2': 'x', 'key 3': 'x' },
      profile: { terms_accepted: true, geo_location: { latitude: '1.50' } },
      version: OPTIONAL_TEXT_FIELDS.length + 6,
    })
  })

  it('never reaches the customer of another tenant or mode', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope)
    const strangers: Scope[] = [{ ...scope, mode: 'test' }, await insertTenant()]
    for (const stranger of strangers) {
      const commands = [update(id, { name: 'stolen' }), { kind: 'archive', target: { id }, ifVersion: null } as const]
      for (const command of commands) {
        expect(await failureOf(commit(stranger, command))).toEqual({ reason: 'not_found', resource: 'customer' })
      }
      expect(await readCustomer(db, stranger, id)).toBeNull()
    }
    expect(await readCustomer(db, scope, id)).toMatchObject({ name: null, version: 1 })
  })
})

describe('archiving and restoring', () => {
  it('happens once each, keeps the fields of the customer, and leaves an archived one unchangeable', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'x', name: 'N', status: 'draft' })
    expect(await archive(scope, id)).toMatchObject({
      ok: true,
      effect: 'archived',
      customer: { status: 'archived', version: 2 },
    })
    expect(await failureOf(archive(scope, id))).toEqual({ reason: 'not_found', resource: 'customer' })
    expect(await failureOf(commit(scope, update(id, { name: 'M' })))).toEqual({ reason: 'archived', customerId: id })
    const byName = { kind: 'archive', target: { externalId: 'x' }, ifVersion: null } as const
    expect(await failureOf(commit(scope, byName))).toEqual({ reason: 'not_found', resource: 'customer' })
    expect(await restore(scope, id)).toMatchObject({
      ok: true,
      effect: 'restored',
      customer: { status: 'draft', name: 'N', externalId: 'x', version: 3 },
    })
    expect(await restore(scope, id)).toMatchObject({ ok: true, effect: 'unchanged', customer: { version: 3 } })
    await expectOneEventForEachVersion(scope, id, 3)
  })

  it('is refused for an outdated version', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope)
    await committed(scope, update(id, { name: 'moved on' }))
    const stale = { target: { id }, ifVersion: 1 }
    const conflict = { reason: 'version_conflict', currentVersion: 2 }
    expect(await failureOf(commit(scope, { kind: 'archive', ...stale }))).toEqual(conflict)
    await archive(scope, id)
    expect(await failureOf(commit(scope, { kind: 'restore', ...stale }))).toEqual({ ...conflict, currentVersion: 3 })
  })
})

describe('the log of events', () => {
  it('records with each change its actor, its request, its reason, and the state before and after', async () => {
    const scope = await insertTenant()
    const given = { actor: 'key_9', requestId: 'req_9', reason: 'asked by phone', nowMs: 77 }
    const { id } = await create(scope, { name: 'A', addressCity: 'Bonn' }, given)
    await commit(scope, update(id, { name: 'B' }), { ...given, nowMs: 78 })
    await archive(scope, id)
    await restore(scope, id)
    const log = await eventsOf(scope, id)
    expect(log.map(({ type }) => type)).toEqual([
      'customer.created',
      'customer.updated',
      'customer.archived',
      'customer.restored',
    ])
    expect(log[0]).toMatchObject({
      actor: 'key_9',
      requestId: 'req_9',
      reason: 'asked by phone',
      before: null,
      createdAtMs: 77,
    })
    expect(log[1]).toMatchObject({
      before: { name: 'A', version: 1, address: { city: 'Bonn' } },
      after: { name: 'B', version: 2, address: { city: 'Bonn' }, stamps: { updated_at: 78, created_at: 77 } },
    })
  })
})
