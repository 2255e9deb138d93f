/** The composition of turns for heavy reads. */
import { gateNameOf } from '../gate/isolate/deps.ts'
import { type InTurn, inTurn, type TurnPorts, turnsFor } from '../gate/isolate/turns.ts'
import type { RunsAt } from '../http/services.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { sleep } from '../shared/sleep.ts'

/** Returns what runs a read that looks at many rows to find some after those of other requests of this tenant and mode. */
export function heavyReadsOf(at: Pick<RunsAt, 'executionCtx'>, scope: Scope): InTurn {
  const ports: TurnPorts = { clock: systemClock, sleep, waitUntil: (work) => at.executionCtx.waitUntil(work) }
  return (piece) => inTurn(turnsFor(gateNameOf(scope)), piece, ports)
}
