/** Tests how an isolate sends a chunk until it is done: it waits for all permits at once that the gate reports as missing. */
import { expect, it } from 'vitest'
import { sendChunk } from '../../../src/gate/isolate/importer.ts'
import type { ImportReply, ImportRequest } from '../../../src/gate/protocol/imports.ts'

const CHUNK = { lines: [], permits: 2, dryRun: false, assumed: [] }
const SENDER = { credential: 'c', caller: null, requestId: 'r', reason: null, isolate: 'isolate' }
const limits = {} as ImportReply['limits']

function lacking(permitsPaid: number, permits?: number): ImportReply {
  const failure = { reason: 'rate_limited', retryAfterMs: 100 } as const
  return { ok: false, failure, limits, permitsPaid, ...(permits !== undefined && { permits }) }
}

async function sent(replies: ImportReply[]) {
  const requests: Pick<ImportRequest, 'permits' | 'permitsPaid'>[] = []
  const slept: number[] = []
  await sendChunk(CHUNK, SENDER, {
    clock: () => 0,
    sleep: async (ms) => void slept.push(ms),
    waitUntil: () => undefined,
    onStorageFailure: () => ({ reason: 'unavailable', retryAfterMs: 1_000 }),
    importChunk: async ({ permits, permitsPaid }) => {
      requests.push({ permits, permitsPaid })
      const reply = replies[requests.length - 1]
      if (!reply) throw new Error('there is no further reply')
      return reply
    },
  })
  return { requests, slept }
}

const DONE: ImportReply = { ok: true, outcomes: [], actor: 'a', written: null, limits, permitsPaid: 9 }

it('requests the real cost of the chunk, and waits for all missing permits', async () => {
  const { requests, slept } = await sent([lacking(1), lacking(3, 9), DONE])
  expect(requests).toEqual([
    { permits: 2, permitsPaid: 0 },
    { permits: 2, permitsPaid: 1 },
    { permits: 9, permitsPaid: 3 },
  ])
  expect(slept).toEqual([100, 600])
})
