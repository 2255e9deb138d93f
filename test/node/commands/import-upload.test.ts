/**
 * Tests how the import command sends a file: in requests of a bounded size, each line reported once and in order, wherever a
 * request breaks off. The server stands in for Roster and breaks off where a test needs it; import.test.ts runs the whole command.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SentLine, type Upload, upload } from '../../../scripts/import-upload.ts'

interface Received {
  bytes: number
  lines: string[]
}

let server: Server
let url: URL
let received: Received[]
/** Decides the end of the nth request, counted from 0. Null: every line gets a result. */
let trouble: (nth: number) => { answered: number } | { status: number; body?: string } | null

beforeEach(async () => {
  received = []
  trouble = () => null
  server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/customers/import`)
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const seen: Received = { bytes: 0, lines: [] }
  const met = trouble(received.push(seen) - 1)
  if (met && 'status' in met) {
    response.writeHead(met.status).end(met.body)
    return
  }
  const { socket } = request
  let text = ''
  try {
    for await (const chunk of request) {
      seen.bytes += chunk.length
      const parts = (text + chunk).split('\n')
      text = parts.pop() ?? ''
      for (const line of parts) {
        if (met && seen.lines.length === met.answered) {
          // Sends what was written before the connection breaks.
          socket.destroySoon()
          return
        }
        seen.lines.push(line)
        const result = { line: seen.lines.length, result: 'created', external_id: line, errors: [] }
        response.write(`${JSON.stringify(result)}\n`)
      }
    }
    response.end()
  } catch {
    response.destroy()
  }
}

/** Sends the texts. Returns the lines that were reported, in their order. */
async function send(texts: string[], options: Partial<Upload<SentLine>> = {}) {
  const reported: string[] = []
  const waits: number[] = []
  let parts = 0
  async function* lines() {
    for (const text of texts) yield { text }
  }
  const end = await upload({
    url,
    headers: { authorization: 'Bearer key' },
    lines: lines(),
    onResult: (_, { text }) => void reported.push(text),
    onPart: () => void parts++,
    wait: async (ms) => void waits.push(ms),
    ...options,
  })
  return { end, reported, waits, parts }
}

const line = (at: number, length = 10) => `${at}:`.padEnd(length, 'x')

describe('a file', () => {
  it('is sent in requests within the bound, cut between lines, and reports each line once', async () => {
    const sizes = fc.array(fc.integer({ min: 4, max: 60 }), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        async (lengths, partBytesMax, isGathered) => {
          received = []
          const texts = lengths.map((length, at) => line(at, length))
          const { end, reported, parts } = await send(texts, { partBytesMax, isGathered })
          expect([end, reported]).toEqual([{ kind: 'done' }, texts])
          expect(received.flatMap(({ lines }) => lines)).toEqual(texts)
          for (const { bytes, lines } of received) if (lines.length > 1) expect(bytes).toBeLessThanOrEqual(partBytesMax)
          // The first line of a part would not have fitted into the part before.
          for (const [at, { lines }] of received.slice(1).entries()) {
            const first = (lines[0]?.length ?? 0) + 1
            expect((received[at]?.bytes ?? 0) + first).toBeGreaterThan(partBytesMax)
          }
          expect(parts).toBe(received.length - 1)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('continues from the first line without a result, wherever it breaks off in any part', async () => {
    const texts = Array.from({ length: 40 }, (_, at) => line(at))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { maxLength: 6 }),
        fc.integer({ min: 11, max: 200 }),
        fc.boolean(),
        async (breaks, partBytesMax, isGathered) => {
          received = []
          trouble = (nth) => {
            const answered = breaks[nth] ?? null
            // Never so often that the command gives up.
            return answered === null || nth % 3 === 2 ? null : { answered }
          }
          const { end, reported } = await send(texts, { partBytesMax, isGathered })
          expect([end, reported]).toEqual([{ kind: 'done' }, texts])
        },
      ),
      { numRuns: 30 },
    )
  })

  it('ends at the next result when the caller stops it, and sends nothing more', async () => {
    const stop = new AbortController()
    const reported: string[] = []
    const { end } = await send([line(1), line(2), line(3)], {
      partBytesMax: 11,
      signal: stop.signal,
      onResult: (_, { text }) => {
        reported.push(text)
        stop.abort()
      },
    })
    expect([end, reported]).toEqual([{ kind: 'stopped', message: 'You stopped it' }, [line(1)]])
    expect(received).toHaveLength(1)
  })

  it('sends an empty file in one request, and rejects when the file cannot be read', async () => {
    expect((await send([])).end).toEqual({ kind: 'done' })
    expect(received).toHaveLength(1)
    async function* lines(): AsyncGenerator<SentLine> {
      yield { text: '1' }
      throw new Error('line 2 is no CSV')
    }
    await expect(send([], { lines: lines() })).rejects.toThrow('line 2 is no CSV')
  })
})

describe('a refusal', () => {
  it('explains 413, and does not repeat the request', async () => {
    trouble = () => ({ status: 413, body: '<html>413</html>' })
    const { end } = await send([line(1)])
    expect(end).toMatchObject({ kind: 'stopped', message: expect.stringMatching(/50 MB.*413.*100 MB.*Allow 50 MB/) })
    expect(received).toHaveLength(1)
  })

  it.each([401, 403, 507])('reports the message of %i, and does not repeat the request', async (status) => {
    trouble = () => ({ status, body: '{"message": "No"}' })
    expect((await send([line(1)])).end).toEqual({ kind: 'stopped', message: `Roster answered ${status}: No` })
    expect(received).toHaveLength(1)
  })

  it.each([429, 500, 503])('sends five requests for %i, at growing intervals, then gives up', async (status) => {
    trouble = () => ({ status })
    const { end, waits } = await send([line(1)])
    expect(end).toEqual({ kind: 'gave_up', message: `Roster answered ${status}` })
    expect([received.length, waits]).toEqual([5, [1_000, 2_000, 3_000, 4_000]])
  })

  it('keeps the reported first part when the second is refused', async () => {
    trouble = (nth) => (nth === 1 ? { status: 403, body: '{"message": "The account is suspended"}' } : null)
    const texts = Array.from({ length: 6 }, (_, at) => line(at))
    const { end, reported } = await send(texts, { partBytesMax: 33 })
    expect([end.kind, reported]).toEqual(['stopped', texts.slice(0, 3)])
  })
})
