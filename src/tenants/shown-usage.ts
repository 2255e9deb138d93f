/** The counts of one mode as the APIs show them. Pure. */
import type { Usage } from '../gate/protocol/usage.ts'

/** Returns requests by day and outcome, newest first, and the bytes stored. */
export function toShownUsage(
  { yearStart, count, outstanding, days }: Usage,
  stored: { bytes: number; bytesMax: number },
) {
  return {
    contract_year_start: yearStart,
    admitted_this_year: count,
    permits_outstanding: outstanding,
    days: Object.entries(days)
      .toSorted(([a], [b]) => b.localeCompare(a))
      .map(([date, { admitted, limited, errors = 0 }]) => ({ date, admitted, rate_limited: limited, errors })),
    stored_bytes: stored.bytes,
    storage_bytes: stored.bytesMax,
  }
}
