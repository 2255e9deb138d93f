/**
 * A customer as it was. The events keep, for a bounded time, what each change found; so the state at a moment is what the
 * first change after it found, or what the customer is now if there was none. Pure.
 */
import type { Customer } from './customer.ts'

/** A moment in the life of a customer: a version, or a time in milliseconds since 1970, changes at that time included. */
export type Moment = { version: number } | { timeMs: number }

/** Names the customer. An external id with a time stands for the customer that had it then. */
export type PastTarget = { id: string } | { externalId: string }

/** The customer of then. Null if there was none; `expired` if there was one, of which the state is no longer kept. */
export type Past = Customer | 'expired' | null

/** The facts that are stored about a customer around a moment. */
export interface PastFacts {
  /** The customer as it is, or as it was before it was merged into another one. */
  now: Customer
  /** The customer that it was merged into. */
  mergedInto: string | null
  /** The time of that merge. Null: it is not merged, or nobody knows any more. */
  mergedAtMs: number | null
  /** The customer that the first change after the moment found. Undefined if no such change is kept, null if it made the customer. */
  found: Customer | null | undefined
  /** The end of the time for which it was that, if it was merged into another one then and has come back since. */
  foundUntilMs?: number | null
}

/** Returns what the customer was at the moment. Null facts: there is no such customer, or it is erased. */
export function pastOf(facts: PastFacts | null, moment: Moment): Past {
  if (!facts) return null
  const { now, mergedInto, found, foundUntilMs = null } = facts
  if (mergedInto !== null && isAfterMerge(facts, moment)) return 'expired'
  if ('version' in moment) {
    if (moment.version === now.version) return now
    // A merge leaves versions out.
    if (moment.version > now.version || (found && found.version < moment.version)) return null
    return found?.version === moment.version ? found : 'expired'
  }
  const { timeMs } = moment
  if (now.updatedAtMs <= timeMs) return now
  if (now.createdAtMs > timeMs || found === null) return null
  // A later time of the version that was found says that a change between the two is no longer kept.
  if (foundUntilMs !== null && timeMs >= foundUntilMs) return 'expired'
  return found && found.updatedAtMs <= timeMs ? found : 'expired'
}

/** From the merge on, the ids of the customer led to the other one. If its time is not known, it may have been right after the last change. */
function isAfterMerge({ now, mergedAtMs }: PastFacts, moment: Moment): boolean {
  return 'version' in moment ? moment.version > now.version : moment.timeMs >= (mergedAtMs ?? now.updatedAtMs)
}
