/**
 * Counts the requests of this isolate and writes them to Analytics Engine every few seconds: a point for each row of
 * request-counts.ts, not for each request. The first request after a pause sets a timer that outlives its answer, so no
 * count waits for longer than that, and the others only add. What an isolate held when it was evicted is lost.
 */
import { describeError, log } from '../shared/log.ts'
import { type Answered, RequestCounts } from './request-counts.ts'

/** Several leases. Longer would write fewer points and lose more with an isolate. */
const WRITTEN_AFTER_MS = 5_000
/** Analytics Engine takes no more from one invocation. */
const POINTS_MAX = 250

export class Analytics {
  readonly #counts = new RequestCounts()
  readonly #sleep: (ms: number) => Promise<unknown>
  /** When the timer goes off that was set last. Should it have died with its request, the next one sets another. */
  #writtenAtMs = 0

  constructor(sleep: (ms: number) => Promise<unknown>) {
    this.#sleep = sleep
  }

  /** `at` is where the request runs: its `executionCtx` may be a getter that costs something, so it is not touched in vain. */
  count(
    answered: Answered,
    nowMs: number,
    dataset: Pick<AnalyticsEngineDataset, 'writeDataPoint'>,
    at: { readonly executionCtx: Pick<ExecutionContext, 'waitUntil'> },
  ): void {
    this.#counts.count(answered, nowMs)
    if (this.#counts.size >= POINTS_MAX) this.#write(dataset)
    if (nowMs < this.#writtenAtMs) return
    this.#writtenAtMs = nowMs + WRITTEN_AFTER_MS
    at.executionCtx.waitUntil(this.#sleep(WRITTEN_AFTER_MS).then(() => this.#write(dataset)))
  }

  #write(dataset: Pick<AnalyticsEngineDataset, 'writeDataPoint'>): void {
    try {
      for (const point of this.#counts.take(POINTS_MAX)) dataset.writeDataPoint(point)
    } catch (error) {
      log('error', { event: 'analytics_failed', error: describeError(error) })
    }
  }
}
