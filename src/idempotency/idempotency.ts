/**
 * Runs requests that may be repeated with the same Idempotency-Key. The first response is stored in the batch of the
 * change, so either both exist or neither does. The unique key of the record lets one of several concurrent requests
 * commit and rolls the others back. A repeat gets the first response. The gate itself handles repeats of customer
 * changes: see design/sealed-idempotency.md for the reason.
 */
import { type Failure, isDefinite, RegistryError, unavailable } from '../registry/errors.ts'
import type { Idempotency } from '../registry/ports.ts'

/** A request with an idempotency key, and the encryption of its response that only a repeat of the request can undo. */
export interface IdempotentRequest extends Idempotency {
  seal(answer: object): Promise<string>
  /**
   * Opens a response that was sealed under the same key for the same request. Throws `RegistryError` with
   * `idempotency_mismatch` if it cannot.
   */
  open(sealed: string): Promise<unknown>
  /** True if the response is the stored one of an earlier request. */
  replayed: boolean
}

/** A stored response: `key` and `fingerprint` are hashes, `sealed` is encrypted. */
export interface StoredResponse extends Idempotency {
  sealed: string
}

/** A response on its way into the store. */
export interface ResponseToStore extends StoredResponse {
  nowMs: number
}

/** The error that a store throws if the key has a stored response already. The store has changed nothing then. */
export class AlreadyStored extends Error {}

/** Keeps responses for a day, for one tenant and mode or for the operators. */
export interface ResponseStore {
  /** Returns the response that is stored under the key at `nowMs`, or null. */
  storedResponse(key: string, nowMs: number): Promise<StoredResponse | null>
  /** Stores a response without a change. Throws `AlreadyStored` if the key has a response already. */
  storeResponse(response: ResponseToStore): Promise<void>
}

interface IdempotencyDeps<Made> {
  store: ResponseStore
  clock(): number
  /**
   * Runs before the stored response to a change is returned again, because the first request may have died before its
   * change was in force.
   */
  beforeReplay?(made: Made): Promise<void>
}

/** Seals the result of a change for the batch of that change. Returns null when the request has no key. */
export type Keep<Made> = (made: Made) => Promise<ResponseToStore | null>

/** The content of `sealed`. */
type Answer<Made> = { made: Made } | { failure: Failure }

/**
 * Makes a change, or returns the result of the first request with the same key. `change` hands the result of `keep` to
 * its store. `Made` has to survive JSON.
 */
export async function withIdempotency<Made>(
  deps: IdempotencyDeps<Made>,
  idempotentRequest: IdempotentRequest | null,
  change: (keep: Keep<Made>) => Promise<Made>,
): Promise<Made> {
  if (!idempotentRequest) return change(async () => null)
  const known = await deps.store.storedResponse(idempotentRequest.key, deps.clock())
  if (known) return replay(deps, idempotentRequest, known)
  const toStore = async (answer: Answer<Made>): Promise<ResponseToStore> => {
    const { key, fingerprint } = idempotentRequest
    return { key, fingerprint, sealed: await idempotentRequest.seal(answer), nowMs: deps.clock() }
  }
  try {
    return await change((made) => toStore({ made }))
  } catch (error) {
    if (error instanceof AlreadyStored) return replayOther(deps, idempotentRequest)
    if (!(error instanceof RegistryError) || !isDefinite(error.failure)) throw error
    try {
      await deps.store.storeResponse(await toStore({ failure: error.failure }))
    } catch (late) {
      if (late instanceof AlreadyStored) return replayOther(deps, idempotentRequest)
      throw late
    }
    throw error
  }
}

/**
 * Stores the response after the operation has succeeded, and returns the result. If the Worker dies in between, a
 * repeat runs the operation again, so running it twice must do no harm.
 */
export async function storeResultAfter<Made>(store: ResponseStore, keep: Keep<Made>, made: Made): Promise<Made> {
  const response = await keep(made)
  if (response) await store.storeResponse(response)
  return made
}

/** Returns the stored response after another request with the same key was faster. */
async function replayOther<Made>(deps: IdempotencyDeps<Made>, idempotentRequest: IdempotentRequest): Promise<Made> {
  const stored = await deps.store.storedResponse(idempotentRequest.key, deps.clock())
  // The stored response has expired since. A repeat counts as a first request, so the caller should send one.
  if (!stored) throw unavailable()
  return replay(deps, idempotentRequest, stored)
}

async function replay<Made>(
  deps: IdempotencyDeps<Made>,
  idempotentRequest: IdempotentRequest,
  stored: StoredResponse,
): Promise<Made> {
  if (stored.fingerprint !== idempotentRequest.fingerprint) throw new RegistryError({ reason: 'idempotency_mismatch' })
  const answer = (await idempotentRequest.open(stored.sealed)) as Answer<Made>
  if ('made' in answer) await deps.beforeReplay?.(answer.made)
  idempotentRequest.replayed = true
  if ('failure' in answer) throw new RegistryError(answer.failure)
  return answer.made
}
