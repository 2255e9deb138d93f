/**
 * What the operations on webhook endpoints need of the world: where they and their deliveries are kept, a queue, time, ids,
 * and a way to send. Of one tenant and mode each; storage and wiring supply them.
 */
import type { Scope } from '../registry/customer.ts'
import type { AnswerStore, KeptAnswer } from '../registry/once.ts'
import type { NewId } from '../shared/ids.ts'
import type { EventType } from './catalogue.ts'
import type { PostDeps } from './deliver.ts'
import type { Attempted } from './outbox.ts'
import type { Secret } from './signature.ts'

export interface Endpoint {
  id: string
  url: string
  description: string
  /** Null: all, those to come too. */
  eventTypes: EventType[] | null
  enabled: boolean
  /** Why it was disabled when nobody asked for it. */
  disabledReason: 'gone' | 'failing' | null
  /** Since when every attempt has failed; null when the last one went well. */
  failingSinceMs: number | null
  /** The first signs for good, the others until they expire. Never shown, never logged. */
  secrets: Secret[]
  createdAtMs: number
  updatedAtMs: number
  createdBy: string
}

/** Absent is kept. */
export interface EndpointChanges {
  url?: string | undefined
  description?: string | undefined
  eventTypes?: EventType[] | null | undefined
  enabled?: boolean | undefined
}

export interface Delivery {
  id: number
  eventId: string
  /** Null once the event has left the log. */
  eventType: string | null
  customerId: string | null
  status: 'pending' | 'delivered' | 'failed'
  /** Null when it is done, or waits for an earlier event of its customer. */
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

/** Deliveries lie in the order of their events, and an event that was sent anew has several. */
export interface DeliveryPlace {
  eventId: string
  id: number
}

export interface DeliveryPage {
  deliveries: Delivery[]
  /** Where the next page begins; null: there is none. A page may be short, or empty, and have one. */
  next: DeliveryPlace | null
}

/** Which events are to be sent once more. */
export type Redelivery =
  | { kind: 'event'; eventId: string }
  /** Whatever was given up and not sent since. */
  | { kind: 'failed'; afterId: string | null }
  /** Whatever the endpoint wants of the log from then on, also what happened while it was disabled. */
  | { kind: 'since'; sinceMs: number; afterId: string | null }

export interface Redelivered {
  /** Of how many events. Those that are still to be sent anyway are left out. */
  count: number
  /** Whose. */
  customerIds: string[]
  /** The event after which the next call goes on; null: that was all. */
  nextAfterId: string | null
}

/** Every method is one batch; an answer to be kept is kept if the change was made. Null: there is no such endpoint. */
export interface EndpointStore extends AnswerStore {
  /** False: there are as many as there may be. */
  insert(endpoint: Endpoint, kept: KeptAnswer | null): Promise<boolean>
  list(): Promise<Endpoint[]>
  get(id: string): Promise<Endpoint | null>
  update(id: string, changes: EndpointChanges, nowMs: number): Promise<Endpoint | null>
  /** Only if the secrets are still those that the caller has seen. */
  replaceSecrets(
    id: string,
    seen: readonly Secret[],
    secrets: Secret[],
    nowMs: number,
    kept: KeptAnswer | null,
  ): Promise<boolean>
  /** False: there was none. */
  remove(id: string): Promise<boolean>
  deliveries(id: string, query: DeliveryQuery): Promise<DeliveryPage>
  /** Null: there is no such event for this endpoint. */
  redeliver(endpoint: Endpoint, which: Redelivery, nowMs: number): Promise<Redelivered | null>
}

export interface EndpointDeps extends PostDeps {
  scope: Scope
  store: EndpointStore
  newId: NewId
  /** Says through the queue that there is something to deliver. Never throws: the sweep would say it too. */
  announce(endpointId: string, customerIds: readonly string[]): Promise<void>
}
