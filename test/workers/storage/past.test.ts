/** A customer as it was, against a record of every state that it had. */
import { and, eq } from 'drizzle-orm'
import fc from 'fast-check'
import { ulid } from 'ulid'
import { expect, it } from 'vitest'
import type { Customer, CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import type { Moment, PastTarget } from '../../../src/registry/past.ts'
import type { Command } from '../../../src/registry/ports.ts'
import { readPast } from '../../../src/storage/customers/past.ts'
import { events } from '../../../src/storage/schema/tables.ts'
import { inScope } from '../../../src/storage/scoped.ts'
import { commit, create, db, insertTenant, update } from './support.ts'

/** The initial retention of a tenant. */
const RETENTION_MS = 400 * 86_400_000

const past = (scope: Scope, target: PastTarget, moment: Moment) => readPast(db, scope, target, moment)

const NAMES = ['a', 'b', 'c']
const name = fc.constantFrom(...NAMES)
const changes = fc.oneof(
  fc.record({ externalId: name }),
  fc.record({ name: fc.constantFrom('One', null) }),
  fc.record({ addressCity: fc.constantFrom('Rome', null), status: fc.constantFrom('draft' as const) }),
  fc.record({ metadata: fc.record({ replace: fc.constantFrom<Record<string, string>>({}, { b: '1', a: '2' }) }) }),
  fc.record({ profile: fc.constantFrom({ locations: [{ n: 1.5 }] }, { terms_accepted: true }) }),
)
type Step = typeof drawn extends fc.Arbitrary<infer Drawn> ? Drawn : never
const drawn = fc.record({
  kind: fc.constantFrom('create', 'update', 'update', 'update', 'archive', 'restore'),
  who: fc.nat(2),
  changes,
  externalId: name,
  /** Several changes may fall on the same millisecond. */
  laterMs: fc.constantFrom(0, 1, 7),
})

/** A customer whenever it changed, with the time of the change. */
interface Recorded {
  atMs: number
  customer: Customer
}

it('is read at each version and at any time, by id and by the external id of then, as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(drawn, { minLength: 4, maxLength: 16, size: 'max' }), async (steps) => {
      const scope = await insertTenant()
      const log: Recorded[] = []
      const ids: string[] = []
      let nowMs = Date.now() - 1_000
      for (const step of steps) {
        nowMs += step.laterMs
        const id = ids[step.who % Math.max(1, ids.length)]
        const done = await commit(scope, commandOf(step, id, nowMs), { nowMs })
        if (!done.ok || done.effect === 'unchanged') continue
        if (done.effect === 'created') ids.push(done.customer.id)
        log.push({ atMs: nowMs, customer: done.customer })
      }
      const wanted: [target: PastTarget, moment: Moment, customer: Customer | null][] = []
      for (const { customer } of log) wanted.push([{ id: customer.id }, { version: customer.version }, customer])
      for (const id of ids) {
        const last = log.findLast(({ customer }) => customer.id === id)?.customer.version ?? 0
        wanted.push([{ id }, { version: last + 1 }, null])
      }
      for (const timeMs of new Set(log.flatMap(({ atMs }) => [atMs - 1, atMs]))) {
        const then = new Map(log.filter(({ atMs }) => atMs <= timeMs).map(({ customer }) => [customer.id, customer]))
        for (const id of ids) wanted.push([{ id }, { timeMs }, then.get(id) ?? null])
        for (const externalId of NAMES) {
          const holder = [...then.values()].find((one) => one.externalId === externalId && one.status !== 'archived')
          wanted.push([{ externalId }, { timeMs }, holder ?? null])
        }
      }
      const read = await Promise.all(wanted.map(([target, moment]) => past(scope, target, moment)))
      expect(read).toEqual(wanted.map(([, , customer]) => customer))
    }),
    { numRuns: 5 },
  )
})

function commandOf(step: Step, id: string | undefined, nowMs: number): Command {
  if (step.kind === 'create' || id === undefined) {
    const fields = { ...(step.changes as CustomerChanges), externalId: step.externalId }
    return { kind: 'create', id: `cust_${ulid(nowMs)}`, fields, ifExists: 'fail' }
  }
  if (step.kind === 'update') return update(id, step.changes as CustomerChanges)
  if (step.kind === 'archive') return { kind: 'archive', target: { id }, ifVersion: null }
  return { kind: 'restore', target: { id }, changes: step.changes as CustomerChanges, ifVersion: null }
}

it('is not known once the change after it is no longer kept, and then nobody says who had an external id', async () => {
  const scope = await insertTenant()
  const [t1, t2, t3] = [1, 2, 3].map((nth) => Date.now() - 10_000 + nth * 1_000) as [number, number, number]
  const { id } = await create(scope, { externalId: 'old' }, { nowMs: t1 })
  await commit(scope, update(id, { externalId: 'new' }), { nowMs: t2 })
  const third = await commit(scope, update(id, { name: 'Third' }), { nowMs: t3 })
  await db.delete(events).where(and(inScope(events, scope), eq(events.version, 2)))
  const expired = [{ version: 1 }, { timeMs: t1 }, { timeMs: t2 - 1 }]
  for (const moment of expired) expect(await past(scope, { id }, moment)).toBe('expired')
  // The third change found the second version, whose own event is gone.
  for (const moment of [{ version: 2 }, { timeMs: t2 }, { timeMs: t3 - 1 }])
    expect(await past(scope, { id }, moment)).toMatchObject({ version: 2, externalId: 'new', updatedAtMs: t2 })
  expect(await past(scope, { id }, { timeMs: t1 - 1 })).toBe(null)

  await db.delete(events).where(inScope(events, scope))
  for (const moment of [{ version: 2 }, { timeMs: t2 }]) expect(await past(scope, { id }, moment)).toBe('expired')
  for (const moment of [{ version: 3 }, { timeMs: t3 }, { timeMs: Date.now() + RETENTION_MS }])
    expect(await past(scope, { id }, moment)).toEqual(third.ok && third.customer)
  const longAgo = { timeMs: Date.now() - RETENTION_MS - 1_000 }
  expect(await past(scope, { externalId: 'old' }, longAgo)).toBe('expired')
  expect(await past(scope, { externalId: 'old' }, { timeMs: t3 })).toBe(null)
})

it('is nothing for a customer that is erased, and for one of another tenant', async () => {
  const scope = await insertTenant()
  const { id } = await create(scope, { externalId: 'gone' })
  const moments: Moment[] = [{ version: 1 }, { timeMs: Date.now() + 1_000 }]
  for (const moment of moments) {
    expect(await past(await insertTenant(), { id }, moment)).toBe(null)
    expect(await past({ ...scope, mode: 'test' }, { id }, moment)).toBe(null)
  }
  await commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
  for (const moment of [...moments, { version: 2 }, { timeMs: 0 }]) {
    expect(await past(scope, { id }, moment)).toBe(null)
    if ('version' in moment) continue
    expect(await past(scope, { externalId: 'gone' }, moment)).toBe(moment.timeMs === 0 ? 'expired' : null)
  }
})
