/**
 * Tests the samples that `POST …/test` sends and the reference shows: one event of every type, with the fields of the catalogue,
 * and recognisable as a sample.
 */
import { describe, expect, it } from 'vitest'
import { eventCustomer } from '../../../openapi/v1/shared-responses.ts'
import document from '../../../public/openapi.json' with { type: 'json' }
import { EVENT_TYPES, webhookBodySchema } from '../../../src/events/catalogue.ts'
import { bodyOf } from '../../../src/events/payload.ts'
import { sampleEvent } from '../../../src/events/sample.ts'

const SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'test' } as const
const ID = 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'

describe.each(EVENT_TYPES)('sample of %s', (type) => {
  const body = JSON.parse(bodyOf(sampleEvent(type, SCOPE, ID, Date.UTC(2026, 0, 20))))

  it('has the fields of the catalogue', () => {
    const schema = webhookBodySchema(type, eventCustomer)
    expect(schema.parse(body)).toEqual(body)
    expect(body).toMatchObject({ id: ID, type, event_type: type, customer: body.data.customer })
  })

  it('is marked by its actor and by a customer id that cannot exist', () => {
    expect(body.data.actor).toBe('sample')
    expect(body.customer?.id ?? 'cust_00000000000000000000000000').toMatch(/^cust_0+$/)
  })

  it('is shown in the reference, for a webhook of that name', () => {
    const { webhooks } = document as unknown as {
      webhooks: Record<string, { post: { requestBody: { content: Record<string, { example: { type: string } }> } } }>
    }
    expect(webhooks[type]?.post.requestBody.content['application/json']?.example.type).toBe(type)
  })
})

it('changes the relevant fields in an update, a restoration and an archiving', () => {
  const changed = (type: (typeof EVENT_TYPES)[number]) =>
    JSON.parse(bodyOf(sampleEvent(type, SCOPE, ID, 0))).data.previous_attributes
  expect(changed('customer.updated')).toEqual({ name: 'Acme Inc.' })
  expect(changed('customer.archived')).toEqual({ status: 'published' })
  expect(changed('customer.restored')).toEqual({ status: 'archived' })
})
