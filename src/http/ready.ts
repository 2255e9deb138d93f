/**
 * `GET /readyz`: reports whether D1, KV and the gates respond to this isolate. The route needs no key, so the result is
 * cached for a second and holds only `ok` or `failed` for each. The errors are in the log.
 */
import { describeError, log } from '../shared/log.ts'
import { within } from '../shared/sleep.ts'
import type { HttpContext } from './api.ts'
import { respond } from './respond.ts'
import type { Services } from './services.ts'

const PROBES = ['d1', 'kv', 'gate'] as const
export type Probe = (typeof PROBES)[number]

interface Readiness {
  checks: Record<Probe, 'ok' | 'failed'>
  atMs: number
}

/** Milliseconds for which an isolate reuses the result, however many requests it gets. */
const KEPT_MS = 1_000
/** Milliseconds until a probe counts as failed. A load balancer has given up by then. */
const CHECK_TIMEOUT_MS = 2_000

/** Returns the handler of `GET /readyz`, with its own cached result. */
export function readiness(services: Services) {
  let known: Readiness | null = null

  return async function respondReadiness(c: HttpContext) {
    const nowMs = c.get('nowMs')
    if (!known || nowMs - known.atMs >= KEPT_MS || nowMs < known.atMs) {
      const checks = await Promise.all(PROBES.map(async (name) => [name, await check(name)] as const))
      known = { checks: Object.fromEntries(checks) as Readiness['checks'], atMs: nowMs }
    }
    const isReady = PROBES.every((name) => known?.checks[name] === 'ok')
    const { checks } = known
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
}
