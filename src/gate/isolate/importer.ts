/**
 * The isolate's side of an import: sends one chunk to the gate until it is done. Waits when permits are lacking, which
 * the gate never does, and sends a chunk again after an error: if the chunk was committed all the same, the gate finds
 * its customers.
 */
import type { ImportChunk, ImportOutcome } from '../../registry/bulk.ts'
import { type Failure, RegistryError } from '../../registry/errors.ts'
import type { UndoChunk } from '../../registry/undo.ts'
import type { Sleep } from '../../shared/sleep.ts'
import type { ImportReply, ImportRequest } from '../protocol/imports.ts'
import type { UndoReply, UndoRequest } from '../protocol/undo.ts'
import type { Sending } from '../protocol/writes.ts'

/** A gate that fails this often counts as unavailable. */
const IMPORT_ATTEMPTS_MAX = 4
const RETRY_MS = 250
/** Waits for several permits together, because each attempt costs the gate a call. */
const WAIT_MIN_MS = 50

interface ChunkPorts {
  clock(): number
  sleep: Sleep
  waitUntil(work: Promise<unknown>): void
  onStorageFailure(error: unknown): Failure
}

export interface ImportPorts extends ChunkPorts {
  importChunk(request: ImportRequest): Promise<ImportReply>
}

export interface UndoPorts extends ChunkPorts {
  undoChunk(request: UndoRequest): Promise<UndoReply>
}

export function sendChunk(
  chunk: ImportChunk,
  sender: Sending & Pick<ImportRequest, 'isolate'>,
  ports: ImportPorts,
): Promise<ImportReply> {
  return sendUntilDone((paid) => ports.importChunk({ ...chunk, ...sender, ...paid }), chunk.permits, ports)
}

/** Sends one chunk of an undo in the same way: what is done by then, the gate finds unchanged. */
export function sendUndoChunk(
  chunk: UndoChunk,
  sender: Sending & Pick<UndoRequest, 'isolate'>,
  ports: UndoPorts,
): Promise<UndoReply> {
  return sendUntilDone((paid) => ports.undoChunk({ ...chunk, ...sender, ...paid }), 1, ports)
}

interface Paid {
  sentAtMs: number
  permits: number
  permitsPaid: number
}

async function sendUntilDone<
  Reply extends { permitsPaid: number } & ({ ok: true } | { ok: false; failure: Failure; permits?: number }),
>(send: (paid: Paid) => Promise<Reply>, permitsMin: number, ports: ChunkPorts): Promise<Reply> {
  let permitsPaid = 0
  let permits = permitsMin
  for (let attempt = 1; ; ) {
    const work = send({ sentAtMs: ports.clock(), permits, permitsPaid })
    // A chunk must not be left half done when the caller disconnects.
    ports.waitUntil(work.catch(() => undefined))
    try {
      const reply = await work
      permitsPaid = reply.permitsPaid
      if (reply.ok || reply.failure.reason !== 'rate_limited') return reply
      permits = Math.max(permits, reply.permits ?? 0)
      const missing = Math.max(1, permits - permitsPaid)
      await ports.sleep(Math.max(WAIT_MIN_MS, reply.failure.retryAfterMs * missing))
    } catch (error) {
      const failure = ports.onStorageFailure(error)
      if (attempt++ === IMPORT_ATTEMPTS_MAX) throw new RegistryError(failure)
      await ports.sleep(RETRY_MS * attempt)
    }
  }
}

/** Returns the number of lines for each result. */
export function countsOf(outcomes: readonly ImportOutcome[]): Record<ImportOutcome['result'], number> {
  const counts = { created: 0, updated: 0, unchanged: 0, error: 0 }
  for (const { result } of outcomes) counts[result]++
  return counts
}
