/** Shared by the tests of onboarding: settings, runs as v1 shows them, and a tenant's system inside of the test. */
import { createExecutionContext, introspectWorkflow } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { and, eq } from 'drizzle-orm'
import { vi } from 'vitest'
import { services } from '../../../src/composition/services.ts'
import type { Performer } from '../../../src/onboarding/perform.ts'
import type { CustomerChanges, Scope } from '../../../src/registry/customer.ts'
import { onboardingRuns } from '../../../src/storage/schema/webhook-tables.ts'
import { commit, creation, db } from '../storage/support.ts'
import { call, newTenant } from '../support/roster.ts'

export const SETTINGS = '/v1/settings/customer_onboarding'
/** Nothing listens there: `receive` answers for it. */
export const RECEIVER = 'http://localhost:9/hook'

export interface Onboarded extends Scope {
  key: string
}

/** Creates a tenant whose new customers go through these steps when they name no workflow. */
export async function tenantWith(steps: object[]): Promise<Onboarded & { secret: string }> {
  const { tenantId, live } = await newTenant()
  return { tenantId, mode: 'live', key: live.key, secret: await configure(live.key, { default: { steps } }) }
}

/** Returns the secret that signs, if these are the first settings. */
export async function configure(key: string, workflows: object): Promise<string> {
  const { status, text, body } = await call('PUT', SETTINGS, { key, body: { workflows } })
  if (status !== 200) throw new Error(`expected settings, got ${status} ${text}`)
  return body.secret
}

/** Returns the run of a customer, as v1 shows it. */
export async function runOf(key: string, customerId: string) {
  const { status, text, body } = await call('GET', `/v1/customers/${customerId}/onboarding`, { key })
  if (status !== 200) throw new Error(`expected a run, got ${status} ${text}`)
  return body
}

/** Waits until the run, or one of its steps, has this status. */
export async function waitForRun(key: string, customerId: string, status: string, step?: number) {
  return vi.waitUntil(
    async () => {
      const run = await runOf(key, customerId)
      return (step === undefined ? run.status : run.steps[step].status) === status && run
    },
    { timeout: 120_000, interval: 50 },
  )
}

export function signal(key: string, customerId: string, name: string) {
  return call('POST', `/v1/customers/${customerId}/onboarding/signal`, { key, body: { signal: name } })
}

/** Returns the events of a customer, oldest first. */
export async function eventsOf(key: string, customerId: string) {
  const { body } = await call('GET', `/v1/customers/${customerId}/events?limit=100`, { key })
  return body.items.toReversed()
}

export async function typesOf(key: string, customerId: string): Promise<string[]> {
  return (await eventsOf(key, customerId)).map(({ type }: { type: string }) => type)
}

export interface Received {
  url: string
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON was sent
  body: any
}

/**
 * Stands in for a tenant's system: `answer` returns its response to the first, the second, … request. Returns the requests.
 */
export function receive(answer: (at: number, request: Received) => Response | Promise<Response>): Received[] {
  const received: Received[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const text = await request.text()
    const one = { url: request.url, headers: request.headers, text, body: JSON.parse(text) }
    return answer(received.push(one) - 1, one)
  })
  return received
}

/** Creates a customer with its run and no message in the queue, as if the message were lost. */
export async function createdBehindTheGate(scope: Scope, fields: CustomerChanges = {}): Promise<{ id: string }> {
  const made = await commit(scope, creation(fields))
  if (!made.ok) throw new Error(made.failure.reason)
  return { id: made.customer.id }
}

/** Makes every run that begins from now on neither sleep nor wait between attempts. */
export async function hurry() {
  const all = await introspectWorkflow(env.ONBOARDING)
  await all.modifyAll(async (instance) => {
    await instance.disableSleeps()
    await instance.disableRetryDelays()
  })
  return all
}

/** Returns the performer of the steps of a run, without the engine. */
export function performerOf({ tenantId, mode }: Scope, customerId: string): Performer {
  return services.performer(env, createExecutionContext(), { tenantId, mode, customerId })
}

/** Puts a row into a state that only a crash at the wrong moment would leave. */
export async function setRun(
  { tenantId, mode }: Scope,
  customerId: string,
  state: Partial<typeof onboardingRuns.$inferInsert>,
): Promise<void> {
  const { meta } = await db
    .update(onboardingRuns)
    .set(state)
    .where(
      and(
        eq(onboardingRuns.tenantId, tenantId),
        eq(onboardingRuns.mode, mode),
        eq(onboardingRuns.customerId, customerId),
      ),
    )
  if (meta.changes === 0) throw new Error('there is no such run')
}

export async function rowOf({ tenantId, mode }: Scope, customerId: string) {
  const [row] = await db
    .select()
    .from(onboardingRuns)
    .where(
      and(
        eq(onboardingRuns.tenantId, tenantId),
        eq(onboardingRuns.mode, mode),
        eq(onboardingRuns.customerId, customerId),
      ),
    )
  return row
}
