/**
 * `GET /readyz`: reports whether D1, KV and the gates respond to this isolate. The route needs no key, so the isolate
 * probes at most once a second, however slow they are, and the result holds only `ok` or `failed` for each. The errors
 * are in the log.
 */
import { describeError, log } from '../shared/log.ts'
import { within } from '../shared/sleep.ts'
import type { HttpContext } from './api.ts'
import { respond } from './respond.ts'
import type { Services } from './services.ts'

const PROBES = ['d1', 'kv', 'gate'] as const
export type Probe = (typeof PROBES)[number]
type Checks = Record<Probe, 'ok' | 'failed'>

/** Milliseconds between the beginnings of two probes of an isolate, however many requests it gets. */
const PROBE_EVERY_MS = 1_000
/** Milliseconds until a probe counts as failed. A load balancer has given up by then. */
const CHECK_TIMEOUT_MS = 2_000
/** The pause of a request that waits for the first probe, which another request has begun. */
const POLL_MS = 10

const ALL_FAILED: Checks = { d1: 'failed', kv: 'failed', gate: 'failed' }

/** Returns the handler of `GET /readyz`, with its own last result. */
export function readiness(services: Services) {
  let known: Checks | null = null
  let begunAtMs: number | null = null

  return async function respondReadiness(c: HttpContext) {
    const nowMs = c.get('nowMs')
    if (begunAtMs === null || nowMs - begunAtMs >= PROBE_EVERY_MS || nowMs < begunAtMs) {
      // Noted before the probe: requests that come meanwhile get the result of the one before.
      begunAtMs = nowMs
      const checks = await Promise.all(PROBES.map(async (name) => [name, await check(name)] as const))
      known = Object.fromEntries(checks) as Checks
    } else if (!known) await firstResult(nowMs)
    const checks = known ?? ALL_FAILED
    const isReady = PROBES.every((name) => checks[name] === 'ok')
    if (isReady) return respond(c, 200, { status: 'ready' as const, checks })
    return respond(c, 503, { status: 'not_ready' as const, checks }, { 'retry-after': '1' })

    async function check(name: Probe): Promise<'ok' | 'failed'> {
      try {
        const work = services.probe(c.env, name).then(() => true)
        if (await within(work, CHECK_TIMEOUT_MS, services.sleep, false)) return 'ok'
        throw new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)
      } catch (error) {
        log('error', { event: 'not_ready', probe: name, requestId: c.get('requestId'), error: describeError(error) })
        return 'failed'
      }
    }
  }

  /** Waits until the first probe has ended. Its promise belongs to another request, so this one looks now and then. */
  async function firstResult(sinceMs: number): Promise<void> {
    while (!known && services.clock() - sinceMs < CHECK_TIMEOUT_MS) await services.sleep(POLL_MS)
  }
}
