/**
 * Ports of the operations on webhook endpoints: the store of endpoints and deliveries, a queue, time, ids, and a
 * sender. Each serves one tenant and mode; storage and composition implement them.
 */

import type { ResponseStore, ResponseToStore } from '../idempotency/idempotency.ts'
import type { Scope } from '../registry/customer.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { NewId } from '../shared/ids.ts'
import type { EventType } from './catalogue.ts'
import type { PostDeps } from './deliver.ts'
import type { DeliveryName } from './delivery-id.ts'
import type { Attempted } from './outbox.ts'
import type { Secret } from './signature.ts'

export interface Endpoint {
  id: string
  url: string
  description: string
  /** Null selects all types, future ones too. */
  eventTypes: EventType[] | null
  enabled: boolean
  /** Why Roster disabled the endpoint by itself. */
  disabledReason: 'gone' | 'failing' | null
  /** Start of an uninterrupted series of failed attempts; null when the last attempt succeeded. */
  failingSinceMs: number | null
  /**
   * The first signs until it is rotated out, the others until they expire. Never shown, never logged. Empty if they
   * cannot be opened: the signing secret that sealed them has been removed.
   */
  secrets: Secret[]
  createdAtMs: number
  updatedAtMs: number
  createdBy: string
  /** Rises with every change of what the API shows, also with those that Roster makes itself. */
  version: number
}

/** Absent fields keep their value. */
export interface EndpointChanges {
  url?: string | undefined
  description?: string | undefined
  eventTypes?: EventType[] | null | undefined
  enabled?: boolean | undefined
}

export interface Delivery {
  id: number
  eventId: string
  eventType: EventType
  customerId: string | null
  status: 'pending' | 'delivered' | 'failed'
  /**
   * Time of the next attempt; null when the delivery is done, or waits for an earlier event of its customer or for its
   * turn.
   */
  nextAttemptAtMs: number | null
  createdAtMs: number
  finishedAtMs: number | null
  attempts: (Attempted & { number: number })[]
}

export interface DeliveryQuery {
  status?: Delivery['status'] | undefined
  limit: number
  after: DeliveryPlace | null
}

/** Deliveries are in the order of their events. An event that was sent again has several deliveries. */
export interface DeliveryPlace {
  eventId: string
  id: number
}

export interface DeliveryPage {
  deliveries: Delivery[]
  /** Where the next page begins; null at the end. A page may be short or empty and still have a next one. */
  next: DeliveryPlace | null
}

/** Selects the events to send once more. */
export type Redelivery =
  | { kind: 'event'; eventId: string }
  /** All deliveries that were given up and not sent since. */
  | { kind: 'failed'; afterId: string | null }
  /** All events in the log from then on that the endpoint subscribes to, including those from when it was disabled. */
  | { kind: 'since'; sinceMs: number; afterId: string | null }

/**
 * Selects deliveries that wait for their next attempt: all of an endpoint, or the one that a customer's events wait
 * for, which an event or a delivery names.
 */
export type Waiting = { kind: 'all' } | { kind: 'event'; eventId: string } | ({ kind: 'delivery' } & DeliveryName)

export interface Hurried {
  /** Customers whose next delivery no longer waits for its time. */
  count: number
  /** Those of them whose delivery is due now. The others are brought back as these end. */
  customerIds: string[]
  /** True if more of them may be waiting. */
  hasMore: boolean
}

export interface Redelivered {
  /** Number of events that are sent again. Events that are still pending are not counted. */
  count: number
  /** Customers of these events whose delivery is due now. */
  customerIds: string[]
  /** The event after which the next call continues; null when there are no more. */
  nextAfterId: string | null
}

/**
 * Every method is one batch. A stored response is written only if the change was made. Methods return null if there is
 * no such endpoint.
 */
export interface EndpointStore extends ResponseStore {
  /** Returns false if the tenant already has the maximum number of endpoints. */
  insert(endpoint: Endpoint, response: ResponseToStore | null): Promise<boolean>
  list(): Promise<Endpoint[]>
  get(id: string): Promise<Endpoint | null>
  /**
   * Changes only fields that differ. Throws `RegistryError` with `version_conflict` if the endpoint does not meet the
   * precondition.
   */
  update(
    id: string,
    changes: EndpointChanges,
    nowMs: number,
    precondition?: Precondition | null,
  ): Promise<Endpoint | null>
  /** Replaces the secrets only if the endpoint is still in the version that the caller has read. */
  replaceSecrets(
    id: string,
    seen: Endpoint,
    secrets: Secret[],
    nowMs: number,
    response: ResponseToStore | null,
  ): Promise<boolean>
  /** Returns false if there was no such endpoint. Throws as `update` does. */
  remove(id: string, nowMs: number, precondition?: Precondition | null): Promise<boolean>
  deliveries(id: string, query: DeliveryQuery): Promise<DeliveryPage>
  /** Sends at most `eventsMax` events again. Returns null if there is no such event for this endpoint. */
  redeliver(endpoint: Endpoint, which: Redelivery, eventsMax: number, nowMs: number): Promise<Redelivered | null>
  /** Returns whether at least `count` deliveries of the endpoint wait for a slot. */
  hasWaiting(id: string, count: number): Promise<boolean>
  /**
   * Makes waiting deliveries of an enabled endpoint due now, a bounded number. Returns null if the endpoint has no such
   * pending delivery.
   */
  hurry(id: string, which: Waiting, nowMs: number): Promise<Hurried | null>
}

export interface EndpointDeps extends PostDeps {
  scope: Scope
  store: EndpointStore
  newId: NewId
  /** Enqueues deliveries. Never throws: the sweep finds those that were not enqueued. */
  enqueueDeliveries(endpointId: string, customerIds: readonly string[]): Promise<void>
}
