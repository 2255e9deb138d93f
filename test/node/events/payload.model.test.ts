import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventCustomer } from '../../../openapi/v1/shared-responses.ts'
import { EVENT_TYPES, payloadSchema, webhookBodySchema } from '../../../src/events/catalogue.ts'
import type { LoggedEvent } from '../../../src/events/event.ts'
import { bodyOf, EVENT_BODY_BYTES_MAX, type EventPayload, payloadOf } from '../../../src/events/payload.ts'
import { type Customer, LIMITS } from '../../../src/registry/customer.ts'
import { CUSTOMER_FIELDS, optionalTexts } from '../../../src/registry/customer-fields.ts'

/** The most expensive characters in JSON: a control character takes six bytes, an emoji four. */
const text = (lengthMax: number) =>
  fc
    .array(fc.constantFrom('a', 'é', '\u0001', '😀', '"'), { maxLength: lengthMax, size: 'max' })
    .map((chars) => chars.join(''))

const customer: fc.Arbitrary<Customer> = fc.record({
  tenantId: fc.constant('0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e'),
  mode: fc.constantFrom('live' as const, 'test' as const),
  id: fc.constant('cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'),
  externalId: text(LIMITS.externalIdLengthMax).map((value) => value || 'x'),
  ...optionalTexts((name) => fc.option(text(CUSTOMER_FIELDS[name].lengthMax))),
  email: fc.option(fc.constant('billing@acme.com')),
  addressCountry: fc.option(fc.constant('US')),
  timezone: fc.constant('Europe/Berlin'),
  parentId: fc.option(fc.constant('cust_01JD3VQ4X8N2M7R5T9W6YBZKCF')),
  metadata: fc.dictionary(text(LIMITS.metadataKeyLengthMax), text(LIMITS.metadataValueLengthMax), {
    maxKeys: LIMITS.metadataKeysMax,
    size: 'max',
  }),
  integrations: fc.array(fc.record({ provider: text(100), id: text(255) }), { maxLength: LIMITS.integrationsMax }),
  profile: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }) as fc.Arbitrary<Record<string, unknown>>,
  status: fc.constantFrom('published' as const, 'draft' as const, 'archived' as const),
  version: fc.integer({ min: 1, max: 1_000_000 }),
  createdAtMs: fc.integer({ min: 0, max: 4e12 }),
  updatedAtMs: fc.integer({ min: 0, max: 4e12 }),
  createdBy: fc.constant('key_01JD3VQ4X8N2M7R5T9W6YBZKCE'),
  updatedBy: text(LIMITS.nameLengthMax),
})

/** Those whose events have no detail. */
const CHANGES = EVENT_TYPES.filter((type) => !/merged|onboarding|^webhook/.test(type))

const event: fc.Arbitrary<LoggedEvent> = fc
  .record({
    type: fc.constantFrom(...CHANGES),
    before: fc.option(customer),
    after: customer,
    requestId: fc.option(fc.constant('r'.repeat(128))),
  })
  .map(({ type, before, after, requestId }) => ({
    tenantId: after.tenantId,
    mode: after.mode,
    id: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
    type,
    customerId: after.id,
    version: after.version,
    actor: after.updatedBy,
    requestId,
    before,
    after,
    detail: null,
    createdAtMs: after.updatedAtMs,
  }))

/** Requires that every previous attribute is a field of the customer, with another value now. */
function expectShown({
  customer,
  previous_attributes: previous,
}: Pick<EventPayload['data'], 'customer' | 'previous_attributes'>) {
  for (const [name, value] of Object.entries(previous)) {
    expect(customer).toHaveProperty([name])
    expect(customer?.[name as keyof typeof customer]).not.toEqual(value)
  }
}

const SCHEMAS = new Map(CHANGES.map((type) => [type, webhookBodySchema(type, eventCustomer)]))

const bytesOf = (body: string) => new TextEncoder().encode(body).length

describe('the body of a webhook', () => {
  it('has at most 20 KB, matches its schema, and names what was left out', () => {
    let truncated = 0
    fc.assert(
      fc.property(event, (logged) => {
        const text = bodyOf(logged)
        const body = JSON.parse(text)
        expect(bytesOf(text)).toBeLessThanOrEqual(EVENT_BODY_BYTES_MAX)
        expect(SCHEMAS.get(logged.type)?.safeParse(body)).toMatchObject({ success: true })
        expect(body.customer).toEqual(body.data.customer)
        const { data } = payloadOf(logged)
        const whole = { ...JSON.parse(JSON.stringify(payloadOf(logged))), event_type: logged.type }
        if (!body.data.truncated) expect(body).toEqual({ ...whole, customer: whole.data.customer })
        else truncated++
        for (const part of body.data.truncated ?? []) {
          expect(part === 'previous_attributes' ? body.data[part] : body.customer[part]).toEqual(
            part === 'integrations' ? [] : {},
          )
        }
        expect(body.data.customer.external_id).toBe(data.customer?.external_id)
      }),
      { numRuns: 300 },
    )
    expect(truncated).toBeGreaterThan(0)
  })

  it('leaves out nothing that fits', () => {
    fc.assert(
      fc.property(event, (logged) => {
        const { truncated = [] } = JSON.parse(bodyOf(logged)).data
        const { data, ...rest } = payloadOf(logged)
        const whole = JSON.stringify({ ...rest, data, event_type: rest.type, customer: data.customer })
        expect(truncated.length > 0).toBe(bytesOf(whole) > EVENT_BODY_BYTES_MAX)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the payload of an event', () => {
  it('has the previous value of each changed field, and of no other', () => {
    fc.assert(
      fc.property(event, fc.subarray(['name', 'metadata', 'integrations', 'profile', 'externalId']), (logged, kept) => {
        if (!logged.before || !logged.after) return
        const before = {
          ...logged.before,
          ...Object.fromEntries(kept.map((name) => [name, logged.after?.[name as never]])),
        }
        const payload = payloadOf({ ...logged, before })
        const { previous_attributes: previous } = payload.data
        expectShown(payload.data)
        const names: Record<string, string> = { externalId: 'external_id' }
        for (const name of kept) expect(previous).not.toHaveProperty([names[name] ?? name])
        if ((before.name ?? '') !== (logged.after.name ?? '')) expect(previous.name).toBe(before.name ?? '')
        if (before.contact !== logged.after.contact) expect(previous.contact).toBe(before.contact)
        for (const name of ['updated_at', 'updated_by']) expect(previous).not.toHaveProperty([name])
      }),
    )
  })

  it('names no field whose value it does not show, also after it was cut to size', () => {
    fc.assert(
      fc.property(event, (logged) => expectShown(JSON.parse(bodyOf(logged)).data)),
      { numRuns: 30 },
    )
  })

  it('takes another order of keys for no change', () => {
    const [logged] = fc.sample(event, { numRuns: 1, seed: 1 }) as [LoggedEvent & { after: Customer }]
    const [one, other] = [
      { a: '1', b: '2' },
      { b: '2', a: '1' },
    ]
    const before = { ...logged.after, metadata: one, profile: { geo_location: one }, name: 'Before' }
    const after = { ...logged.after, metadata: other, profile: { geo_location: other }, name: 'After' }
    expect(payloadOf({ ...logged, before, after }).data.previous_attributes).toEqual({ name: 'Before' })
  })

  it('matches the schema of its type, for every type', () => {
    const [logged] = fc.sample(event, { numRuns: 1, seed: 1 })
    const details: Record<string, Record<string, unknown>> = {
      'customer.merged': {
        source_id: 'cust_1',
        survivor_id: 'cust_2',
        moved: { external_ids: ['a'], integrations: [], children: 0, fields: ['name'], metadata: [] },
      },
      'customer.unmerged': {
        source_id: 'cust_1',
        survivor_id: 'cust_2',
        merged_at: '2026-01-20T15:00:00.000Z',
        moved: { external_ids: ['a'], integrations: [], children: 0, fields: ['name'], metadata: [] },
        kept: [{ customer_id: 'cust_2', field: 'email', name: null, reason: 'changed' }],
      },
      'customer.restored': { survivor_id: 'cust_2', merged_at: '2026-01-20T15:00:00.000Z' },
      'customer.onboarding.completed': { workflow: 'default' },
      'customer.onboarding.failed': { workflow: 'default', step: 'crm', error: 'answered 500' },
      'webhook.endpoint.disabled': {
        endpoint_id: 'whe_1',
        reason: 'gone',
        failing_since: null,
      },
    }
    for (const type of EVENT_TYPES) {
      const after = type.startsWith('webhook') ? null : (logged as LoggedEvent).after
      const payload = payloadOf({ ...(logged as LoggedEvent), type, after, detail: details[type] ?? null })
      const schema = payloadSchema(type, eventCustomer)
      expect([type, schema.safeParse(JSON.parse(JSON.stringify(payload))).error]).toEqual([type, undefined])
      expect(schema.safeParse({ ...payload, type: 'other' }).success).toBe(false)
    }
  })
})
