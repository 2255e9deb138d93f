/**
 * Logs refused requests. A caller over its limit or without a key may be refused thousands of times a second, and each
 * line would cost more than the refusal. So each isolate logs only one line a second for such refusals of a tenant,
 * mode and reason, and for each reason that strangers are refused for.
 */
import { LRUCache } from 'lru-cache'
import { type LogLevel, type LogLine, log } from '../shared/log.ts'

/**
 * Reasons that a tenant can cause without limit and at no cost: no permit was taken, or something is unavailable. A
 * refusal that costs a permit is bounded by the tenant's own limit.
 */
const GATHERED = new Set([
  'unauthorized',
  'rate_limited',
  'annual_limit_reached',
  'tenant_suspended',
  'missing_scope',
  'missing_role',
  'unavailable',
  'insufficient_storage',
])
const GATHERED_FOR_MS = 1_000
const TENANTS_MAX = 1_000

const gathered = new LRUCache<string, { untilMs: number; more: number }>({ max: TENANTS_MAX })

/** `isStranger`: nobody has authenticated the caller, so nothing bounds its requests, whatever they are refused for. */
export function logRefusal(level: LogLevel, line: LogLine, nowMs: number, isStranger = false): void {
  if (!isStranger && !GATHERED.has(String(line.reason))) {
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
