/** A move that is killed at each of its statements, before and after its effect, ends as one that nothing happened to. */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { continueMove } from '../../../src/composition/moves.ts'
import type { Ends } from '../../../src/storage/moves/marks.ts'
import { moveStore } from '../../../src/storage/moves/moves.ts'
import { isUnderWay, KEPT_MS, type Move, type MoveState } from '../../../src/tenants/moves/move.ts'
import { receive } from '../onboarding/support.ts'
import { call, newCustomer } from '../support/roster.ts'
import { tenantWithEverything } from '../tenants/full-tenant.ts'
import { killable } from './killable.ts'
import { countsOfTenant, expectNoMarks, rowsOfTenant, untilQuiet } from './moved.ts'
import { databases, directory, endsOf } from './support.ts'

const AUTHOR = { actor: 'admin', role: null, sessionId: null, requestId: null, reason: null }
const store = moveStore(directory)

beforeEach(() => receive(() => new Response('OK')))
afterEach(() => vi.restoreAllMocks())

/** Begins a move to the next database, which goes on only when the test says so. */
async function beginMove({ tenantId, moveId, to }: Ends, nowMs: number): Promise<void> {
  const begun = await store.begin({ tenantId, moveId, to: databases.indexOf(to), author: AUTHOR, nowMs })
  expect(begun.isNew).toBe(true)
}

/** Runs of a move, each in an invocation that dies at a statement of its choice. */
function runsOf(tenantId: string) {
  const deaths = killable(databases)
  const names = Object.fromEntries(deaths.databases.map((db, number) => [number === 0 ? 'DB' : `DB_${number}`, db]))
  let nowMs = Date.now()
  const outbox = {
    async send(_message: unknown, { delaySeconds = 0 } = {}) {
      nowMs += delaySeconds * 1_000
    },
  }
  const invocation = { ...env, ...names, OUTBOX: outbox } as unknown as Cloudflare.Env
  return {
    now: () => nowMs,
    kills: deaths.count,
    /** Runs until the move has ended, or `isEnough` says so before a run. */
    async until(isEnough: (move: Move) => boolean | Promise<boolean>): Promise<Move> {
      for (;;) {
        const move = (await store.get(tenantId)) as Move
        if (!isUnderWay(move.state) || (await isEnough(move))) return move
        deaths.revive(move.state)
        const wasKilled = await continueMove(invocation, tenantId, () => nowMs).then(
          () => false,
          () => true,
        )
        expect(wasKilled, 'a run fails only where it is killed').toBe(deaths.isDead())
        // A run that died holds its claim for thirty seconds.
        if (wasKilled) nowMs += 31_000
      }
    },
  }
}

it('moves everything, and leaves nothing behind', async () => {
  const tenant = await tenantWithEverything('Killed')
  const { tenantId } = tenant
  const ends = await endsOf(tenantId)
  const { from, to } = ends
  await beginMove(ends, Date.now())
  const runs = runsOf(tenantId)
  let original: Awaited<ReturnType<typeof rowsOfTenant>> | null = null
  const seen = new Set<MoveState>()
  const ended = await runs.until(async ({ state }) => {
    seen.add(state)
    if (runs.kills() > 20 && !original) {
      expect(state).toBe('copying')
      const { id } = await newCustomer(tenant.live.key, { external_id: 'made meanwhile' })
      await call('PATCH', `/v1/customers/${id}`, { key: tenant.live.key, body: { name: 'Changed meanwhile' } })
      await untilQuiet(from, tenantId)
      original = await rowsOfTenant(from, tenantId)
    }
    return false
  })
  expect([ended.state, ended.flippedAtMs !== null && runs.now() - ended.flippedAtMs >= KEPT_MS]).toEqual(['done', true])
  expect([...seen]).toEqual(['copying', 'catching_up', 'frozen', 'flipped', 'cleaning'])
  expect(runs.kills()).toBeGreaterThan(100)
  expect(await rowsOfTenant(to, tenantId)).toEqual(original)
  expect(await countsOfTenant(from, tenantId)).toEqual({})
  await expectNoMarks(databases)
  expect((await newCustomer(tenant.live.key)).id).toBeTypeOf('string')
})

it('takes back everything when it is aborted, and leaves nothing behind', async () => {
  const tenant = await tenantWithEverything('Aborted')
  const { tenantId } = tenant
  for (const at of ['copying', 'catching_up', 'frozen'] as const) {
    const runs = runsOf(tenantId)
    const ends = await endsOf(tenantId, `mov_${at}`)
    const { from, to } = ends
    await beginMove(ends, runs.now())
    await untilQuiet(from, tenantId)
    const original = await rowsOfTenant(from, tenantId)
    // As late as it can be: the last that a state does is killed.
    let isLast = false
    await runs.until(async ({ state }) => {
      isLast ||= state === at && runs.kills() > 0
      return isLast && state === at && (at !== 'frozen' || (await isFinished(ends)))
    })
    await store.abort(tenantId, AUTHOR, runs.now())
    expect((await runs.until(() => false)).state).toBe('aborted')
    expect(await countsOfTenant(to, tenantId)).toEqual({})
    expect(await rowsOfTenant(from, tenantId)).toEqual(original)
    await expectNoMarks(databases)
    await newCustomer(tenant.live.key)
  }
})

/** Whether the copy is the tenant's own, while the tenant is still where it was. */
async function isFinished({ to, tenantId }: Ends): Promise<boolean> {
  const mark = await to.prepare('SELECT 1 FROM arriving_tenants WHERE tenant_id = ?').bind(tenantId).first()
  return mark === null
}
