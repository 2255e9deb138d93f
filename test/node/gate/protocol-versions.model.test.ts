/**
 * Gates and isolates of two versions of the protocol side by side: what a deployment and a rollback are. The first
 * version is the source as it is, which knows nothing of the second.
 */
import { describe, expect, it } from 'vitest'
import * as one from './core.ts'
import { Agenda, seeded } from './discrete-events.ts'
import { DurableStore } from './durable-store.ts'
import { loadCore } from './mutated-core.ts'
import { runPermits } from './permits-model.ts'
import { NOON_MS, policyOf } from './samples.ts'
import { VERSION_TWO, VERSION_TWO_ALONE } from './version-two.ts'

type Core = typeof one

const ROLL_EVERY_MS = 4_000
const REQUEST_EVERY_MS = 10
const ONE_WAY_MS = 5

/**
 * Four isolates, each of one of the cores in turn, and a gate that starts again with the next one every four seconds.
 */
function roll(gates: readonly Core[], isolates: readonly Core[]) {
  const agenda = new Agenda()
  agenda.nowMs = NOON_MS
  const dice = seeded(1)
  const store = new DurableStore()
  const start = (core: Core) => new core.GateCore(store.open(), dice, agenda.nowMs)
  let gate = start(gates[0] as Core)
  gate.setPolicy(policyOf({ ratePerSecond: 1_000, burst: 2_000 }), [], agenda.nowMs)
  for (const [at, core] of gates.entries()) {
    agenda.at(NOON_MS + at * ROLL_EVERY_MS, () => {
      gate = start(core)
    })
  }
  const endMs = NOON_MS + gates.length * ROLL_EVERY_MS
  const seen = { longestMs: 0, unavailable: 0, refusedVersions: 0, admitted: 0 }
  for (let index = 0; index < 4; index++) {
    const core = isolates[index % isolates.length] as Core
    const state = new core.LeaseState(`isolate-${index}`)
    let lastMs = NOON_MS
    const ask = () => {
      const sentAtMs = agenda.nowMs
      const request = core.nextRequest(state, sentAtMs, 1)
      agenda.at(sentAtMs + ONE_WAY_MS, () => {
        const reply = gate.lease(request, agenda.nowMs)
        if (reply.kind === 'other_version') seen.refusedVersions++
        agenda.at(agenda.nowMs + ONE_WAY_MS, () => core.absorb(state, reply, sentAtMs, agenda.nowMs, dice()))
      })
    }
    const request = () => {
      const decision = core.admit(state, agenda.nowMs, null)
      if (decision === 'admitted') {
        seen.longestMs = Math.max(seen.longestMs, agenda.nowMs - lastMs)
        lastMs = agenda.nowMs
        seen.admitted++
      }
      if (decision === 'unavailable') seen.unavailable++
      const needsLease = decision === 'needs_lease' || core.shouldRenew(state, agenda.nowMs)
      if (needsLease && !core.isRequesting(state, agenda.nowMs)) ask()
      if (agenda.nowMs < endMs) agenda.at(agenda.nowMs + REQUEST_EVERY_MS, request)
      else seen.longestMs = Math.max(seen.longestMs, agenda.nowMs - lastMs)
    }
    agenda.at(NOON_MS + index, request)
  }
  while (agenda.step());
  return seen
}

describe('two versions of the protocol', () => {
  it('roll forward and back, and cost a busy tenant no more than a restart does', async () => {
    const two = await loadCore(VERSION_TWO)
    const usual = roll([one, one, one, one], [one])
    const mixed = roll([one, two, one, two], [one, two])
    expect(mixed.unavailable).toBe(0)
    expect(mixed.longestMs).toBeLessThanOrEqual(usual.longestMs + 100)
    expect(mixed.longestMs).toBeLessThanOrEqual(1_000)
    expect(mixed.admitted).toBeGreaterThan(0.9 * usual.admitted)
    // Each of the two newer isolates is refused at most twice per start: its first request, and one that was under way.
    expect(mixed.refusedVersions).toBeGreaterThan(0)
    expect(mixed.refusedVersions).toBeLessThanOrEqual(8)
  })

  it('would be refused for seconds if the newer one did not know the older', async () => {
    const alone = await loadCore(VERSION_TWO_ALONE)
    const { unavailable, longestMs } = roll([one, alone, one, alone], [one, alone])
    expect(unavailable).toBeGreaterThan(100)
    expect(longestMs).toBeGreaterThan(3_000)
  })

  it('keep every promise under faults', async () => {
    const cores = [one, await loadCore(VERSION_TWO)]
    let restarts = 0
    for (let seed = 1; seed <= 60; seed++) {
      const run = runPermits(cores, seed)
      expect(run.violations, `seed ${seed}`).toEqual([])
      restarts += run.restarts
    }
    expect(restarts).toBeGreaterThan(100)
  })

  it.each([
    { gate: 1, isolate: 1, messages: [1] },
    { gate: 1, isolate: 2, messages: [2, 1, 1] },
    { gate: 2, isolate: 1, messages: [1, 1] },
    { gate: 2, isolate: 2, messages: [2, 2] },
  ])('execute at gate version $gate what isolate version $isolate writes', async ({ gate, isolate, messages }) => {
    const cores = [one, await loadCore(VERSION_TWO)]
    const [here, there] = [cores[isolate - 1] as Core, cores[gate - 1] as Core]
    const received: { v: number }[] = []
    const gateVersion = { gateVersion: isolate }
    // Does what TenantGate.write does, with a writer that returns by whom and why.
    const call = async (message: { v: number }) => {
      received.push(message)
      const request = there.readRequest('write', message)
      if (!request) return there.otherVersion(message)
      const { reason, why } = request as { reason?: string; why?: string }
      const reply = gate === 1 ? { ok: true, actor: reason } : { ok: true, author: why }
      return there.writeReply('write', there.versioned(reply) as never, message.v)
    }
    const request = isolate === 1 ? { reason: 'because' } : { why: 'because' }
    for (let times = messages.length > 1 ? 2 : 1; times > 0; times--) {
      const reply = await here.callGate('write', here.versioned(request) as never, gateVersion, call)
      expect(reply).toEqual({ v: isolate, ok: true, [isolate === 1 ? 'actor' : 'author']: 'because' })
    }
    expect(received.map(({ v }) => v)).toEqual(messages)
  })

  it('refuse each other, with a reason, if they are no neighbours', async () => {
    const alone = await loadCore(VERSION_TWO_ALONE)
    const call = async (message: { v: number }) => alone.otherVersion(message)
    await expect(one.callGate('write', one.versioned({}) as never, { gateVersion: 1 }, call)).rejects.toThrow(
      'the gate speaks version 2 of the protocol, and this is version 1',
    )
  })
})
