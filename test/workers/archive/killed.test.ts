/** Archiving is killed at each of its steps, and run twice at once: no event is lost, and none is there twice. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import type { Scope } from '../../../src/registry/customer.ts'
import { archiveNext, OBJECT_BOUNDS } from '../../../src/storage/archive/archiver.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { eventLog } from '../../../src/storage/events/event-log.ts'
import { commit, create, insertTenant } from '../storage/support.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { failingR2 } from '../support/failing-r2.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'

const TOMORROW_MS = Date.now() + 86_400_000
const bounds = { ...OBJECT_BOUNDS, events: 3 }

async function tenantWithEvents(): Promise<Scope> {
  const scope = await insertTenant()
  for (let n = 0; n < 4; n++) {
    const { id } = await create(scope, { externalId: `e${n}`, name: `Name ${n}` })
    await commit(scope, { kind: 'update', target: { id }, changes: { name: `Name ${n} again` }, ifVersion: null })
  }
  return scope
}

const listed = async (scope: Scope) =>
  (await eventLog(env.DB, scope, env.ARCHIVE).list({ order: 'desc', afterId: null, limit: 100 }))?.events

async function objectsOf({ tenantId }: Scope) {
  const { results } = await env.DB.prepare(
    'SELECT name, events FROM archive_objects WHERE tenant_id = ? ORDER BY last_id',
  )
    .bind(tenantId)
    .all<{ name: string; events: number }>()
  const { objects } = await env.ARCHIVE.list({ prefix: `events/${tenantId}/` })
  return { known: results, stored: objects.map(({ key }) => key) }
}

/** A D1 of which one call breaks off: before it was done, or after. */
function dying(at: number, isDone: boolean): D1Database {
  let calls = 0
  return tripping(async (run) => {
    if (calls++ !== at) return run()
    if (isDone) await run()
    throw new Error('D1_ERROR: Network connection lost.')
  })
}

/** A D1 where something happens before one call. */
function interrupted(at: number, before: () => Promise<unknown>): D1Database {
  let calls = 0
  return tripping(async (run) => {
    if (calls++ === at) await before()
    return run()
  })
}

function tripping(trip: <T>(run: () => Promise<T>) => Promise<T>): D1Database {
  const raw = new WeakMap<object, D1PreparedStatement>()
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      run: () => trip(() => statement.run()),
      all: () => trip(() => statement.all()),
      raw: (options: { columnNames?: false }) => trip(() => statement.raw(options)),
    } as unknown as D1PreparedStatement
    raw.set(wrapped, statement)
    return wrapped
  }
  return {
    prepare: (text: string) => wrap(env.DB.prepare(text)),
    batch: (statements: D1PreparedStatement[]) =>
      trip(() => env.DB.batch(statements.map((statement) => raw.get(statement) as D1PreparedStatement))),
  } as unknown as D1Database
}

it.each([0, 1, 2, 3].flatMap((at) => [false, true].map((isDone) => ({ at, isDone }))))(
  'loses and doubles nothing when D1 breaks off at its call $at, done: $isDone',
  async ({ at, isDone }) => {
    const scope = await tenantWithEvents()
    const before = await listed(scope)
    expect(before).toHaveLength(8)
    const killed = { db: openDatabase(dying(at, isDone)), archive: env.ARCHIVE, bounds }
    await archiveNext(killed, scope, TOMORROW_MS).catch(() => undefined)
    expect(await listed(scope)).toEqual(before)
    await archiveAll(scope)
    expect(await listed(scope)).toEqual(before)
    const { known, stored } = await objectsOf(scope)
    expect(known.map(({ events }) => events)).toEqual([3, 3, 2])
    expect(stored.sort()).toEqual(known.map(({ name }) => name).sort())
  },
)

it.each(['unsent', 'lost'] as const)('stores the same object again when R2 fails: %s', async (trouble) => {
  const scope = await tenantWithEvents()
  const before = await listed(scope)
  const archive = failingR2(env.ARCHIVE, [trouble])
  await expect(archiveNext({ db: openDatabase(env.DB), archive, bounds }, scope, TOMORROW_MS)).rejects.toThrow()
  const first = await bytesOf(scope)
  expect(await listed(scope)).toEqual(before)
  await archiveAll(scope)
  expect(await listed(scope)).toEqual(before)
  expect((await objectsOf(scope)).stored).toHaveLength(3)
  if (trouble === 'lost') expect((await bytesOf(scope))[0]).toEqual(first[0])
})

it('does no harm when runs meet, also if they choose other events', async () => {
  const scope = await tenantWithEvents()
  const before = await listed(scope)
  const run = (events: number) =>
    archiveNext(
      { db: openDatabase(env.DB), archive: env.ARCHIVE, bounds: { ...OBJECT_BOUNDS, events } },
      scope,
      TOMORROW_MS,
    )
  for (let round = 0; round < 4; round++) await Promise.all([run(3), run(2), run(3), run(5)])
  expect(await listed(scope)).toEqual(before)
  const { known, stored } = await objectsOf(scope)
  expect(known.reduce((sum, { events }) => sum + events, 0)).toBe(8)
  expect(stored.sort()).toEqual(known.map(({ name }) => name).sort())
})

async function archiveAll(scope: Scope): Promise<void> {
  while (await archiveNext({ db: openDatabase(env.DB), archive: env.ARCHIVE, bounds }, scope, TOMORROW_MS)) {
    // Goes on.
  }
}

async function bytesOf(scope: Scope): Promise<string[]> {
  const { stored } = await objectsOf(scope)
  const objects = await Promise.all(stored.sort().map((name) => env.ARCHIVE.get(name)))
  return Promise.all(objects.map(async (object) => [...new Uint8Array((await object?.arrayBuffer()) ?? [])].join()))
}

it('shows each event once to a reader that comes between, whatever is archived while it reads', async () => {
  const scope = await tenantWithEvents()
  const before = await listed(scope)
  await archiveNext({ db: openDatabase(env.DB), archive: env.ARCHIVE, bounds }, scope, TOMORROW_MS)
  let isFirst = true
  const between = {
    withSession(start: string) {
      const session = env.DB.withSession(start)
      return {
        prepare: (text: string) => session.prepare(text),
        getBookmark: () => session.getBookmark(),
        async batch(statements: D1PreparedStatement[]) {
          const answers = await session.batch(statements)
          if (isFirst) {
            isFirst = false
            await archiveNext({ db: openDatabase(env.DB), archive: env.ARCHIVE, bounds }, scope, TOMORROW_MS)
          }
          return answers
        },
      }
    },
  } as unknown as D1Database
  for (const limit of [100, 4, 6]) {
    isFirst = true
    const page = await eventLog(between, scope, env.ARCHIVE).list({ order: 'desc', afterId: null, limit })
    expect(page?.events).toEqual(before?.slice(0, limit))
  }
})

it.each([0, 1, 2, 3])('has nothing of a customer that is erased before its call %s of D1', async (at) => {
  const scope = await insertTenant()
  const who = `jane${crypto.randomUUID().slice(0, 8)}`
  const { id } = await create(scope, { externalId: who, name: who })
  await commit(scope, { kind: 'update', target: { id }, changes: { name: `${who} again` }, ifVersion: null })
  const erase = () => commit(scope, { kind: 'erase', target: { id }, ifVersion: null })
  const deps = { db: openDatabase(interrupted(at, erase)), archive: env.ARCHIVE, bounds }
  await archiveNext(deps, scope, TOMORROW_MS)
  expect(JSON.stringify(await listed(scope))).not.toContain(who)
  await archiveAll(scope)
  const events = await listed(scope)
  expect(events?.map(({ type, after }) => [type, after?.externalId])).toEqual(
    ['customer.erased', 'customer.updated', 'customer.created'].map((type) => [type, id]),
  )
  await mergeRemovedWords()
  expect(await everythingStored([])).not.toContain(who)
  expect(
    await env.DB.prepare('SELECT archive_key FROM customers WHERE id = ?').bind(id).first('archive_key'),
  ).toBeNull()
})
