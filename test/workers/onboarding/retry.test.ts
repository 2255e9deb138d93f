import { afterEach, expect, it, vi } from 'vitest'
import { call, newCustomer } from '../support/roster.ts'
import { configure, RECEIVER, receive, runOf, tenantWith, waitForRun } from './support.ts'

afterEach(() => vi.restoreAllMocks())

const REPAIRED = 'http://localhost:9/repaired'
const webhook = (url: string) => ({ type: 'webhook', name: 'billing', url })

function retry(key: string, customerId: string) {
  return call('POST', `/v1/customers/${customerId}/onboarding/retry`, { key })
}

it('attempts a failing step now, at the URL of the settings as they are now, and repeats no step that is done', async () => {
  const { key } = await tenantWith([{ type: 'set_metadata', metadata: { plan: 'trial' } }, webhook(RECEIVER)])
  const urls: string[] = []
  receive((_, { url }) => {
    urls.push(url)
    return url === REPAIRED ? new Response() : new Response(null, { status: 500 })
  })
  const { id } = await newCustomer(key)
  await vi.waitUntil(async () => (await runOf(key, id)).steps[1].error !== null, { timeout: 120_000, interval: 50 })
  await configure(key, { default: { steps: [webhook(REPAIRED), webhook(REPAIRED)] } })
  const { status, body } = await retry(key, id)
  expect([status, body.status]).toEqual([202, 'running'])
  const run = await waitForRun(key, id, 'completed')
  expect(run.steps.map((step: { status: string; error: unknown }) => [step.status, step.error])).toEqual([
    ['completed', null],
    ['completed', null],
  ])
  expect([urls[0], urls.at(-1)]).toEqual([RECEIVER, REPAIRED])
  const { headers } = await call('GET', `/v1/customers/${id}`, { key })
  expect(headers.get('etag')).toBe('"2"')
  expect((await retry(key, id)).body).toEqual(await runOf(key, id))
})

it('changes nothing for a step that waits, and is not found for a customer without an onboarding', async () => {
  const { key } = await tenantWith([{ type: 'wait_for', signal: 'go', timeout_seconds: 3_600 }])
  const { id } = await newCustomer(key)
  const waiting = await waitForRun(key, id, 'waiting', 0)
  expect([(await retry(key, id)).body, await runOf(key, id)]).toEqual([waiting, waiting])
  const { id: other } = await newCustomer(key, { skip_onboarding_workflow: true })
  expect((await retry(key, other)).status).toBe(404)
})
