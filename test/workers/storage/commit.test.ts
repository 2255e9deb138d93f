import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { ulid } from 'ulid'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { PreparedCommand, PreparedWrite } from '../../../src/gate/protocol/write-store.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import type { Command } from '../../../src/registry/ports.ts'
import { newId } from '../../../src/shared/ids.ts'
import { readByExternalId, readCustomer } from '../../../src/storage/customers/reads.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { classifyD1Error } from '../../../src/storage/d1-errors.ts'
import { customers, events } from '../../../src/storage/schema/tables.ts'
import { failingD1, type Trouble } from '../support/failing-d1.ts'
import {
  commit,
  create,
  creation,
  customerOf,
  db,
  insertTenant,
  metered,
  only,
  prepared,
  store,
  update,
} from './support.ts'

const BOOKMARK = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/

describe('changes committed together', () => {
  it('report that they found no room when tried one by one, and the others report their result', async () => {
    const scope = await insertTenant()
    const d1 = failingD1()
    onTestFinished(() => d1.restore())
    const orphan = creation({ externalId: 'c', parent: { externalId: 'nobody' } })
    const writes = [creation({ externalId: 'a' }), creation({ externalId: 'b' }), orphan].map((one) => prepared(one))
    // All together, which a rule refuses; then each by itself.
    d1.fail(['none', 'none', 'full'])
    const { results } = await writeStore(env.DB).commitWrites(scope, writes)
    d1.heal()
    expect(results.map((result) => (result.ok ? result.effect : result.failure.reason))).toEqual([
      'created',
      'insufficient_storage',
      'parent_not_found',
    ])
    const there = await Promise.all(['a', 'b'].map((externalId) => readByExternalId(db, scope, externalId)))
    expect(there.map((customer) => customer?.externalId)).toEqual(['a', undefined])
  })

  it('are one batch, each with an answer of its own, common refusals among them', async () => {
    const scope = await insertTenant()
    const existing = await create(scope, { externalId: 'known', name: 'N' })
    const { d1, costs } = metered(env.DB)
    const writes = [
      creation({ externalId: 'fresh' }),
      creation({ externalId: 'known' }),
      creation({ externalId: 'fresh' }),
      update(existing.id, { name: 'M' }),
      update(existing.id, { name: 'M' }),
      update(existing.id, { name: 'O' }, 1),
      update('cust_nobody', { name: 'M' }),
      { kind: 'archive', target: { id: existing.id }, ifVersion: null } as const,
      update(existing.id, { name: 'P' }),
      creation({ externalId: 'known' }),
    ].map((command) => prepared(command))
    const { results, bookmark } = await writeStore(d1).commitWrites(scope, writes)
    expect(bookmark).toMatch(BOOKMARK)
    // Two statements for each change, and one that selects whether the tenant has subscribers.
    expect(costs).toHaveLength(2 * writes.length + 1)
    expect(results.map((result) => (result.ok ? result.effect : result.failure.reason))).toEqual([
      'created',
      'external_id_taken',
      'external_id_taken',
      'updated',
      'unchanged',
      'version_conflict',
      'not_found',
      'archived',
      'archived',
      'created',
    ])
    expect(results[4]).toMatchObject({ customer: { name: 'M', version: 2 } })
  })

  it('survive one among them that a rule refuses', async () => {
    const scope = await insertTenant()
    const { id } = await create(scope, { externalId: 'a', integrations: [{ provider: 'stripe', id: '1' }] })
    const commands = [
      creation({ externalId: 'b' }),
      creation({ externalId: 'c', parent: { id: 'cust_nobody' } }),
      creation({ externalId: 'd', integrations: [{ provider: 'stripe', id: '1' }] }),
      update(id, { externalId: 'e' }),
      creation({ externalId: 'f', status: 'lost' as 'draft' }),
      creation({ externalId: 'g' }),
    ]
    const { results, bookmark } = await store.commitWrites(
      scope,
      commands.map((command) => prepared(command)),
    )
    expect(results.map((result) => (result.ok ? result.customer.externalId : result.failure.reason))).toEqual([
      'b',
      'parent_not_found',
      'integration_taken',
      'e',
      'internal',
      'g',
    ])
    expect(bookmark).toMatch(BOOKMARK)
    expect(await changesOf(scope)).toBe(4)
  })

  it('have a bookmark even if every one of them was refused', async () => {
    const scope = await insertTenant()
    const refused = prepared(creation({ parent: { id: 'cust_nobody' } }))
    expect((await store.commitWrites(scope, [refused])).bookmark).toMatch(BOOKMARK)
    expect((await store.commitWrites(scope, [])).bookmark).toMatch(BOOKMARK)
  })

  it('leave one customer when two hundred create the same external id at once', async () => {
    const scope = await insertTenant()
    const results = await Promise.all(Array.from({ length: 200 }, () => commit(scope, creation({ externalId: 'x' }))))
    const made = results.filter(({ ok }) => ok).map(customerOf)
    const winner = only(made)
    for (const result of results) {
      if (result.ok) continue
      expect(result.failure).toEqual({ reason: 'external_id_taken', externalId: 'x', customerId: winner.id })
    }
    const rows = await db.select().from(customers).where(eq(customers.tenantId, scope.tenantId))
    expect(rows).toHaveLength(1)
    expect(await changesOf(scope)).toBe(1)
  })
})

describe('a change that arrives after its deadline', () => {
  it('changes nothing and may be sent again, of whatever kind', async () => {
    const scope = await insertTenant()
    const existing = await create(scope, { externalId: 'known' })
    const gone = await create(scope, { externalId: 'gone' })
    const there = await create(scope, { externalId: 'there' })
    const renamed = await create(scope, { externalId: 'renamed', name: 'Old' })
    const [source, survivor, merged, host, erased] = await Promise.all(Array.from({ length: 5 }, () => create(scope)))
    const target = (id = '') => ({ target: { id }, ifVersion: null })
    const into = (id = '') => ({ into: id, intoVersion: null, prefer: 'target', dryRun: false }) as const
    await commit(scope, { kind: 'archive', ...target(gone.id) })
    await commit(scope, update(renamed.id, { name: 'New' }))
    await commit(scope, { kind: 'merge', ...target(merged?.id), ...into(host?.id) })
    const before = await changesOf(scope)
    const commands: Command[] = [
      creation({ externalId: 'late' }),
      { kind: 'upsert', id: `cust_${ulid()}`, externalId: 'later', changes: {}, ifVersion: null },
      update(existing.id, { name: 'late' }),
      { kind: 'archive', ...target(existing.id) },
      { kind: 'restore', ...target(gone.id) },
      { kind: 'restore', ...target(there.id), changes: { name: 'late' } },
      { kind: 'revert', ...target(renamed.id), to: { version: 1 }, partial: false },
      { kind: 'erase', ...target(erased?.id) },
      { kind: 'merge', ...target(source?.id), ...into(survivor?.id) },
      { kind: 'unmerge', ...target(host?.id), source: merged?.id ?? '', dryRun: false },
    ]
    const planned = await Promise.all(commands.map((command) => store.resolveTarget(scope, command)))
    const sent = (deadlineMs: number) =>
      planned.map((plan) => {
        if (!plan.ok) throw new Error(plan.failure.reason)
        return prepared(plan.command, { deadlineMs, furtherChangeIds: [newId('event', Date.now())] })
      })
    const deadlineMs = Date.now() - 1
    const { results, d1Ms } = await store.commitWrites(scope, sent(deadlineMs))
    for (const [at, result] of results.entries()) {
      const expected = { ok: false, failure: { reason: 'unavailable', retryAfterMs: 1_000 }, late: true }
      expect(result, commands[at]?.kind).toEqual(expected)
    }
    expect(d1Ms).toBeGreaterThanOrEqual(deadlineMs)
    expect(await changesOf(scope)).toBe(before)
    const again = await store.commitWrites(scope, sent(Date.now() + 60_000))
    expect(again.results.map(({ ok }) => ok)).toEqual(commands.map(() => true))
  })
})

describe('a change sent twice', () => {
  it('is made once and answered as made, also after the customer has changed again', async () => {
    const scope = await insertTenant()
    const creating = prepared(creation({ externalId: 'x' }))
    const first = customerOf(only((await store.commitWrites(scope, [creating])).results))
    const repeat = { ok: true, effect: 'created' }
    expect(only((await store.commitWrites(scope, [creating])).results)).toMatchObject({ ...repeat, customer: first })
    const otherTry = { ...creating, changeId: 'evt_other' }
    expect(only((await store.commitWrites(scope, [otherTry])).results)).toMatchObject({ ...repeat, customer: first })

    const updating = prepared(update(first.id, { name: 'A', externalId: 'y' }, 1))
    for (let time = 0; time < 2; time++) {
      expect(only((await store.commitWrites(scope, [updating])).results)).toMatchObject({
        effect: 'updated',
        customer: { name: 'A', version: 2 },
      })
    }
    expect(only((await store.commitWrites(scope, [creating])).results)).toMatchObject({
      ...repeat,
      customer: { version: 2 },
    })
    await commit(scope, update(first.id, { name: 'B' }))
    const unguarded = { ...updating, command: update(first.id, { name: 'A' }) }
    expect(only((await store.commitWrites(scope, [unguarded])).results)).toMatchObject({
      effect: 'updated',
      customer: { name: 'B', version: 3 },
    })
    expect(await changesOf(scope)).toBe(3)
  })
})

describe('when D1 breaks off', () => {
  /** Returns a D1 whose answer to a batch is lost, before or after the batch was carried out. */
  function unreliable(when: 'before' | 'after'): D1Database {
    const batch = async (session: D1DatabaseSession, statements: D1PreparedStatement[]) => {
      if (when === 'after') await session.batch(statements)
      throw new Error('D1_ERROR: Network connection lost.')
    }
    const withSession = (start: string) => {
      const session = env.DB.withSession(start)
      return {
        prepare: (sql: string) => session.prepare(sql),
        batch: (statements: D1PreparedStatement[]) => batch(session, statements),
        getBookmark: () => session.getBookmark(),
      }
    }
    return { withSession } as unknown as D1Database
  }

  it.each(['before', 'after'] as const)(
    'fails %s the commit without a guess, and the primary then finds the result',
    async (when) => {
      const scope = await insertTenant()
      const existing = await create(scope)
      const writes = [prepared(creation({ externalId: 'x' })), prepared(update(existing.id, { name: 'N' }))]
      await expect(writeStore(unreliable(when)).commitWrites(scope, writes)).rejects.toThrow('Network connection lost')
      const changeIds = writes.map(({ changeId }) => changeId)
      const { found, bookmark } = await store.findCommitted(scope, changeIds)
      expect(bookmark).toMatch(BOOKMARK)
      const created = await readByExternalId(db, scope, 'x')
      const updated = await readCustomer(db, scope, existing.id)
      expect([...found].map(([changeId, { customer }]) => [changeId, customer])).toEqual(
        when === 'after'
          ? [
              [changeIds[0], created],
              [changeIds[1], updated],
            ]
          : [],
      )
      expect(updated?.name).toBe(when === 'after' ? 'N' : null)
    },
  )

  it('reports a begun batch after the first call, whatever D1 says: some changes are made', async () => {
    const d1 = failingD1()
    onTestFinished(() => d1.restore())
    const refused = { externalId: 'x', parent: { id: 'cust_nobody' } }
    for (const [troubles, commands] of [
      // The changes that were not made are looked up after the batch.
      [
        ['none', 'overloaded'],
        [creation({ externalId: 'made' }), creation({ externalId: 'known' })],
      ],
      // A rule refuses the second, so both are tried again, each by itself.
      [
        ['none', 'none', 'overloaded'],
        [creation({ externalId: 'made' }), creation(refused)],
      ],
    ] satisfies [Trouble[], Command[]][]) {
      const scope = await insertTenant()
      await create(scope, { externalId: 'known' })
      const writes = commands.map((command) => prepared(command))
      d1.fail(troubles)
      const error = await store.commitWrites(scope, writes).catch((thrown: unknown) => thrown)
      d1.heal()
      expect([store.neverBegan(error), classifyD1Error(error).kind]).toEqual([false, 'overloaded'])
      const { found } = await store.findCommitted(scope, [writes[0]?.changeId ?? ''])
      expect(found.size).toBe(1)
    }
    d1.fail(['overloaded'])
    const error = await store.commitWrites(await insertTenant(), [prepared(creation({}))]).catch((thrown) => thrown)
    d1.heal()
    expect(store.neverBegan(error)).toBe(true)
  })

  it('finds a change with the customer as the change made it, and only for the tenant and mode that made it', async () => {
    const scope = await insertTenant()
    const creating = prepared(creation({ externalId: 'x' }))
    const made = customerOf(only((await store.commitWrites(scope, [creating])).results))
    await commit(scope, update(made.id, { name: 'later' }))
    const wanted = [creating.changeId, 'evt_nobody']
    expect([...(await store.findCommitted(scope, wanted)).found]).toMatchObject([
      [creating.changeId, { ok: true, effect: 'created', customer: made }],
    ])
    for (const stranger of [{ ...scope, mode: 'test' } as const, await insertTenant()]) {
      expect((await store.findCommitted(stranger, wanted)).found.size).toBe(0)
    }
  })
})

/** Returns how many changes were made in all: each has one event. */
async function changesOf({ tenantId }: Scope): Promise<number> {
  return (await db.select({ id: events.id }).from(events).where(eq(events.tenantId, tenantId))).length
}

it('takes a merge back once, in time, and only from the version that it was planned for', async () => {
  const scope = await insertTenant()
  const [source, survivor] = [await create(scope, { externalId: 'a' }), await create(scope, { externalId: 'b' })]
  const about = { ifVersion: null, dryRun: false }
  const into = { into: survivor.id, intoVersion: null, prefer: 'target' } as const
  await commit(scope, { kind: 'merge', target: { id: source.id }, ...into, ...about })
  const planned = async () => {
    const command = { kind: 'unmerge', target: { id: survivor.id }, source: source.id, ...about } as const
    const resolved = await store.resolveTarget(scope, command)
    if (!resolved.ok) throw new Error(resolved.failure.reason)
    return resolved.command
  }
  const isMade = async (command: PreparedCommand, given: Partial<PreparedWrite> = {}) => {
    const furtherChangeIds = [newId('event', Date.now())]
    const { results } = await store.commitWrites(scope, [prepared(command, { furtherChangeIds, ...given })])
    return only(results).ok
  }
  const early = await planned()
  expect(await isMade(early, { deadlineMs: Date.now() - 1 })).toBe(false)
  await commit(scope, update(survivor.id, { name: 'New' }))
  expect(await isMade(early)).toBe(false)
  const plan = await planned()
  expect([await isMade(plan), await isMade(plan)]).toEqual([true, false])
})

it('makes a merge only with the children that it was planned for', async () => {
  const scope = await insertTenant()
  const [source, survivor] = [await create(scope, { externalId: 'a' }), await create(scope, { externalId: 'b' })]
  const [first, second] = [await create(scope, { parent: { id: source.id } }), await create(scope)]
  const command = {
    ...({ kind: 'merge', target: { id: source.id }, ifVersion: null, dryRun: false } as const),
    ...({ into: survivor.id, intoVersion: null, prefer: 'target' } as const),
  }
  const meanwhile: Command[] = [
    update(second.id, { parent: { id: source.id } }),
    update(second.id, { parent: null }),
    { kind: 'archive', target: { id: first.id }, ifVersion: null },
  ]
  for (const change of meanwhile) {
    const resolved = await store.resolveTarget(scope, command)
    if (!resolved.ok) throw new Error(resolved.failure.reason)
    await commit(scope, change)
    const before = await changesOf(scope)
    const write = prepared(resolved.command, { furtherChangeIds: [newId('event', Date.now())] })
    expect(only((await store.commitWrites(scope, [write])).results), change.kind).toMatchObject({ ok: false })
    expect(await changesOf(scope)).toBe(before)
  }
  expect(customerOf(await commit(scope, command)).id).toBe(survivor.id)
})

it('looks anew for the customer of an id when its merge was taken back before the commit', async () => {
  const scope = await insertTenant()
  const [source, survivor] = [await create(scope, { externalId: 'a' }), await create(scope, { externalId: 'b' })]
  const about = { ifVersion: null, dryRun: false }
  const into = { into: survivor.id, intoVersion: null, prefer: 'target' } as const
  const updates = [
    { ...update(source.id, { name: 'For the source' }) },
    { ...update(source.id, { name: 'For the source' }), target: { id: source.id, externalId: 'a' } },
    // Nothing would change, so nothing tells that it is not the one.
    { ...update(source.id, { name: null }) },
  ]
  for (const command of updates) {
    await commit(scope, { kind: 'merge', target: { id: source.id }, ...into, ...about })
    const resolved = await store.resolveTarget(scope, command)
    if (!resolved.ok) throw new Error(resolved.failure.reason)
    const unmerge = { kind: 'unmerge', target: { id: survivor.id }, source: source.id, ...about } as const
    customerOf(await commit(scope, unmerge, { furtherChangeIds: [newId('event', Date.now())] }))
    const { results } = await store.commitWrites(scope, [prepared(resolved.command)])
    expect(only(results)).toMatchObject({ ok: false, targetMoved: true })
    expect(customerOf(await commit(scope, command)).id).toBe(source.id)
    expect((await readCustomer(db, scope, survivor.id))?.name).toBe(null)
    await commit(scope, update(source.id, { name: null }))
  }
})

it('looks anew for the customer of an external id that a lost history of the database gave to another id', async () => {
  const scope = await insertTenant()
  await create(scope, { externalId: 'a' })
  const command = { ...update(newId('customer', Date.now()), { name: 'New' }) }
  const named = { ...command, target: { id: command.target.id, externalId: 'a' } }
  const { results } = await store.commitWrites(scope, [prepared(named as PreparedCommand), prepared(command)])
  expect(results).toMatchObject([{ targetMoved: true }, { ok: false, failure: { reason: 'not_found' } }])
})

it('sends the row of a change that is alone once, whether it was made or not', async () => {
  const scope = await insertTenant()
  const { d1, costs } = metered(env.DB)
  const meteredStore = writeStore(d1)
  const { id } = await create(scope, { externalId: 'known' })
  const rowsOf = async (command: Command) => {
    costs.splice(0)
    await meteredStore.commitWrites(scope, [prepared(command as PreparedCommand)])
    return costs.filter(({ sql }) => /\bcustomers\b/.test(sql)).map(({ rowsReturned }) => rowsReturned)
  }
  expect(await rowsOf(creation({ externalId: 'fresh' }))).toEqual([1, 0])
  expect(await rowsOf(creation({ externalId: 'known' }))).toEqual([0, 1])
  expect(await rowsOf(update(id, { name: 'New' }))).toEqual([1, 0])
  expect(await rowsOf(update(id, { name: 'New' }))).toEqual([0, 1])
  expect(await rowsOf(update(id, { name: 'Newer' }, 7))).toEqual([0, 1])
  expect(await rowsOf(update('cust_missing', { name: 'New' }))).toEqual([0, 0])
  expect(await rowsOf({ kind: 'archive', target: { id }, ifVersion: null })).toEqual([1, 0])
})
