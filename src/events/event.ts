/**
 * An event as the log has it: what happened, to whom, by whom. Plain data; the log is in storage, its names in catalogue.ts.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import type { EventType } from './catalogue.ts'

export interface LoggedEvent extends Scope {
  /** `evt_` + ULID; of a change, the id of the change. */
  id: string
  type: EventType
  /** Null for an event that is about no customer. */
  customerId: string | null
  /** Of the customer, then; 0 without one. */
  version: number
  /** The id of a key, the name of a bound Worker, or a part of Roster itself. */
  actor: string
  requestId: string | null
  /** Null where there was none, or where it has been erased. */
  before: Customer | null
  /** The customer as it then was, right after; null without one. */
  after: Customer | null
  /** What the type tells beside the customer, in the words of catalogue.ts. */
  detail: Record<string, unknown> | null
  createdAtMs: number
}

/** Which events are asked for. Times are of the events; `endMs` itself is not included. */
export interface EventQuery {
  customerId?: string | undefined
  types?: readonly EventType[] | undefined
  startMs?: number | undefined
  endMs?: number | undefined
  /**
   * `desc`: newest first. `asc`: oldest first, and only those that none older can still come before, so that whoever
   * goes on from the last one has seen them all; that is some ten seconds behind.
   */
  order: 'asc' | 'desc'
  afterId: string | null
  limit: number
}

export interface EventPage {
  events: LoggedEvent[]
  hasMore: boolean
  /** The event after which the next page begins; null when there was none to look at. */
  lastId: string | null
}

export interface EventLog {
  /** Null: there is no such customer. */
  list(query: EventQuery): Promise<EventPage | null>
}
