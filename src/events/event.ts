/**
 * An event as the log stores it: what happened, to which customer, and who did it. Plain data; the log is in storage,
 * the event types are in catalogue.ts.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import type { EventType } from './catalogue.ts'

export interface LoggedEvent extends Scope {
  /** `evt_` + ULID. For a change, it is the id of the change. */
  id: string
  type: EventType
  /** Id of the customer; null if the event concerns no customer. */
  customerId: string | null
  /** Version of the customer after the event; 0 without a customer. */
  version: number
  /** The id of a key, the name of a bound Worker, or a part of Roster itself. */
  actor: string
  requestId: string | null
  /** The customer before the event; null if there was none or it has been erased. */
  before: Customer | null
  /** The customer right after the event; null without one. */
  after: Customer | null
  /** Details beside the customer, as catalogue.ts defines them by type. */
  detail: Record<string, unknown> | null
  createdAtMs: number
}

/** Selects events. Times are those of the events; `endMs` is exclusive. */
export interface EventQuery {
  customerId?: string | undefined
  types?: readonly EventType[] | undefined
  startMs?: number | undefined
  endMs?: number | undefined
  /**
   * `desc`: newest first. `asc`: oldest first, without events that an older one may still precede. So a reader that
   * continues after the last event misses none; this order is about ten seconds behind.
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
  /** The work that the archive took for it, in rows of D1. */
  archiveRows: number
}

export interface EventLog {
  /** Returns null if there is no such customer. */
  list(query: EventQuery): Promise<EventPage | null>
}
