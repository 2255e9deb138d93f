/**
 * Counts the requests of this isolate and writes them to Analytics Engine every few seconds: one point for each row of
 * request-counts.ts, not for each request. The first request after a pause sets a timer that outlives its response; the
 * other requests only add to the counts. Counts of an evicted isolate are lost.
 */
import { describeError, log } from '../shared/log.ts'
import { type CountedResponse, RequestCounts } from './request-counts.ts'

/** As long as several leases. A longer time would write fewer points and lose more with an isolate. */
const WRITTEN_AFTER_MS = 5_000
/** Limit of Analytics Engine for one invocation. */
const POINTS_MAX = 250

export class Analytics {
  readonly #counts = new RequestCounts()
  readonly #sleep: (ms: number) => Promise<unknown>
  /**
   * When the newest timer fires. If that timer died with its request, the first request after this time sets another.
   */
  #writtenAtMs = 0

  constructor(sleep: (ms: number) => Promise<unknown>) {
    this.#sleep = sleep
  }

  /**
   * `at` is the context of the request. Its `executionCtx` may be an expensive getter, so it is read only when
   * needed.
   */
  count(
    answered: CountedResponse,
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
