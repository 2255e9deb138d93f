/**
 * The observer of the permits space: sees every admission anywhere as it happens and every change as it returns, and judges C1, C2
 * and the year's count. Plain values: durations until something is over, never instants.
 */

import { LAG_MAX_MS } from './projection.ts'

/** One version of the policy in a scenario. */
export interface ScenarioPolicy {
  rate: number
  burst: number
  status?: 'active' | 'suspended'
  /** The keys that the tenant has, by name. */
  keys?: readonly string[]
}

interface Allowed {
  rate: number
  burst: number
  leftMs: number
}

export interface Observed {
  /** The ideal bucket that sees every admission, in thousandths of a permit. */
  level: number
  /** The limits that hold: during a change's wait the larger of both. */
  allowed: Allowed[]
  newest: number
  answered: number
  /** Changes that the gate has accepted, and after how long they are answered. */
  waiting: { version: number; leftMs: number }[]
  /** How long ago the newest version was accepted, while an earlier one may still be used. */
  changedMs: number
  /** Until the only key that ends does; null if none does. */
  keyLeftMs: number | null
  admitted: number
  /** Admissions at the gate that the count may lack, because the gate was replaced before it stored them. */
  unsure: number
}

/** The extremes of a scenario: the bounds are tight if these are as far as they may be. */
export interface Reached {
  levelMin: number
  /** The longest time after a change was accepted at which a request was admitted by an older version. */
  underOlderMs: number
}

const UNIT = 1_000
/** The key that ends, where one does. */
export const KEY_THAT_ENDS = 'a'

export function firstObserved({ rate, burst }: ScenarioPolicy, keyLeftMs: number | null): Observed {
  return {
    level: burst * UNIT,
    allowed: [{ rate, burst, leftMs: Number.POSITIVE_INFINITY }],
    newest: 1,
    answered: 1,
    waiting: [],
    changedMs: 0,
    keyLeftMs,
    admitted: 0,
    unsure: 0,
  }
}

/** Returns what the observer has after `ms`. */
export function observedLater(before: Observed, ms: number): Observed {
  const seen = structuredClone(before)
  for (let leftMs = ms; leftMs > 0; ) {
    const spanMs = Math.min(leftMs, ...seen.allowed.map((allowed) => allowed.leftMs))
    fill(seen, spanMs)
    leftMs -= spanMs
  }
  for (const change of seen.waiting) {
    change.leftMs -= ms
    if (change.leftMs <= 0) seen.answered = Math.max(seen.answered, change.version)
  }
  seen.waiting = seen.waiting.filter(({ leftMs }) => leftMs > 0)
  if (seen.answered < seen.newest) seen.changedMs += ms
  if (seen.keyLeftMs !== null) seen.keyLeftMs = Math.max(-LAG_MAX_MS, seen.keyLeftMs - ms)
  return seen
}

/** Returns what the observer has after the gate accepted this version, to be answered after `waitMs`. */
export function observedChange(before: Observed, version: number, policy: ScenarioPolicy, waitMs: number): Observed {
  const seen = structuredClone(before)
  if (version > seen.newest) {
    for (const allowed of seen.allowed) allowed.leftMs = Math.min(allowed.leftMs, waitMs)
    seen.allowed.push({ rate: policy.rate, burst: policy.burst, leftMs: Number.POSITIVE_INFINITY })
    seen.newest = version
    seen.changedMs = 0
    fill(seen, 0)
  }
  if (waitMs > 0) seen.waiting.push({ version, leftMs: waitMs })
  else seen.answered = Math.max(seen.answered, version)
  return seen
}

/** Returns what the observer has after an admission. */
export function observedAdmission(before: Observed): Observed {
  const { level, admitted } = before
  return { ...before, level: level - UNIT, admitted: admitted + 1 }
}

/** Returns which promise an admission breaks; null if none. `seen` is what the observer has after it. */
export function brokenBy(
  seen: Observed,
  version: number,
  key: string | null,
  policies: readonly ScenarioPolicy[],
  annualLimit: number | null,
): string | null {
  if (seen.level < 0) return `C1: ${-seen.level / UNIT} permits too many`
  if (annualLimit !== null && seen.admitted > annualLimit)
    return `the year: ${seen.admitted} of ${annualLimit} admitted`
  if (version < seen.answered) return `C2: admitted under version ${version}, and ${seen.answered} was answered`
  const mayBeInForce = policies.slice(seen.answered - 1, seen.newest)
  if (policies[version - 1]?.status === 'suspended') return `C2: admitted under version ${version}, which suspends`
  if (key === null) return null
  if (!mayBeInForce.some(({ keys = [] }) => keys.includes(key))) return `C2: ${key} admitted, which was revoked`
  if (key === KEY_THAT_ENDS && seen.keyLeftMs !== null && seen.keyLeftMs <= -LAG_MAX_MS)
    return `C2: ${key} admitted, which had expired`
  return null
}

function fill(seen: Observed, ms: number): void {
  const rate = Math.max(...seen.allowed.map((allowed) => allowed.rate))
  const burst = Math.max(...seen.allowed.map((allowed) => allowed.burst))
  seen.level = Math.min(burst * UNIT, seen.level + rate * ms)
  for (const allowed of seen.allowed) allowed.leftMs -= ms
  seen.allowed = seen.allowed.filter(({ leftMs }) => leftMs > 0)
}
