/** One signed POST: what Roster sends and reads. Every failure is reported, and nothing waits for ever. */
import { Webhook } from 'standardwebhooks'
import { describe, expect, it, vi } from 'vitest'
import { type PostDeps, postSigned } from '../../../src/events/deliver.ts'
import { newSecret, rotated, type Secret, signatureHeaders } from '../../../src/events/signature.ts'

const NOW_MS = Date.now()
const secrets: Secret[] = [{ secret: newSecret(), expiresAtMs: null }]
const POST = {
  url: 'https://hooks.example.com/',
  secrets,
  id: 'evt_1',
  body: '{"a":1}',
  response: { bytesMax: 500, timeoutMs: 100 },
}

function deps(answer: () => Promise<Response> | Response, given: Partial<PostDeps> = {}) {
  const sent: [string, RequestInit][] = []
  const fetch = (async (url: string, init: RequestInit) => {
    sent.push([url, init])
    return answer()
  }) as unknown as PostDeps['fetch']
  const all: PostDeps = {
    ...{ fetch, clock: () => NOW_MS, resolve: async () => ['93.184.215.14'], allowLocal: false, timeoutMs: 200 },
    ...given,
  }
  return { sent, deps: all }
}

const never = () => new Promise<never>(() => {})

describe('a signed POST', () => {
  it("passes the receivers' library, and follows no redirect", async () => {
    const { sent, deps: given } = deps(() => new Response('ok', { status: 201 }))
    expect(await postSigned(POST, given)).toEqual({
      ...{ statusCode: 201, error: null, answer: 'ok', isCut: false, durationMs: 0, retryAfterMs: null },
    })
    const [[url, init]] = sent as [[string, RequestInit & { headers: Record<string, string> }]]
    expect([url, init.method, init.redirect, init.body]).toEqual([POST.url, 'POST', 'manual', POST.body])
    expect(new Webhook(secrets[0]?.secret ?? '').verify(POST.body, init.headers)).toEqual({ a: 1 })
    expect(init.headers['webhook-id']).toBe('evt_1')
  })

  it('is not sent to a forbidden address, even if the URL was allowed when it was configured', async () => {
    const { sent, deps: given } = deps(() => new Response(), { resolve: async () => ['10.0.0.1'] })
    expect(await postSigned(POST, given)).toMatchObject({
      statusCode: null,
      error: 'destination_refused',
      answer: null,
    })
    const missing = deps(() => new Response(), { resolve: async () => [] })
    expect(await postSigned(POST, missing.deps)).toMatchObject({ error: 'host_not_found' })
    const unknown = deps(() => new Response(), { resolve: () => Promise.reject(new Error('away')) })
    expect(await postSigned(POST, unknown.deps)).toMatchObject({ error: 'lookup_failed' })
    expect([sent, missing.sent, unknown.sent]).toEqual([[], [], []])
  })

  it('reports a redirect, a broken connection and a time-out as such', async () => {
    const redirect = deps(() => new Response(null, { status: 307, headers: { location: 'https://127.0.0.1/' } }))
    expect(await postSigned(POST, redirect.deps)).toMatchObject({ statusCode: 307, error: 'redirect_not_followed' })
    const broken = deps(() => Promise.reject(new Error('refused')))
    expect(await postSigned(POST, broken.deps)).toMatchObject({ statusCode: null, error: 'connection_failed' })
    for (const slow of [deps(never), deps(() => new Response(), { resolve: never })]) {
      expect(await postSigned(POST, slow.deps)).toMatchObject({ statusCode: null, error: 'timeout', answer: null })
    }
  })

  it('keeps the status and what came of a body that hangs or breaks off, and ends the connection', async () => {
    const begun = (pull: () => Promise<never>) =>
      new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('begun')), pull })
    for (const pull of [never, () => Promise.reject(new Error('cut'))]) {
      const { sent, deps: given } = deps(() => new Response(begun(pull), { status: 410 }))
      expect(await postSigned(POST, given)).toMatchObject({
        statusCode: 410,
        error: null,
        answer: 'begun',
        isCut: true,
      })
      expect(sent[0]?.[1].signal?.aborted).toBe(true)
    }
  })

  it('reads no more of a body than it stores', async () => {
    const cancel = vi.fn()
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('é'.repeat(99))),
      cancel,
    })
    const { answer } = await postSigned(POST, deps(() => new Response(endless)).deps)
    expect(new TextEncoder().encode(answer ?? '').length).toBeLessThanOrEqual(502)
    expect(cancel).toHaveBeenCalledOnce()
  })

  it('keeps of an answer only what can be stored', async () => {
    const { answer } = await postSigned(POST, deps(() => new Response(Uint8Array.of(65, 0, 66, 0xff))).deps)
    expect(answer).toBe('A\ufffdB\ufffd')
  })

  it.each([
    ['120', 120_000],
    [new Date(NOW_MS + 60_000).toUTCString(), 60_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', null],
    ['9'.repeat(30), Number.MAX_SAFE_INTEGER],
    ['-5', null],
    ['1.5', null],
    ['Tue, 99 Foo 2026 00:00:00 GMT', null],
    ['', null],
  ])('understands retry-after: %s', async (header, expected) => {
    const { deps: given } = deps(() => new Response(null, { status: 503, headers: { 'retry-after': header } }))
    const { retryAfterMs } = await postSigned(POST, given)
    // A date has whole seconds.
    if (expected === null || expected === 0) expect(retryAfterMs).toBe(expected)
    else expect(Math.abs((retryAfterMs ?? 0) - expected)).toBeLessThanOrEqual(1_000)
  })
})

describe('secrets', () => {
  const signed = (given: Secret[], nowMs: number) => signatureHeaders('evt_1', '{}', given, nowMs)['webhook-signature']

  it('have 256 random bits, and all differ', () => {
    const made = Array.from({ length: 100 }, newSecret)
    expect(new Set(made).size).toBe(100)
    for (const secret of made) expect(atob(secret.replace('whsec_', ''))).toHaveLength(32)
  })

  it('sign together while one is rotated out, and then the new one alone', () => {
    const [old] = secrets as [Secret]
    const both = rotated(secrets, newSecret(), 60_000, NOW_MS)
    expect(signed(both, NOW_MS + 59_999)?.split(' ')).toHaveLength(2)
    expect(signed(both, NOW_MS + 60_000)?.split(' ')).toHaveLength(1)
    expect(both.map(({ secret }) => secret)).toContain(old.secret)
    expect(both[0]).toMatchObject({ expiresAtMs: null })
  })

  it('still end earlier if they were to, and end at once without an overlap', () => {
    const twice = rotated(rotated(secrets, newSecret(), 1_000, NOW_MS), newSecret(), 60_000, NOW_MS)
    expect(twice.map(({ expiresAtMs }) => expiresAtMs)).toEqual([null, NOW_MS + 60_000, NOW_MS + 1_000])
    expect(rotated(twice, newSecret(), 0, NOW_MS)).toHaveLength(1)
    expect(rotated(twice, newSecret(), 60_000, NOW_MS + 5_000)).toHaveLength(3)
  })
})
