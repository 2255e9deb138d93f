/** Lets moves of tenants go on: by messages of the queue, of which each run sends the next, and by the sweep when one is lost. */
import { readEnv } from '../env.ts'
import { moveMessage } from '../events/messages.ts'
import { gateNameOf } from '../gate/isolate/deps.ts'
import { systemClock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { sleep } from '../shared/sleep.ts'
import { moveDatabases } from '../storage/moves/databases.ts'
import { moveStore } from '../storage/moves/moves.ts'
import { copyTenant } from '../storage/tenants/placement.ts'
import { tenantStore } from '../storage/tenants/tenants.ts'
import { bringInForce } from '../tenants/in-force.ts'
import type { MoveOperationDeps } from '../tenants/moves/operations.ts'
import { runMove } from '../tenants/moves/run.ts'
import type { Author } from '../tenants/ports.ts'

const ROSTER: Author = { actor: 'roster', role: null, sessionId: null, requestId: null, reason: null }

export function moveOperationDeps(env: Cloudflare.Env, author: Author): MoveOperationDeps {
  const { directory, databases } = readEnv(env)
  return {
    store: moveStore(directory),
    author,
    databases: databases.length,
    clock: systemClock,
    newId,
    resume: (tenantId) => resume(env, tenantId),
  }
}

/** Does the next steps of a move, and sends for those after them. */
export async function continueMove(env: Cloudflare.Env, tenantId: string, clock = systemClock): Promise<void> {
  const { directory, databases, gateAt } = readEnv(env)
  const tenants = tenantStore(databases, ROSTER)
  const delayMs = await runMove(
    {
      store: moveStore(directory),
      databasesOf: (move) => moveDatabases(databases, move),
      async bringInForce(id) {
        const tenant = await tenants.get(id)
        if (!tenant) return
        const reload = (_: string, mode: 'live' | 'test') =>
          gateAt(gateNameOf({ tenantId: id, mode })).reload(systemClock())
        await bringInForce(
          { store: tenants, gates: { reload }, copyToDatabase: () => copyTenant(databases, id), sleep },
          tenant,
        )
      },
      clock,
    },
    tenantId,
  )
  if (delayMs !== null) await resume(env, tenantId, delayMs)
}

/** Sends messages for moves whose run has died or was never begun. */
export async function resumeMoves(env: Cloudflare.Env): Promise<void> {
  const { directory, databases } = readEnv(env)
  if (databases.length === 1) return
  for (const tenantId of await moveStore(directory).idle(systemClock())) await resume(env, tenantId)
}

/** Never rejects: the sweep sends a missing message. */
async function resume(env: Cloudflare.Env, tenantId: string, delayMs = 0): Promise<void> {
  try {
    await readEnv(env).outbox.send(moveMessage(tenantId), { delaySeconds: Math.ceil(delayMs / 1_000) })
  } catch (error) {
    log('error', { event: 'not_enqueued', error: describeError(error), tenantId })
  }
}
