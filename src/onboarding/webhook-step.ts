/**
 * Interprets the response to a `webhook` step and returns the changes it asks Roster to store. Pure; step-format.ts has
 * the wire format.
 */
import type { BodyBounds, Posted } from '../events/deliver.ts'
import { type Customer, type CustomerChanges, type Integration, LIMITS } from '../registry/customer.ts'
import { utf8 } from '../shared/bytes.ts'
import { SECOND_MS } from '../shared/durations.ts'
import type { Run } from './run.ts'

/** Fifty keys of metadata are 30 KB, and a payment provider's data about a customer is less. */
const STEP_RESPONSE_BYTES_MAX = 64 * 1024
/** Unlike that of a webhook, the body of a response to a step has data. */
export const STEP_RESPONSE_BOUNDS: BodyBounds = { bytesMax: STEP_RESPONSE_BYTES_MAX, timeoutMs: 10 * SECOND_MS }

/** Wire format of a step: writes the request to a tenant's system and reads its response. */
export interface StepFormat {
  body(run: Run, at: number, customer: Customer): string
  read(answer: string): StepResponse | { error: string }
}

/** Null or empty: the response asks for no change. */
interface StepResponse {
  error?: undefined
  metadata: Record<string, string | null> | null
  integrations: Integration[] | null
}

/** `final`: another attempt would get the same response. */
export type StepResult = { changes: CustomerChanges | null } | { error: string; final: boolean }

/**
 * Returns the same id whenever the step is run, so that the receiver can recognise a repeat. It is signed, so it must
 * contain no full stop.
 */
export function webhookIdOf(customerId: string, at: number): string {
  return `onboarding_${customerId}_${at + 1}`
}

const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429

export function resultOfResponse(
  { statusCode, error, answer, isCut }: Posted,
  customer: Customer,
  format: StepFormat,
): StepResult {
  if (statusCode === null || answer === null) {
    return { error: error ?? 'connection_failed', final: error === 'destination_refused' }
  }
  if (error === 'connection_failed' || error === 'refused_by_cloudflare') {
    return { error: `${error} (${statusCode})`, final: false }
  }
  if (statusCode < 200 || statusCode >= 300) {
    const isRetryable = statusCode >= 500 || statusCode === REQUEST_TIMEOUT || statusCode === TOO_MANY_REQUESTS
    return { error: `answered ${statusCode}`, final: !isRetryable }
  }
  if (isCut) {
    return {
      error: `answered ${statusCode} with a body that broke off or is not in its content-encoding`,
      final: false,
    }
  }
  if (utf8(answer).length >= STEP_RESPONSE_BYTES_MAX) {
    return { error: `answered with ${STEP_RESPONSE_BYTES_MAX} bytes or more`, final: true }
  }
  const response = format.read(answer)
  return response.error === undefined ? resultOf(response, customer) : { error: response.error, final: true }
}

function resultOf({ metadata, integrations }: StepResponse, customer: Customer): StepResult {
  const changes: CustomerChanges = {}
  if (metadata && Object.keys(metadata).length > 0) changes.metadata = { merge: metadata }
  if (integrations && integrations.length > 0) {
    changes.integrations = mergedIntegrations(customer.integrations, integrations)
    if (changes.integrations.length > LIMITS.integrationsMax) {
      return { error: `would leave the customer with more than ${LIMITS.integrationsMax} integrations`, final: true }
    }
  }
  return { changes: Object.keys(changes).length > 0 ? changes : null }
}

/** Adds integrations and replaces those with the same provider and id. The order stays. */
function mergedIntegrations(current: readonly Integration[], received: readonly Integration[]): Integration[] {
  const keyOf = ({ provider, id }: Integration) => JSON.stringify([provider, id])
  const merged = new Map(current.map((integration) => [keyOf(integration), integration]))
  for (const integration of received) merged.set(keyOf(integration), integration)
  return [...merged.values()]
}
