/**
 * What is told of an event, in the words of the v1 doors: the payload that the log answers, and the body that endpoints are
 * sent. Pure. Everything in it was fixed at the time of the change; only an erasure takes something away later.
 */
import { toV1, toV1Integration, type V1Customer } from '../dialects/flexprice-customer.ts'
import type { Customer } from '../registry/customer.ts'
import { utf8 } from '../shared/bytes.ts'
import { isoTime } from '../shared/clock.ts'
import { TRUNCATABLE } from './catalogue.ts'
import type { LoggedEvent } from './event.ts'

/** Receivers commonly take no more than this; none should have to be asked. */
export const BODY_BYTES_MAX = 20 * 1024

type Truncated = (typeof TRUNCATABLE)[number]

export type EventCustomer = V1Customer & { integrations: object[] }

export interface EventPayload {
  id: string
  type: string
  timestamp: string
  data: {
    customer: EventCustomer | null
    previous_attributes: Record<string, unknown>
    version: number
    actor: string
    request_id: string | null
    detail: Record<string, unknown> | null
    truncated?: Truncated[]
  }
}

export function payloadOf(event: LoggedEvent): EventPayload {
  return {
    id: event.id,
    type: event.type,
    timestamp: isoTime(event.createdAtMs),
    data: {
      customer: event.after && shown(event.after),
      previous_attributes: event.before && event.after ? previousAttributes(event.before, event.after) : {},
      version: event.version,
      actor: event.actor,
      request_id: event.requestId,
      detail: event.detail,
    },
  }
}

/** JSON text of at most 20 KB. What does not fit is left out, the least needed first, and `data.truncated` names it. */
export function bodyOf(event: LoggedEvent): string {
  const payload = payloadOf(event)
  const truncated: Truncated[] = []
  let body = textOf(payload)
  for (const part of TRUNCATABLE) {
    if (utf8(body).length <= BODY_BYTES_MAX) break
    truncated.push(part)
    body = textOf({ ...payload, data: { ...without(payload.data, truncated), truncated } })
  }
  return body
}

/** With FlexPrice's shape beside the payload, so that receivers made for either understand it. */
function textOf(payload: EventPayload): string {
  return JSON.stringify({ ...payload, event_type: payload.type, customer: payload.data.customer })
}

function without(data: EventPayload['data'], parts: Truncated[]): EventPayload['data'] {
  const { customer } = data
  return {
    ...data,
    ...(parts.includes('previous_attributes') && { previous_attributes: {} }),
    customer: customer && {
      ...customer,
      ...(parts.includes('integrations') && { integrations: [] }),
      ...(parts.includes('metadata') && { metadata: {} }),
    },
  }
}

function shown(customer: Customer): EventCustomer {
  return { ...toV1(customer), integrations: customer.integrations.map(toV1Integration) }
}

/** Change with every event, so they say nothing. */
const ALWAYS_CHANGED = new Set(['updated_at', 'updated_by'])

/** What the v1 doors have no word for is told under the name it has in the registry. */
function previousAttributes(before: Customer, after: Customer): Record<string, unknown> {
  const previous = { ...shown(before), profile: before.profile }
  const present: Record<string, unknown> = { ...shown(after), profile: after.profile }
  return Object.fromEntries(
    Object.entries(previous).filter(
      ([name, value]) => !ALWAYS_CHANGED.has(name) && JSON.stringify(value) !== JSON.stringify(present[name]),
    ),
  )
}
