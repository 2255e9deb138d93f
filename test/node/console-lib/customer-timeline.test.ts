/** The timeline of a customer. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  deliveryText,
  type LoggedChange,
  type LoggedDelivery,
  type LoggedStep,
  stepText,
  timelineOf,
} from '../../../console/src/lib/customer-timeline.ts'

const CUSTOMER = 'cust_1'
const ENDPOINT = { id: 'whe_1', url: 'https://hooks.acme.com/roster?token=secret', description: '' }

const at = (second: number) => new Date(1_764_000_000_000 + second * 1_000).toISOString()

function change(id: string, second: number): LoggedChange {
  const data = { customer: null, previous_attributes: {}, version: 1, actor: 'key_1', request_id: null, detail: null }
  return { id, type: 'customer.updated', timestamp: at(second), data }
}

function delivery(id: string, second: number, overrides: Partial<LoggedDelivery> = {}): LoggedDelivery {
  return {
    id,
    event_id: 'evt_1',
    event_type: 'customer.updated',
    customer_id: CUSTOMER,
    status: 'delivered',
    next_attempt_at: null,
    created_at: at(second),
    finished_at: null,
    attempts: [],
    ...overrides,
  }
}

function step(name: string, begun: number | null, overrides: Partial<LoggedStep> = {}): LoggedStep {
  return {
    name,
    type: 'webhook',
    signal: null,
    status: 'completed',
    attempts: 1,
    started_at: begun === null ? null : at(begun),
    finished_at: null,
    error: null,
    ...overrides,
  }
}

const seconds = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 8 })

it('shows everything once, newest first', () => {
  fc.assert(
    fc.property(seconds, seconds, seconds, (changed, delivered, stepped) => {
      const entries = timelineOf({
        customerId: CUSTOMER,
        events: changed.map((second, index) => change(`evt_${index}`, second)),
        reasons: new Map(),
        deliveries: delivered.map((second, index) => ({
          endpoint: ENDPOINT,
          delivery: delivery(`whd_${index}`, second),
        })),
        steps: stepped.map((second, index) => step(`step ${index}`, second)),
      })
      const times = entries.map((entry) => Date.parse(entry.at))
      expect(times).toEqual(times.toSorted((a, b) => b - a))
      expect(new Set(entries.map(({ id }) => id)).size).toBe(changed.length + delivered.length + stepped.length)
    }),
  )
})

it('puts what a change caused above it, even within one millisecond', () => {
  const entries = timelineOf({
    customerId: CUSTOMER,
    events: [change('evt_1', 1)],
    reasons: new Map([['evt_1', 'Ticket 4711']]),
    deliveries: [{ endpoint: ENDPOINT, delivery: delivery('whd_1', 1) }],
    steps: [step('Welcome', 1)],
  })
  expect(entries.map(({ kind }) => kind)).toEqual(['delivery', 'step', 'change'])
  expect(entries.at(-1)).toMatchObject({ reason: 'Ticket 4711' })
})

it('leaves out deliveries of other customers and steps that have not begun', () => {
  const entries = timelineOf({
    customerId: CUSTOMER,
    events: [],
    reasons: new Map(),
    deliveries: [{ endpoint: ENDPOINT, delivery: delivery('whd_1', 1, { customer_id: 'cust_2' }) }],
    steps: [step('Welcome', null)],
  })
  expect(entries).toEqual([])
})

it('tells a delivery by its host, its last answer and its attempt, and never shows the query of a URL', () => {
  const failed = { at: at(1), duration_ms: 30, status_code: 500, error: null, answer: 'no' }
  const attempts = [
    { ...failed, number: 1 },
    { ...failed, number: 2, status_code: 200, duration_ms: 12 },
  ]
  expect(deliveryText(delivery('whd_1', 1, { attempts }), ENDPOINT)).toBe(
    'Webhook delivered to hooks.acme.com: 200 in 12 ms, attempt 2',
  )
  expect(deliveryText(delivery('whd_1', 1, { status: 'failed', attempts: [{ ...failed, number: 1 }] }), ENDPOINT)).toBe(
    'Webhook to hooks.acme.com given up: 500',
  )
  const waiting = {
    status: 'pending' as const,
    next_attempt_at: at(9),
    attempts: [{ ...failed, number: 1, status_code: null, error: 'timeout' }],
  }
  expect(deliveryText(delivery('whd_1', 1, waiting), ENDPOINT)).toBe(
    'Webhook to hooks.acme.com failed: timeout; it will be tried again',
  )
  expect(deliveryText(delivery('whd_1', 1, { status: 'pending' }), { ...ENDPOINT, url: 'not a url' })).toBe(
    'Webhook to not a url is waiting',
  )
  expect(deliveryText(delivery('whd_1', 1, { status: 'pending' }), { ...ENDPOINT, description: 'CRM' })).toBe(
    'Webhook to CRM (hooks.acme.com) is waiting',
  )
})

it('tells a step by its number and name, and what it waits for or failed with', () => {
  expect(stepText(step('Welcome', 1), 1)).toBe('Onboarding step 1, Welcome: completed')
  expect(stepText(step('Contract', 1, { status: 'waiting', signal: 'contract_signed' }), 2)).toBe(
    'Onboarding step 2, Contract: waits for the signal contract_signed',
  )
  expect(stepText(step('Call', 1, { status: 'failed', error: '500' }), 3)).toBe('Onboarding step 3, Call: failed, 500')
})
