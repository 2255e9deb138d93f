/**
 * A made-up event of each type: the body of `POST …/test`, and the examples of the reference.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import { optionalTexts } from '../registry/customer-fields.ts'
import { isoTime } from '../shared/clock.ts'
import type { EventType } from './catalogue.ts'
import type { LoggedEvent } from './event.ts'

/** No real event has this id, so a receiver can recognise a sample. */
const SAMPLE_ID = 'cust_00000000000000000000000000'
const ACTOR = 'sample'

export function sampleEvent(type: EventType, scope: Scope, id: string, nowMs: number): LoggedEvent {
  const common = { ...scope, id, type, actor: ACTOR, requestId: null, createdAtMs: nowMs }
  if (type === 'webhook.endpoint.disabled') {
    const detail = { endpoint_id: 'whe_00000000000000000000000000' }
    return {
      ...{ ...common, customerId: null, version: 0, before: null, after: null },
      detail: { ...detail, reason: 'failing', failing_since: isoTime(nowMs) },
    }
  }
  const customer = sampleCustomer(scope, nowMs)
  const isFirst = type === 'customer.created'
  return {
    ...{ ...common, customerId: SAMPLE_ID, version: isFirst ? 1 : 2 },
    before: isFirst ? null : { ...customer, ...BEFORE[type] },
    after: { ...customer, version: isFirst ? 1 : 2, ...AFTER[type] },
    detail: DETAILS[type] ?? null,
  }
}

/** Values before the sample change that differ from those after it. */
const BEFORE: Partial<Record<EventType, Partial<Customer>>> = {
  'customer.updated': { name: 'Acme Inc.' },
  'customer.merged': { email: null },
  'customer.unmerged': { contact: '+14155550100' },
  'customer.restored': { status: 'archived' },
}
const AFTER: Partial<Record<EventType, Partial<Customer>>> = {
  'customer.archived': { status: 'archived' },
  'customer.erased': { externalId: SAMPLE_ID, name: null, email: null, metadata: {}, status: 'archived' },
}
const DETAILS: Partial<Record<EventType, Record<string, unknown>>> = {
  'customer.merged': {
    source_id: 'cust_00000000000000000000000001',
    survivor_id: SAMPLE_ID,
    moved: { external_ids: ['sample-2'], integrations: [], children: 0, fields: ['email'], metadata: [] },
  },
  'customer.unmerged': {
    source_id: 'cust_00000000000000000000000001',
    survivor_id: SAMPLE_ID,
    merged_at: '2026-01-20T15:00:00.000Z',
    moved: { external_ids: ['sample-2'], integrations: [], children: 0, fields: ['contact'], metadata: [] },
    kept: [{ customer_id: SAMPLE_ID, field: 'email', name: null, reason: 'changed' }],
  },
  'customer.onboarding.completed': { workflow: 'default' },
  'customer.onboarding.failed': { workflow: 'default', step: 'billing', error: 'answered 500' },
}

function sampleCustomer(scope: Scope, nowMs: number): Customer {
  return {
    ...scope,
    id: SAMPLE_ID,
    externalId: 'sample',
    ...optionalTexts(() => null),
    name: 'Acme Corporation',
    email: 'billing@acme.example',
    addressCountry: 'US',
    timezone: 'UTC',
    parentId: null,
    metadata: { plan: 'pro' },
    integrations: [],
    profile: {},
    status: 'published',
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    createdBy: ACTOR,
    updatedBy: ACTOR,
  }
}
