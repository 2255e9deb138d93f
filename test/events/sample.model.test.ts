/**
 * What `POST …/test` sends and the reference shows: of every type one event that is as the catalogue says, and that nobody
 * takes for a real one.
 */
import { describe, expect, it } from 'vitest'
import document from '../../public/openapi.json' with { type: 'json' }
import { eventCustomer } from '../../src/dialects/flexprice-answers.ts'
import { EVENT_TYPES, webhookBodySchema } from '../../src/events/catalogue.ts'
import { bodyOf } from '../../src/events/payload.ts'
import { sampleEvent } from '../../src/events/sample.ts'

const SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'test' } as const
const ID = 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'

describe.each(EVENT_TYPES)('the sample of %s', (type) => {
  const body = JSON.parse(bodyOf(sampleEvent(type, SCOPE, ID, Date.UTC(2026, 0, 20))))

  it('is as the catalogue says, field for field', () => {
    const schema = webhookBodySchema(type, eventCustomer)
    expect(schema.parse(body)).toEqual(body)
    expect(body).toMatchObject({ id: ID, type, event_type: type, customer: body.data.customer })
  })

  it('says that it is one, by its actor and by a customer that can not be', () => {
    expect(body.data.actor).toBe('sample')
    expect(body.customer?.id ?? 'cust_00000000000000000000000000').toMatch(/^cust_0+$/)
  })

  it('is what the reference shows, for a webhook of that name', () => {
    const { webhooks } = document as unknown as {
      webhooks: Record<string, { post: { requestBody: { content: Record<string, { example: { type: string } }> } } }>
    }
    expect(webhooks[type]?.post.requestBody.content['application/json']?.example.type).toBe(type)
  })
})

it('an update, a restoration and an archiving change what they are about', () => {
  const changed = (type: (typeof EVENT_TYPES)[number]) =>
    JSON.parse(bodyOf(sampleEvent(type, SCOPE, ID, 0))).data.previous_attributes
  expect(changed('customer.updated')).toEqual({ name: 'Acme Inc.' })
  expect(changed('customer.archived')).toEqual({ status: 'published' })
  expect(changed('customer.restored')).toEqual({ status: 'archived' })
})
