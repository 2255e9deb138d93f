/** Decides when a line is posted. Pure: the time and the earlier lines are arguments. */
import type { Rule } from './rules.ts'

/** Lines that come for so long, with no pause of `PAUSE_MS`, are lasting. */
export const LASTING_MS = 3 * 60_000
export const PAUSE_MS = 10 * 60_000
/** An event is posted at most once in this time, by its level, with the number of lines since. */
export const AGAIN_MS = { error: 30 * 60_000, warn: 24 * 3_600_000 } as const
/** A post that failed is tried again with the next line after this time. */
export const RETRY_MS = 60_000

/** The state of one event. */
export interface Seen {
  sinceMs: number
  lastMs: number
  /** Lines that no post has counted yet. */
  waiting: number
  /** No post before this time. */
  quietUntilMs: number
}

/** Returns what to remember after `lines` more lines, and how many lines to post; 0: nothing. */
export function decide(
  { when, level }: Pick<Rule, 'when' | 'level'>,
  before: Seen | null,
  lines: number,
  nowMs: number,
): { seen: Seen; post: number } {
  const goesOn = before !== null && nowMs - before.lastMs < PAUSE_MS
  const sinceMs = goesOn ? before.sinceMs : nowMs
  // A pause ends what did not last. Lines that wait for the next post are counted there, however late it comes.
  const waiting = lines + (before !== null && (goesOn || when === 'first') ? before.waiting : 0)
  const quietUntilMs = before?.quietUntilMs ?? 0
  const isDue = (when === 'first' || nowMs - sinceMs >= LASTING_MS) && nowMs >= quietUntilMs
  const seen = { sinceMs, lastMs: nowMs, waiting, quietUntilMs }
  if (!isDue) return { seen, post: 0 }
  return { seen: { ...seen, waiting: 0, quietUntilMs: nowMs + AGAIN_MS[level] }, post: waiting }
}

/** Returns what to remember after a post of `lines` lines failed. */
export function postFailed(seen: Seen, lines: number, nowMs: number): Seen {
  return { ...seen, waiting: seen.waiting + lines, quietUntilMs: nowMs + RETRY_MS }
}
