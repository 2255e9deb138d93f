/**
 * Requests that may be sent again, whatever they change. The answer of the first is kept in the batch of its change, so that
 * either is there with the other; of several at once the unique key of that row lets one through and rolls the others back.
 * Whoever repeats gets that answer. Of the changes of customers the gate knows by itself (`storage/idempotency-records.ts`).
 */
import { type Failure, isDefinite, Refused } from './failures.ts'

/**
 * What makes a request safe to send twice: what it is known again by, and a way to keep its answer that only a repeat of it
 * can read.
 */
export interface Repeatable {
  /** Hash of the caller's idempotency key. */
  key: string
  /** Hash of the request. */
  fingerprint: string
  seal(answer: object): Promise<string>
  /** Only for what was sealed under the same key for the same request. */
  open(sealed: string): Promise<unknown>
  /** Set when the answer turns out to be the one that an earlier request was given. */
  replayed: boolean
}

/** An answer as it is kept. */
export interface KeptAnswer {
  key: string
  fingerprint: string
  /** Whose policy has to be in force before the answer is given again; null for none. */
  tenantId: string | null
  sealed: string
  keptAtMs: number
}

/** What the store throws, having changed nothing, when there is an answer under the key already. */
export class AnsweredBefore extends Error {}

/** Where answers are kept for a day. */
export interface AnswerStore {
  /** What is kept under the key at this time. */
  keptAnswer(key: string, nowMs: number): Promise<KeptAnswer | null>
  /** Keeps an answer that came with no change. */
  keepAnswer(kept: KeptAnswer): Promise<void>
}

interface OnceDeps {
  store: AnswerStore
  clock(): number
  /** Before an answer is told again: the first request may have died on the way to what it says. */
  beforeReplay?(kept: KeptAnswer): Promise<void>
}

const RETRY_AFTER_MS = 1_000

/** What goes into the batch of a change, for what it is going to make. */
export type Keep<Made> = (tenantId: string | null, made: Made) => Promise<KeptAnswer | null>

/** What is sealed: what was made, or why nothing was. */
type Answer<Made> = { made: Made } | { failure: Failure }

/**
 * Makes a change, or answers what it made when it was asked for the first time. `change` hands what `keep` gives it to the
 * store. What was made has to survive JSON.
 */
export async function onceOnly<Made>(
  deps: OnceDeps,
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

/** Keeps what is known only when it is done, and answers it. Whoever dies before has it done again: once more must do no harm. */
export async function keptAfterwards<Made>(store: AnswerStore, keep: Keep<Made>, made: Made): Promise<Made> {
  const answer = await keep(null, made)
  if (answer) await store.keepAnswer(answer)
  return made
}

/** Another request with the key was quicker. */
async function replayOther<Made>(deps: OnceDeps, repeatable: Repeatable): Promise<Made> {
  const kept = await deps.store.keptAnswer(repeatable.key, deps.clock())
  // Forgotten at this very moment: a repeat is the first again.
  if (!kept) throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  return replay(deps, repeatable, kept)
}

async function replay<Made>(deps: OnceDeps, repeatable: Repeatable, kept: KeptAnswer): Promise<Made> {
  if (kept.fingerprint !== repeatable.fingerprint) throw new Refused({ reason: 'idempotency_mismatch' })
  const answer = (await repeatable.open(kept.sealed)) as Answer<Made>
  await deps.beforeReplay?.(kept)
  repeatable.replayed = true
  if ('failure' in answer) throw new Refused(answer.failure)
  return answer.made
}
