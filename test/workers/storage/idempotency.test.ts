/**
 * Idempotency records as the gate writes them: in the batch of the change, so that record and change are one fact, whatever
 * else is in the batch and whenever D1 breaks off.
 */
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { PreparedCommand, PreparedWrite } from '../../../src/gate/protocol/write-store.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { events, idempotencyRecords } from '../../../src/storage/schema/tables.ts'
import { CHANGE_ROWS } from '../../shared/rows-written.ts'
import {
  archive,
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

function keyed(command: PreparedCommand, key: string, given: Partial<PreparedWrite> = {}): PreparedWrite {
  return prepared(command, { idempotency: { key, fingerprint: 'f' }, ...given })
}

async function recordsOf({ tenantId }: Scope) {
  return db.select().from(idempotencyRecords).where(eq(idempotencyRecords.tenantId, tenantId))
}

async function changesOf({ tenantId }: Scope): Promise<number> {
  return (await db.select({ id: events.id }).from(events).where(eq(events.tenantId, tenantId))).length
}

/** Returns a D1 whose nth batch is broken off before or after it was carried out. */
function unreliable(when: 'before' | 'after', nth = 1): D1Database {
  let batches = 0
  const withSession = (start: string) => {
    const session = env.DB.withSession(start)
    return {
      prepare: (sql: string) => session.prepare(sql),
      batch: async (statements: D1PreparedStatement[]) => {
        batches++
        if (batches !== nth) return session.batch(statements)
        if (when === 'after') await session.batch(statements)
        throw new Error('D1_ERROR: Network connection lost.')
      },
      getBookmark: () => session.getBookmark(),
    }
  }
  return { withSession } as unknown as D1Database
}

describe('in one batch', () => {
  it("answers a repeat beside the first request with the first's result, also among other requests", async () => {
    const scope = await insertTenant()
    const writes = [
      keyed(creation({ externalId: 'a', name: 'A' }), 'k'),
      keyed(creation({ externalId: 'b' }), 'other'),
      prepared(creation({ externalId: 'c' })),
      keyed(creation({ externalId: 'a', name: 'A' }), 'k'),
      keyed(creation({ externalId: 'd' }), 'k', { idempotency: { key: 'k', fingerprint: 'g' } }),
    ]
    const { results } = await store.commitWrites(scope, writes)
    const [first, other, plain, repeat, mismatch] = results
    expect([first, other, plain].map((result) => result?.ok && result.effect)).toEqual([
      'created',
      'created',
      'created',
    ])
    expect(repeat).toMatchObject({
      ok: true,
      effect: 'created',
      replayed: true,
      customer: customerOf(only(results.slice(0, 1))),
    })
    expect(mismatch).toEqual({ ok: false, failure: { reason: 'idempotency_mismatch' } })
    expect(await changesOf(scope)).toBe(3)
    expect((await recordsOf(scope)).map(({ key }) => key)).toEqual(['k', 'other'])
  })

  it('keeps the keys of the others when a rule refuses one', async () => {
    const scope = await insertTenant()
    const good = () => keyed(creation({ externalId: 'a' }), 'good')
    const bad = () => keyed(creation({ externalId: 'b', parent: { id: 'cust_nobody' } }), 'bad')
    const first = (await store.commitWrites(scope, [good(), bad()])).results
    const again = (await store.commitWrites(scope, [good(), bad()])).results
    expect(first.map((result) => result.ok || result.failure.reason)).toEqual([true, 'parent_not_found'])
    expect(again).toMatchObject([
      { ...first[0], replayed: true },
      { ...first[1], replayed: true },
    ])
    expect(await changesOf(scope)).toBe(1)
  })
})

describe('when D1 breaks off', () => {
  it('answers a repeat after the commit with the change, and makes the change in a repeat before it', async () => {
    for (const when of ['before', 'after'] as const) {
      const scope = await insertTenant()
      const lost = keyed(creation({ externalId: 'a', name: 'A' }), 'k')
      await expect(writeStore(unreliable(when)).commitWrites(scope, [lost])).rejects.toThrow()
      const { results } = await store.commitWrites(scope, [keyed(creation({ externalId: 'a', name: 'A' }), 'k')])
      const result = only(results)
      expect(customerOf(result)).toMatchObject({ externalId: 'a', version: 1 })
      expect([when, result.replayed]).toEqual([when, when === 'after' ? true : undefined])
      expect(await changesOf(scope)).toBe(1)
      const { found } = await store.findCommitted(scope, [lost.changeId])
      expect(found.get(lost.changeId)?.customer).toEqual(when === 'after' ? customerOf(result) : undefined)
    }
  })

  it('withholds a refusal that could not be stored, and answers the rest of the batch', async () => {
    for (const when of ['before', 'after'] as const) {
      const scope = await insertTenant()
      await create(scope, { externalId: 'a' })
      const writes = [keyed(creation({ externalId: 'a' }), 'k'), keyed(creation({ externalId: 'b' }), 'l')]
      const { results } = await writeStore(unreliable(when, 2)).commitWrites(scope, writes)
      expect(results.map((result) => result.ok || result.failure.reason)).toEqual(['unavailable', true])
      const again = (await store.commitWrites(scope, [keyed(creation({ externalId: 'a' }), 'k')])).results
      expect(only(again)).toMatchObject({ failure: { reason: 'external_id_taken' } })
      expect(only(again).replayed).toBe(when === 'after' ? true : undefined)
    }
  })
})

it('does not store a change that came too late: the repeat makes it', async () => {
  const scope = await insertTenant()
  const late = keyed(creation({ externalId: 'a' }), 'k', { deadlineMs: Date.now() - 1 })
  expect(only((await store.commitWrites(scope, [late])).results)).toMatchObject({ failure: { reason: 'unavailable' } })
  expect(await recordsOf(scope)).toEqual([])
  const again = only((await store.commitWrites(scope, [keyed(creation({ externalId: 'a' }), 'k')])).results)
  expect(again).toMatchObject({ ok: true, effect: 'created' })
})

it('returns the refusal that another gate stored in between', async () => {
  const scope = await insertTenant()
  const holder = await create(scope, { externalId: 'a' })
  // Between the batch that refuses and the one that stores the refusal, another instance answers the same request.
  let batches = 0
  const meanwhile = {
    withSession: (start: string) => {
      const session = env.DB.withSession(start)
      return {
        prepare: (sql: string) => session.prepare(sql),
        batch: async (statements: D1PreparedStatement[]) => {
          if (++batches === 2) {
            await archive(scope, holder.id)
            await store.commitWrites(scope, [keyed(creation({ externalId: 'a' }), 'k')])
          }
          return session.batch(statements)
        },
        getBookmark: () => session.getBookmark(),
      }
    },
  } as unknown as D1Database
  const { results } = await writeStore(meanwhile).commitWrites(scope, [keyed(creation({ externalId: 'a' }), 'k')])
  expect(only(results)).toMatchObject({ ok: true, effect: 'created', replayed: true })
})

it('costs three rows for a key, and no call of D1 unless the request was refused', async () => {
  const scope = await insertTenant()
  let trips = 0
  const { d1, costs } = metered(env.DB)
  const counted = {
    withSession: (start: string) => {
      const session = d1.withSession(start)
      const batch = (statements: D1PreparedStatement[]) => {
        trips++
        return session.batch(statements)
      }
      return { ...session, batch }
    },
  } as unknown as D1Database
  const cost = async (write: PreparedWrite) => {
    costs.length = 0
    trips = 0
    await writeStore(counted).commitWrites(scope, [write])
    return [trips, costs.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0)]
  }
  const made = await create(scope, { externalId: 'taken' })
  expect({
    plain: await cost(prepared(creation({ externalId: 'a' }))),
    keyed: await cost(keyed(creation({ externalId: 'b' }), 'k')),
    replayed: await cost(keyed(creation({ externalId: 'b' }), 'k')),
    refused: await cost(keyed(creation({ externalId: 'taken' }), 'l')),
    'refused without a key': await cost(prepared(creation({ externalId: 'taken' }))),
    update: await cost(prepared(update(made.id, { name: 'N' }))),
  }).toEqual({
    plain: [1, CHANGE_ROWS.create],
    keyed: [1, CHANGE_ROWS.create + 3],
    replayed: [1, 0],
    refused: [2, 3],
    'refused without a key': [1, 0],
    update: [1, CHANGE_ROWS['update of a name']],
  })
})
