/**
 * The composition of the sweeps. The cron sweeps the directory, and lets the queue sweep the other databases: each has an invocation
 * of its own, with all the queries that one may make, and none waits for another.
 */
import { readEnv } from '../env.ts'
import { sweepMessage } from '../events/messages.ts'
import { gateNameOf } from '../gate/isolate/deps.ts'
import type { Mode } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { describeError, log } from '../shared/log.ts'
import { sweepArchive } from '../storage/archive/sweep.ts'
import { sweepErasures } from '../storage/customers/erasures.ts'
import { sweepMerges } from '../storage/customers/merge-retention.ts'
import { sweepRemovedWords } from '../storage/customers/removed-words.ts'
import { logDatabaseSize } from '../storage/database-size.ts'
import { sweepErrorCounts } from '../storage/error-counts.ts'
import { sweepOldRecords } from '../storage/events/retention.ts'
import { sweepIdempotencyRecords } from '../storage/idempotency/records.ts'
import { copyOperators } from '../storage/operators/copies.ts'
import { sweepOperatorSessions } from '../storage/operators/sessions.ts'
import { sweepDeletedTenants } from '../storage/tenants/deletions.ts'
import { boundAt } from '../storage/tenants/placement.ts'
import { resealSecrets } from '../storage/webhooks/reseal.ts'
import { resumeMoves } from './moves.ts'
import { sweepOnboarding } from './onboarding.ts'
import { sweepWebhooks, vaultOf } from './webhooks.ts'

/** Runs all sweeps of the directory, and sends for those of the other databases. A sweep that fails is logged and does not stop the others. */
export async function sweepAll(env: Cloudflare.Env): Promise<void> {
  const { directory, databases, outbox } = readEnv(env)
  const nowMs = systemClock()
  const others = databases.slice(1).map((_, at) => sweepMessage(at + 1))
  await settled([
    others.length > 0 ? outbox.sendBatch(others.map((body) => ({ body }))) : null,
    ...sweepsOf(env, 0, nowMs),
    sweepErrorCounts(directory, nowMs),
    deleteRestOfTenants(env),
    sweepOperatorSessions(directory, nowMs),
    copyOperators(databases),
    resumeMoves(env),
  ])
}

/** Runs the sweeps of a database other than the directory. */
export function sweepDatabase(env: Cloudflare.Env, number: number): Promise<void> {
  return settled(sweepsOf(env, number, systemClock()))
}

/** Goes on with deleting what is left of deleted tenants. */
export function deleteRestOfTenants(env: Cloudflare.Env): Promise<void> {
  const { databases, cache, archive, gateAt } = readEnv(env)
  const forgetGate = (tenantId: string, mode: Mode) => gateAt(gateNameOf({ tenantId, mode })).forget()
  return sweepDeletedTenants({ databases, kv: cache, archive, forgetGate }, systemClock())
}

function sweepsOf(env: Cloudflare.Env, number: number, nowMs: number): Promise<unknown>[] {
  const { databases, cache, archive, eventDaysInD1: eventDays } = readEnv(env)
  const d1 = boundAt(databases, number)
  return [
    sweepIdempotencyRecords(d1, nowMs),
    sweepErasures(d1, cache, nowMs),
    sweepMerges(d1, nowMs),
    sweepRemovedWords(d1, nowMs),
    sweepOldRecords(d1, nowMs),
    sweepArchive({ d1, archive, eventDays }, nowMs),
    logDatabaseSize(d1, number, nowMs),
    sweepWebhooks(env, d1, nowMs),
    resealSecrets(d1, vaultOf(env)),
    sweepOnboarding(env, d1, nowMs),
  ]
}

async function settled(sweeps: readonly (Promise<unknown> | null)[]): Promise<void> {
  for (const sweep of await Promise.allSettled(sweeps)) {
    if (sweep.status === 'rejected') log('error', { event: 'sweep_failed', error: describeError(sweep.reason) })
  }
}
