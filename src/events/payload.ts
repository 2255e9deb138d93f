/**
 * Builds the payload of an event in the shape of the v1 API, for the log and for the request to an endpoint. Pure. All
 * of it was fixed at the time of the change; only an erasure removes something later.
 */
import { shownProfile } from '../formats/profile.ts'
import { toV1, toV1Integration, type V1CustomerAlone, type V1Integration } from '../formats/v1-customer.ts'
import type { Customer } from '../registry/customer.ts'
import { utf8 } from '../shared/bytes.ts'
import { isoTime } from '../shared/clock.ts'
import { type EventType, TRUNCATABLE } from './catalogue.ts'
import type { LoggedEvent } from './event.ts'

/** Many receivers accept no more than this by default. */
export const EVENT_BODY_BYTES_MAX = 20 * 1024

type Truncated = (typeof TRUNCATABLE)[number]

/**
 * The customer with every field that a change of it can touch: also those that only the FlatPeak API has, under
 * `profile`, in the shape of that API.
 */
type EventCustomer = V1CustomerAlone & { integrations: V1Integration[]; profile: Record<string, unknown> }

export interface EventPayload {
  id: string
  type: EventType
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
      customer: event.after && toEventCustomer(event.after),
      previous_attributes: event.before && event.after ? previousAttributes(event.before, event.after) : {},
      version: event.version,
      actor: event.actor,
      request_id: event.requestId,
      detail: event.detail,
    },
  }
}

/**
 * Returns JSON text of at most 20 KB. Fields that do not fit are left out, least important first, and `data.truncated`
 * names them.
 */
export function bodyOf(event: LoggedEvent): string {
  const payload = payloadOf(event)
  const truncated: Truncated[] = []
  let body = textOf(payload)
  for (const part of TRUNCATABLE) {
    if (utf8(body).length <= EVENT_BODY_BYTES_MAX) break
    // Only the events of a merge and an unmerge say what moved.
    if (part === 'moved' && !(payload.data.detail && 'moved' in payload.data.detail)) continue
    truncated.push(part)
    body = textOf({ ...payload, data: { ...without(payload.data, truncated), truncated } })
  }
  return body
}

/** Adds FlexPrice's shape beside the payload, so that receivers made for either understand it. */
function textOf(payload: EventPayload): string {
  return JSON.stringify({ ...payload, event_type: payload.type, customer: payload.data.customer })
}

function without(data: EventPayload['data'], parts: Truncated[]): EventPayload['data'] {
  const { customer, detail } = data
  return {
    ...data,
    ...(parts.includes('moved') && detail && 'moved' in detail && { detail: withoutMoved(detail) }),
    ...(parts.includes('previous_attributes') && { previous_attributes: {} }),
    customer: customer && {
      ...customer,
      ...(parts.includes('profile') && { profile: {} }),
      ...(parts.includes('integrations') && { integrations: [] }),
      ...(parts.includes('metadata') && { metadata: {} }),
    },
  }
}

function withoutMoved(detail: Record<string, unknown>): Record<string, unknown> {
  return { ...detail, moved: null, ...('kept' in detail && { kept: null }) }
}

/** Returns the customer as events and the calls of onboarding show it. */
export function toEventCustomer(customer: Customer): EventCustomer {
  const integrations = customer.integrations.map(toV1Integration)
  return { ...toV1(customer), integrations, profile: shownProfile(customer.profile) }
}

/** Fields that change with every event and so carry no information. */
const ALWAYS_CHANGED = new Set(['updated_at', 'updated_by'])

/** Returns the fields of `data.customer` that had another value before, with that value. */
function previousAttributes(before: Customer, after: Customer): Record<string, unknown> {
  const present = new Map(Object.entries(toEventCustomer(after)))
  const changed = Object.entries(toEventCustomer(before)).filter(
    ([name, value]) => !ALWAYS_CHANGED.has(name) && inKeyOrder(value) !== inKeyOrder(present.get(name)),
  )
  return Object.fromEntries(changed)
}

/** Returns JSON with the keys of each object sorted: another order of the keys is no change. */
function inKeyOrder(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
