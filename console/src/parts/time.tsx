/**
 * A moment, relative to now; the exact one in the reader's zone on hover and for screen readers.
 */
import { useSyncExternalStore } from 'react'
import { exactTime, relativeTime } from '../lib/format.ts'

const TICK_MS = 15_000
const listeners = new Set<() => void>()
let nowMs = Date.now()
setInterval(() => {
  nowMs = Date.now()
  for (const listener of listeners) listener()
}, TICK_MS)

/** Returns the current time, which moves on every 15 seconds for all that show it. */
export function useNowMs(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => nowMs,
  )
}

/** `at`: ISO 8601, or null for never. */
export function Time({ at, never = 'never' }: { at: string | null; never?: string }) {
  const now = useNowMs()
  if (at === null) return <span className="text-kumo-subtle">{never}</span>
  const exact = exactTime(at)
  return (
    <time dateTime={at} title={exact} className="whitespace-nowrap">
      {relativeTime(at, Math.max(now, Date.now()))}
    </time>
  )
}
