/**
 * A `webhook` step: what its answer means, and what it has Roster store. Pure; how the two are spelled is the door's.
 */
import type { Posted } from '../events/deliver.ts'
import { type Customer, type CustomerChanges, type Integration, LIMITS } from '../registry/customer.ts'
import { utf8 } from '../shared/bytes.ts'
import type { Run } from './run.ts'

/** Fifty keys of metadata are 30 KB; what a payment provider tells of a customer is less. */
export const STEP_ANSWER_BYTES_MAX = 64 * 1024

/** How a step is told, and what an answer says, in the words of the tenant's systems. */
export interface StepWords {
  body(run: Run, at: number, customer: Customer): string
  read(answer: string): ToldByAnswer | { error: string }
}

/** Null or empty: nothing was told. */
interface ToldByAnswer {
  error?: undefined
  metadata: Record<string, string | null> | null
  integrations: Integration[] | null
}

/** `final`: another attempt would be answered the same. */
export type StepResult = { changes: CustomerChanges | null } | { error: string; final: boolean }

/** The same whenever the step is run, so that the receiver can tell a repeat. It is signed, so it holds no full stop. */
export function webhookIdOf(customerId: string, at: number): string {
  return `onboarding_${customerId}_${at + 1}`
}

const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429

export function resultOfAnswer(
  { statusCode, error, answer }: Posted,
  customer: Customer,
  words: StepWords,
): StepResult {
  if (statusCode === null || answer === null) {
    return { error: error ?? 'connection_failed', final: error === 'destination_refused' }
  }
  if (statusCode < 200 || statusCode >= 300) {
    const mayPass = statusCode >= 500 || statusCode === REQUEST_TIMEOUT || statusCode === TOO_MANY_REQUESTS
    return { error: `answered ${statusCode}`, final: !mayPass }
  }
  if (utf8(answer).length >= STEP_ANSWER_BYTES_MAX) {
    return { error: `answered with ${STEP_ANSWER_BYTES_MAX} bytes or more`, final: true }
  }
  const told = words.read(answer)
  return told.error === undefined ? resultOf(told, customer) : { error: told.error, final: true }
}

function resultOf({ metadata, integrations }: ToldByAnswer, customer: Customer): StepResult {
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

/** An entity that is known already takes what is told of it now; the order stays. */
function mergedIntegrations(known: readonly Integration[], told: readonly Integration[]): Integration[] {
  const keyOf = ({ provider, id }: Integration) => JSON.stringify([provider, id])
  const merged = new Map(known.map((integration) => [keyOf(integration), integration]))
  for (const integration of told) merged.set(keyOf(integration), integration)
  return [...merged.values()]
}
