/**
 * An invocation may have 10,000 timers, abandoned ones included. Every wait with a limit ends its timer when it is done,
 * and an import has one at a time however many reads its upload takes.
 */
import { afterEach, expect, it, vi } from 'vitest'
import { LineChunks } from '../../../src/apis/v1/customers/import-lines.ts'
import { RequestServices } from '../../../src/composition/request-services.ts'
import { FileLines } from '../../../src/formats/files/lines.ts'
import { admitAt, leaseHolderFor } from '../../../src/gate/isolate/admission.ts'
import { IoTimes } from '../../../src/observability/io-times.ts'
import { importPermits } from '../../../src/registry/bulk.ts'
import { sleep, within } from '../../../src/shared/sleep.ts'
import { call, newTenant } from '../support/roster.ts'
import { importLines, importStream, readResults } from './support.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** One timer an isolate, whatever the requests: it writes the counts of requests. */
const COUNTS_WRITTEN_AFTER_MS = 5_000

/** Counts the timers that run, and the most at once. */
function countedTimers(): { live: number; most: number; made: number } {
  const timers = { live: 0, most: 0, made: 0 }
  const [set, clear, wait] = [setTimeout, clearTimeout, scheduler.wait.bind(scheduler)]
  const running = new Set<unknown>()
  const begin = () => {
    timers.made++
    timers.live++
    timers.most = Math.max(timers.most, timers.live)
  }
  vi.spyOn(scheduler, 'wait').mockImplementation(async (ms, options) => {
    if (ms === COUNTS_WRITTEN_AFTER_MS) return wait(ms, options)
    begin()
    await wait(ms, options)
    timers.live--
  })
  const end = (timer: unknown) => {
    if (running.delete(timer)) timers.live--
  }
  vi.stubGlobal('setTimeout', (work: () => void, ms: number) => {
    begin()
    const timer = set(() => {
      end(timer)
      work()
    }, ms)
    running.add(timer)
    return timer
  })
  vi.stubGlobal('clearTimeout', (timer: number) => {
    end(timer)
    clear(timer)
  })
  return timers
}

const pause = setTimeout
const turn = () => new Promise((resolve) => pause(resolve))

const encoder = new TextEncoder()

/** Returns an upload in that many reads of one line each. */
function upload(reads: number): ReadableStream<Uint8Array> {
  let sent = 0
  return new ReadableStream(
    {
      pull(controller) {
        if (sent === reads) controller.close()
        else controller.enqueue(encoder.encode(`{"external_id": "c_${sent++}"}\n`))
      },
    },
    { highWaterMark: 0 },
  )
}

const ndjson = () =>
  new FileLines({ format: 'ndjson', encoding: null, delimiter: null, map: new Map(), lineBytesMax: 1_000 })

it('frees an ended timer in the runtime, which allows 10,000', async () => {
  for (let at = 0; at < 10_500; at++) await within(Promise.resolve(), 60_000, sleep, null)
  await expect(sleep(1, new AbortController().signal)).resolves.toBeUndefined()
})

it('uses one timer at a time for an upload of 20,000 reads, and leaves none', async () => {
  const timers = countedTimers()
  const lines = new LineChunks(upload(20_000), ndjson(), sleep)
  let count = 0
  for (let chunk = await lines.next(); chunk; chunk = await lines.next()) count += chunk.lines.length
  expect(count).toBe(20_000)
  expect([timers.most, timers.live]).toEqual([1, 0])
  expect(timers.made).toBeGreaterThan(0)
})

it('leaves no timer behind after a request for an import', async () => {
  const { live } = await newTenant()
  await importLines(live.key, [{ external_id: 'warm' }])
  await call('GET', '/v1/customers?limit=1', { key: live.key })
  const timers = countedTimers()
  const answer = await importStream(live.key, upload(2_000))
  expect((await answer.text()).split('\n')).toHaveLength(2_001)
  expect(timers.most).toBeLessThanOrEqual(3)
  expect(timers.live).toBe(0)
})

it('leaves no timer behind after calling a gate that answers', async () => {
  const timers = countedTimers()
  const ports = {
    io: new IoTimes(),
    clock: Date.now,
    random: Math.random,
    sleep,
    lease: async () => ({ v: 1 as const, kind: 'busy' as const, backoffMs: 1 }),
    waitUntil: () => undefined,
  }
  await admitAt(leaseHolderFor('timers:live'), 'credential', [], ports)
  expect(timers.made).toBeGreaterThan(0)
  expect(timers.live).toBe(0)
})

it('leaves no timer behind after a readiness probe', async () => {
  const timers = countedTimers()
  const answer = await call('GET', '/readyz')
  expect([200, 503]).toContain(answer.status)
  expect(timers.made).toBeGreaterThan(0)
  expect(timers.live).toBe(0)
})

it('answers what has arrived once nothing more does, however often something arrived before', async () => {
  let upload: ReadableStreamDefaultController<Uint8Array> | undefined
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      upload = controller
    },
  })
  let elapsed: (() => void) | undefined
  const lines = new LineChunks(
    stream,
    ndjson(),
    () =>
      new Promise<void>((resolve) => {
        elapsed = resolve
      }),
  )
  let answered: number[] | undefined
  const next = lines.next().then((chunk) => {
    answered = chunk?.lines.map(({ line }) => line)
  })
  const come = async (at: number) => {
    upload?.enqueue(encoder.encode(`{"external_id": "c_${at}"}\n{"cut`))
    await turn()
  }
  await come(1)
  for (const at of [2, 3]) {
    await come(at)
    elapsed?.()
    await turn()
    expect(answered).toBeUndefined()
  }
  elapsed?.()
  await next
  expect(answered).toEqual([1, 2, 3])
  upload?.close()
  expect((await lines.next())?.lines.map(({ line }) => line)).toEqual([4])
  expect(await lines.next()).toBeNull()
})

it('passes on what it has read without a line after a quarter of a megabyte, and counts each byte once', async () => {
  const bytes = 2.5 * 1024 * 1024
  const blank = new Blob(['\n'.repeat(bytes), '{}\n'])
  const lines = new LineChunks(blank.stream(), ndjson(), sleep)
  const chunks = []
  for (let chunk = await lines.next(); chunk; chunk = await lines.next()) chunks.push(chunk)
  expect(chunks.map((chunk) => chunk.lines.length)).toEqual([...chunks.slice(1).map(() => 0), 1])
  expect(chunks.length).toBeGreaterThanOrEqual(10)
  const permits = chunks.map(({ lines, bytesRead }) => importPermits(lines.length, 0, bytesRead))
  // And one for the line at the end.
  expect(permits.reduce((sum, one) => sum + one, 0)).toBe(40 + 1)
})

it('takes a permit for each 64 KB of an upload, blank lines too', async () => {
  const { live } = await newTenant()
  const sent = vi.spyOn(RequestServices.prototype, 'importChunk')
  const blank = new Blob(['\n'.repeat(1024 * 1024), '{"external_id": "after the blanks"}\n'])
  const { results } = readResults(await (await importStream(live.key, blank.stream())).text())
  expect(results).toMatchObject([{ line: 1024 * 1024 + 1, result: 'created' }])
  const permits = sent.mock.calls.map(([request]) => request.permits)
  expect(permits.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(17)
})

it('begins to read the body at once, because a local server drains one that nobody has begun to read', async () => {
  const request = new Request('https://example.com', { method: 'POST', body: upload(2) })
  const lines = new LineChunks(request.body, ndjson(), sleep)
  await lines.begin()
  expect(request.bodyUsed).toBe(true)
  expect((await lines.next())?.lines.length).toBeGreaterThan(0)
  await lines.cancel()
})
