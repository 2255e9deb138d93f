/**
 * Helpers of the cron jobs: when an hourly job runs, and deleting many rows in small statements. A long statement would
 * delay the writers of the primary. The next run continues where one stops.
 */
import { HOUR_MS } from '../shared/durations.ts'

/** Rows of one statement. */
export const CHUNK_ROWS_MAX = 500
/** Statements of one run of a job that runs each minute. */
const CHUNKS_MAX = 20

const RUN_MS = 60_000

/**
 * Returns true in the first two minutes of each hour, for jobs that are called each minute: a run may come a minute
 * late.
 */
export function isHourly(nowMs: number): boolean {
  return nowMs % HOUR_MS < 2 * RUN_MS
}

/** Repeats a statement that deletes at most `CHUNK_ROWS_MAX` rows until it finds fewer. Returns how often it ran. */
export async function inChunks(
  deleteSome: () => PromiseLike<{ meta: { changes: number } }>,
  chunksMax = CHUNKS_MAX,
): Promise<number> {
  for (let chunk = 1; chunk <= chunksMax; chunk++) {
    const { meta } = await deleteSome()
    if (meta.changes < CHUNK_ROWS_MAX) return chunk
  }
  return chunksMax
}
