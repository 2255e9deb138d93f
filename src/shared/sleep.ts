/**
 * Sleeps, and limits how long a promise is waited for. Timers that are no longer needed are ended: an invocation may
 * have 10,000.
 */

/** Resolves after that many milliseconds. Rejects when the signal is aborted, which ends the timer. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<unknown>

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (!signal) return scheduler.wait(ms)
  // Not `scheduler.wait` with the signal: it rejects, but the runtime counts its timer until the timer would have run out.
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const timer = setTimeout(resolve, ms)
    const end = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    signal.addEventListener('abort', end, { once: true })
  })
}

/** Resolves or rejects as `work` does, or resolves with `late` when that takes longer. */
export async function within<T, Late>(work: Promise<T>, ms: number, sleep: Sleep, late: Late): Promise<T | Late> {
  const timer = new AbortController()
  const outOfPatience = sleep(ms, timer.signal).then(
    () => late,
    () => late,
  )
  try {
    return await Promise.race([work, outOfPatience])
  } finally {
    timer.abort()
  }
}
