/**
 * The log lines of refused requests. A caller over its limit, or a stranger, is refused thousands of times a second, and each
 * line would cost more than its refusal: those are gathered, one line a second for each tenant, reason and isolate.
 */
import { LRUCache } from 'lru-cache'
import { type LogLevel, type LogLine, log } from '../shared/log.ts'

/** What can be had without end at no cost: without a key, over a limit, or while something is away. */
const GATHERED = new Set(['unauthorized', 'rate_limited', 'annual_limit_reached', 'tenant_suspended', 'unavailable'])
const GATHERED_FOR_MS = 1_000
const TENANTS_MAX = 1_000

const gathered = new LRUCache<string, { untilMs: number; more: number }>({ max: TENANTS_MAX })

export function logRefusal(level: LogLevel, line: LogLine, nowMs: number): void {
  if (!GATHERED.has(String(line.reason))) {
    log(level, line)
    return
  }
  const key = `${line.tenantId}:${line.mode}:${line.reason}`
  const before = gathered.get(key)
  if (before && nowMs < before.untilMs) {
    before.more++
    return
  }
  gathered.set(key, { untilMs: nowMs + GATHERED_FOR_MS, more: 0 })
  log(level, { ...line, unloggedBefore: before?.more ?? 0 })
}
