/**
 * One line of time for a customer: its changes, the deliveries of its events, and the steps of its onboarding. Pure.
 */
import { type Change, changesOfEvent } from './changes.ts'

/** A change of the customer, as the event log has it. */
export interface LoggedChange {
  id: string
  type: string
  timestamp: string
  data: {
    customer: object | null
    previous_attributes: Record<string, unknown>
    version: number
    actor: string
    request_id: string | null
    detail: Record<string, unknown> | null
  }
}

export interface LoggedDelivery {
  id: string
  event_id: string
  event_type: string | null
  customer_id: string | null
  status: 'pending' | 'delivered' | 'failed'
  next_attempt_at: string | null
  created_at: string
  finished_at: string | null
  attempts: {
    number: number
    at: string
    duration_ms: number
    status_code: number | null
    error: string | null
    answer: string | null
  }[]
}

export interface LoggedStep {
  name: string
  type: string
  signal: string | null
  status: string
  attempts: number
  started_at: string | null
  finished_at: string | null
  error: string | null
}

export interface EndpointName {
  id: string
  url: string
  description: string
}

export type TimelineEntry =
  | { kind: 'change'; at: string; id: string; event: LoggedChange; changes: Change[]; reason: string | null }
  | { kind: 'delivery'; at: string; id: string; delivery: LoggedDelivery; endpoint: EndpointName }
  | { kind: 'step'; at: string; id: string; step: LoggedStep; number: number }

interface Sources {
  customerId: string
  events: readonly LoggedChange[]
  /** Reasons by the id of their event: the event log does not show them to tenants. */
  reasons: ReadonlyMap<string, string>
  deliveries: readonly { endpoint: EndpointName; delivery: LoggedDelivery }[]
  steps: readonly LoggedStep[]
}

/** Returns the entries, newest first. A step that has not begun is not in it, nor a delivery of another customer. */
export function timelineOf({ customerId, events, reasons, deliveries, steps }: Sources): TimelineEntry[] {
  const entries: TimelineEntry[] = [
    ...events.map((event) => ({
      kind: 'change' as const,
      at: event.timestamp,
      id: event.id,
      event,
      changes: changesOfEvent(event.data),
      reason: reasons.get(event.id) ?? null,
    })),
    ...deliveries
      .filter(({ delivery }) => delivery.customer_id === customerId)
      .map(({ endpoint, delivery }) => ({
        kind: 'delivery' as const,
        at: delivery.attempts.at(-1)?.at ?? delivery.created_at,
        id: `${endpoint.id} ${delivery.id}`,
        endpoint,
        delivery,
      })),
    ...steps.flatMap((step, index) => {
      const at = step.finished_at ?? step.started_at
      return at === null ? [] : [{ kind: 'step' as const, at, id: `step ${index}`, step, number: index + 1 }]
    }),
  ]
  return entries.sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || RANK[b.kind] - RANK[a.kind])
}

/** The order of things of one millisecond: a change causes the others. */
const RANK = { change: 0, step: 1, delivery: 2 }

/** Returns how a delivery went, such as "Webhook delivered to acme.com: 200 in 120 ms, attempt 2". */
export function deliveryText({ status, attempts, next_attempt_at }: LoggedDelivery, endpoint: EndpointName): string {
  const { url, description } = endpoint
  const host = description === '' ? hostOf(url) : `${description} (${hostOf(url)})`
  const last = attempts.at(-1)
  const answered =
    last === undefined
      ? 'no attempt yet'
      : last.status_code === null
        ? (last.error ?? 'no answer')
        : `${last.status_code}`
  const tries = attempts.length > 1 ? `, attempt ${last?.number}` : ''
  const took = last === undefined ? '' : ` in ${last.duration_ms} ms`
  if (status === 'delivered') return `Webhook delivered to ${host}: ${answered}${took}${tries}`
  if (status === 'failed') return `Webhook to ${host} given up: ${answered}${tries}`
  return next_attempt_at === null || last === undefined
    ? `Webhook to ${host} is waiting`
    : `Webhook to ${host} failed: ${answered}${tries}; it will be tried again`
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url
}

/** Returns how a step of the onboarding went. */
export function stepText({ name, status, signal, error }: LoggedStep, number: number): string {
  const label = `Onboarding step ${number}, ${name}`
  if (status === 'failed') return `${label}: failed${error ? `, ${error}` : ''}`
  if (status === 'waiting' && signal !== null) return `${label}: waits for the signal ${signal}`
  return `${label}: ${status}`
}
