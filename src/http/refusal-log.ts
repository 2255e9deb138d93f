/**
 * The log lines of refused requests. A caller over its limit is refused thousands of times a second, and each line would
 * cost more than its refusal: those are gathered, one line a second for each tenant and isolate, with their number.
 */
import { LRUCache } from 'lru-cache'
import { type LogLevel, type LogLine, log } from '../shared/log.ts'

const GATHERED_FOR_MS = 1_000
const TENANTS_MAX = 1_000

const gathered = new LRUCache<string, { untilMs: number; more: number }>({ max: TENANTS_MAX })

export function logRefusal(level: LogLevel, line: LogLine, nowMs: number): void {
  if (line.reason !== 'rate_limited') {
    log(level, line)
    return
  }
  const key = `${line.tenantId}:${line.mode}`
  const before = gathered.get(key)
  if (before && nowMs < before.untilMs) {
    before.more++
    return
  }
  gathered.set(key, { untilMs: nowMs + GATHERED_FOR_MS, more: 0 })
  log(level, { ...line, unloggedBefore: before?.more ?? 0 })
}
