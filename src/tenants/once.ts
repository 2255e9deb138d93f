/**
 * Requests that may be sent again. The answer of the first is kept in the batch of its change, so that either is there with
 * the other; of several at once the unique key of that row lets one through and rolls the others back. Whoever repeats gets
 * that answer, once what it says is in force: the first may have died on the way there.
 */
import { type Failure, Refused } from '../registry/failures.ts'
import { bringInForce } from './in-force.ts'
import { AnsweredBefore, type KeptAnswer, type Repeatable, type TenantDeps } from './ports.ts'

const RETRY_AFTER_MS = 1_000

/** What goes into the batch of a change, for what it is going to make. */
export type Keep<Made> = (tenantId: string | null, made: Made) => Promise<KeptAnswer | null>

/** What is sealed: what was made, or why nothing was. */
type Answer<Made> = { made: Made } | { failure: Failure }

/**
 * Makes a change, or answers what it made when it was asked for the first time. `change` hands what `keep` gives it to the
 * store. What was made has to survive JSON.
 */
export async function once<Made>(
  deps: TenantDeps,
  repeatable: Repeatable | null,
  change: (keep: Keep<Made>) => Promise<Made>,
): Promise<Made> {
  if (!repeatable) return change(async () => null)
  const known = await deps.store.keptAnswer(repeatable.key, deps.clock())
  if (known) return replay(deps, repeatable, known)
  const keep = async (tenantId: string | null, answer: Answer<Made>): Promise<KeptAnswer> => {
    const { key, fingerprint } = repeatable
    return { key, fingerprint, tenantId, sealed: await repeatable.seal(answer), keptAtMs: deps.clock() }
  }
  try {
    return await change((tenantId, made) => keep(tenantId, { made }))
  } catch (error) {
    if (error instanceof AnsweredBefore) return replayOther(deps, repeatable)
    if (!(error instanceof Refused) || !isDefinite(error.failure)) throw error
    try {
      await deps.store.keepAnswer(await keep(null, { failure: error.failure }))
    } catch (late) {
      if (late instanceof AnsweredBefore) return replayOther(deps, repeatable)
      throw late
    }
    throw error
  }
}

/** Another request with the key was quicker. */
async function replayOther<Made>(deps: TenantDeps, repeatable: Repeatable): Promise<Made> {
  const kept = await deps.store.keptAnswer(repeatable.key, deps.clock())
  // Forgotten at this very moment: a repeat is the first again.
  if (!kept) throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  return replay(deps, repeatable, kept)
}

async function replay<Made>(deps: TenantDeps, repeatable: Repeatable, kept: KeptAnswer): Promise<Made> {
  if (kept.fingerprint !== repeatable.fingerprint) throw new Refused({ reason: 'idempotency_mismatch' })
  const answer = (await repeatable.open(kept.sealed)) as Answer<Made>
  if (kept.tenantId !== null) {
    const tenant = await deps.store.get(kept.tenantId)
    if (tenant) await bringInForce(deps, tenant)
  }
  repeatable.replayed = true
  if ('failure' in answer) throw new Refused(answer.failure)
  return answer.made
}

/** Whether a failure is the answer for good: the others may go well the next time. */
function isDefinite({ reason }: Failure): boolean {
  return reason !== 'unavailable' && reason !== 'internal'
}
