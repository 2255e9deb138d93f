/**
 * The isolate's side of an import: sends one chunk to the gate until it is done. Waits where permits are lacking, which the
 * gate never does, and sends again what broke off: a chunk that went in all the same is found to be there.
 */
import type { ImportChunk, ImportOutcome } from '../registry/bulk.ts'
import { Refused } from '../registry/failures.ts'
import type { ImportReply, ImportRequest } from './import-protocol.ts'

/** A gate that fails this often is away. */
const ATTEMPTS_MAX = 4
const RETRY_MS = 250
/** Permits that come one by one are waited for together: each look costs the gate a call. */
const WAIT_MIN_MS = 50

export interface EdgeImportPorts {
  sleep(ms: number): Promise<unknown>
  waitUntil(work: Promise<unknown>): void
  importChunk(request: ImportRequest): Promise<ImportReply>
  onStorageFailure(error: unknown): void
}

export async function sendChunk(
  chunk: ImportChunk,
  sender: Pick<ImportRequest, 'credential' | 'caller' | 'requestId' | 'reason'>,
  ports: EdgeImportPorts,
): Promise<ImportReply> {
  let permitsPaid = 0
  for (let attempt = 1; ; ) {
    const work = ports.importChunk({ ...chunk, ...sender, permitsPaid })
    // A caller that goes away must not leave half a chunk.
    ports.waitUntil(work.catch(() => undefined))
    try {
      const reply = await work
      permitsPaid = reply.permitsPaid
      if (reply.ok || reply.failure.reason !== 'rate_limited') return reply
      const missing = Math.max(1, chunk.permits - permitsPaid)
      await ports.sleep(Math.max(WAIT_MIN_MS, reply.failure.retryAfterMs * missing))
    } catch (error) {
      ports.onStorageFailure(error)
      if (attempt++ === ATTEMPTS_MAX) throw new Refused({ reason: 'unavailable', retryAfterMs: 1_000 })
      await ports.sleep(RETRY_MS * attempt)
    }
  }
}

/** How many lines had which result. */
export function countsOf(outcomes: readonly ImportOutcome[]): Record<ImportOutcome['result'], number> {
  const counts = { created: 0, updated: 0, unchanged: 0, error: 0 }
  for (const { result } of outcomes) counts[result]++
  return counts
}
