/**
 * `GET /readyz`: whether D1, KV and the gates answer this isolate. Anyone may ask, so the answer is kept for a second and
 * says only which of them failed; what it failed with is in the log.
 */
import type { Handler } from 'hono'
import { describeError, log } from '../shared/log.ts'
import type { Wiring } from '../wiring.ts'
import { answer } from './answer.ts'
import type { HttpEnv } from './door.ts'

const PROBES = ['d1', 'kv', 'gate'] as const
export type Probe = (typeof PROBES)[number]

interface Readiness {
  checks: Record<Probe, 'ok' | 'failed'>
  atMs: number
}

/** However often it is asked, an isolate asks behind it no more often than this. */
const KEPT_MS = 1_000
/** A load balancer has given up by then. */
const PATIENCE_MS = 2_000

export function readiness(wiring: Wiring): Handler<HttpEnv> {
  let known: Readiness | null = null

  return async function answerReadiness(c) {
    const nowMs = c.get('nowMs')
    if (!known || nowMs - known.atMs >= KEPT_MS || nowMs < known.atMs) {
      const checks = await Promise.all(PROBES.map(async (name) => [name, await check(name)] as const))
      known = { checks: Object.fromEntries(checks) as Readiness['checks'], atMs: nowMs }
    }
    const isReady = PROBES.every((name) => known?.checks[name] === 'ok')
    const body = { status: isReady ? 'ready' : 'not_ready', checks: known.checks }
    return answer(c, isReady ? 200 : 503, body, isReady ? {} : { 'retry-after': '1' })

    async function check(name: Probe): Promise<'ok' | 'failed'> {
      try {
        const work = wiring.probe(c.env, name).then(() => true)
        if (await Promise.race([work, wiring.sleep(PATIENCE_MS).then(() => false)])) return 'ok'
        throw new Error(`no answer within ${PATIENCE_MS} ms`)
      } catch (error) {
        log('error', { event: 'not_ready', probe: name, requestId: c.get('requestId'), error: describeError(error) })
        return 'failed'
      }
    }
  }
}
