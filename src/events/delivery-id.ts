/**
 * The id of a delivery as the APIs show it: the event and the time of the delivery, which its tenant knows anyway. The
 * number of its row is one counter for all tenants, and would show each how much the others send. Pure.
 */
import { decodeTime, encodeTime } from 'ulid'

const PREFIX = 'whd_'
const EVENT_PREFIX = 'evt_'
const TIME_LENGTH = 10
/** The random part of a ULID. `decodeTime` takes whole ones only. */
const NO_RANDOM = '0'.repeat(16)
const SHOWN = /^whd_([0-9A-HJKMNP-TV-Z]{26})([0-7][0-9A-HJKMNP-TV-Z]{9})$/

/** Names one delivery of an endpoint: an event is sent again only after it was delivered or given up. */
export interface DeliveryName {
  eventId: string
  createdAtMs: number
}

export function deliveryIdOf({ eventId, createdAtMs }: DeliveryName): string {
  return PREFIX + eventId.slice(EVENT_PREFIX.length) + encodeTime(createdAtMs, TIME_LENGTH)
}

/** Returns null for a text that is not the id of a delivery. */
export function readDeliveryId(text: string): DeliveryName | null {
  const [, event, time] = SHOWN.exec(text) ?? []
  if (event === undefined || time === undefined) return null
  return { eventId: EVENT_PREFIX + event, createdAtMs: decodeTime(time + NO_RANDOM) }
}
