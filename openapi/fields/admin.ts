/** The fields of the admin API: tenants, keys, usage and the audit log. */
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import { shownSettings as settings } from './onboarding.ts'
import {
  ACTOR,
  CUSTOMER_ID,
  createdAt,
  cursorPage,
  EVENT_ID,
  KEY_ID,
  page,
  REQUEST_ID,
  TENANT_ID,
  TIME,
  updatedAt,
} from './shared.ts'
import { shown as endpoint } from './webhooks.ts'

const limits = {
  requests_per_second: field('The requests per second that a live key may send in the long run.', 200),
  burst: field('The requests that may be sent at once.', 400),
  annual_commitment: field('The agreed revenue of a contract year, in USD.', 500_000),
  annual_validation_limit: field('The live requests that are admitted in a contract year.', 30_000_000),
  storage_bytes: field('The bytes that live mode may store. Then changes are refused with 507.', 2_000_000_000),
}

const tenant: FieldDocs = {
  company_name: field('The name of the company.', 'Acme Corporation'),
  contact_email: field('The address for messages about the service.', 'ops@acme.com'),
  tier: field('The tier, which sets the limits. With `custom`, `limits` sets them.', 'scale'),
  status: field(
    'A `suspended` tenant is refused at every API, and nothing is sent to it. `active` ends that.',
    'active',
  ),
  limits: group('The limits.', limits),
  contract_start: field('When the contract year begins. Null: with the creation of the tenant.', TIME),
  contract_end: field(
    'When the contract ends. Nothing stops then: suspend the tenant to stop it.',
    '2027-01-20T15:00:00.000Z',
  ),
  metadata: field('Your own JSON object, at most 16 KB.', { crm: '0061t00000Abcde' }),
}
const sentTenant: FieldDocs = {
  ...tenant,
  limits: group('Limits of a `custom` tenant. Those that are absent are kept.', limits),
}

const keyId = field('The id of the key. It is no secret.', KEY_ID)
const key: FieldDocs = {
  name: field('A name for people.', 'billing'),
  mode: field('The set of customers that the key opens: `live` or `test`.', 'live'),
  scopes: field('The scopes that the key has. Without it, all.', ['customers:read', 'customers:write']),
  expires_at: field('From when the key is refused. Null: never.', '2027-01-20T15:00:00.000Z'),
}

const modeUsage: FieldDocs = {
  contract_year_start: field(
    'The first day that is counted. A new `contract_start` takes effect when the year that began here is over.',
    '2026-01-01',
  ),
  admitted_this_year: field('The requests that were admitted since then.', 1200),
  permits_outstanding: field('Permits given to isolates and not yet accounted for.', 40),
  stored_bytes: field(
    'The bytes of the customers and their events, about as the database stores them. Events count for 90 days.',
    1_340_000,
  ),
  storage_bytes: field('The bytes that the mode may store.', 2_000_000_000),
  days: group('The counts of each day, newest first.', {
    date: field('The day, in UTC.', '2026-01-20'),
    admitted: field('The requests that were admitted.', 1200),
    rate_limited: field('The requests that were refused with 429.', 3),
  }),
}

export const adminSchemas: Record<string, SchemaDoc> = {
  TenantCreate: { description: 'A new tenant.', fields: sentTenant },
  TenantUpdate: { description: 'The fields to change. An absent field is kept.', fields: sentTenant },
  Tenant: {
    description: 'A tenant, which this API calls customer.',
    fields: {
      ...tenant,
      customer_id: field('The id of the tenant.', TENANT_ID),
      annual_commitment: limits.annual_commitment,
      annual_validation_limit: limits.annual_validation_limit,
      ...createdAt,
      ...updatedAt,
    },
  },
  TenantDeletion: {
    description: 'The receipt of the deletion of a tenant.',
    fields: {
      customer_id: field('The id of the tenant.', TENANT_ID),
      company_name: field('The name of the company.', 'Acme Corporation'),
      status: field('Always `deleting`: its data is being deleted.'),
      deleted_at: field('When it was deleted. A repeat of the request has the same time.', TIME),
    },
  },
  TenantList: { description: 'A page of tenants.', fields: page('The tenants of this page.') },
  TenantUsage: {
    description: 'The counts of a tenant.',
    fields: {
      customer_id: field('The id of the tenant.', TENANT_ID),
      live: group('The counts of live mode.', {
        ...modeUsage,
        annual_validation_limit: limits.annual_validation_limit,
      }),
      test: group('The counts of test mode, which has no annual limit.', modeUsage),
    },
  },
  KeyCreate: { description: 'A new key. Each field may be left out.', fields: key },
  KeyRotate: {
    description: 'How long the old key stays valid, and how long the new one.',
    fields: {
      overlap_seconds: field('How long the old key stays valid, in seconds, at most 30 days.', 3600),
      expires_at: key.expires_at ?? field(''),
    },
  },
  Key: {
    description: 'A key, without the secret.',
    fields: {
      ...key,
      key_id: keyId,
      status: field('Only an `active` key is accepted.', 'active'),
      revoked_at: field('When the key was revoked. Null if it was not.', null),
      rotated_from: field('The id of the key that this one replaced.', null),
      ...createdAt,
    },
  },
  KeyList: { description: 'A page of keys.', fields: page('The keys of this page.') },
  NewKey: {
    description: 'A new key, with the secret.',
    fields: {
      ...key,
      key_id: keyId,
      key: field(
        'The secret. It is shown only here, and again to a repeat of the request with its idempotency key.',
        'sk_live_3Jq9…',
      ),
      ...createdAt,
    },
  },
  TenantWebhookEndpoint: {
    description: 'A webhook endpoint of a tenant, without its secrets.',
    fields: { ...endpoint, mode: field('The mode that the endpoint belongs to.', 'live') },
  },
  TenantWebhookEndpointList: {
    description: 'The webhook endpoints of a tenant.',
    fields: { items: field('The endpoints of both modes, newest first in each.') },
  },
  TenantWebhookEndpointUpdate: {
    description: 'The change.',
    fields: { enabled: field('False stops the deliveries, true starts them again.', false) },
  },
  TenantOnboarding: {
    description: 'The onboarding workflows of a tenant, without their secrets.',
    fields: { live: group('Those of live mode.', settings), test: group('Those of test mode.', settings) },
  },
  AuditEntry: {
    description: 'One change, with its actor.',
    fields: {
      id: field('The id of the entry.', EVENT_ID),
      type: field('The kind of the change.', 'tenant.updated'),
      tenant_id: field('The id of the tenant that was changed, or that owns what was changed.', TENANT_ID),
      mode: field('The mode of the customer or key. Null for a tenant, which has no mode.', null),
      customer_id: field('The customer that was changed, if it was one.', CUSTOMER_ID),
      key_id: field('The key that was changed, if it was one.', KEY_ID),
      actor: ACTOR,
      request_id: field('The `x-request-id` of the request.', REQUEST_ID),
      reason: field('The `x-reason` of the request.', 'unpaid since March'),
      before: field('The values before. Null when there were none, or when they were erased.', { status: 'active' }),
      after: field('The values after. Null when there are none, or when they were erased.', { status: 'suspended' }),
      created_at: field('The time of the change.', TIME),
    },
  },
  AuditList: {
    description: 'A page of the audit log.',
    fields: {
      ...page('The changes of this page, newest first.'),
      pagination: group('The place of this page.', cursorPage),
    },
  },
  FoundCustomer: {
    description: 'A customer, with the tenant and mode that it is of.',
    fields: {
      customer_id: field('The id of the customer.', CUSTOMER_ID),
      external_id: field('The id that the tenant gave the customer.', 'user_12345'),
      name: field('The name of the customer.', 'Acme Corporation'),
      email: field('The e-mail address of the customer.', 'billing@acme.com'),
      status: field('`published`, `draft` or `archived`.', 'published'),
      tenant_id: field('The id of the tenant that owns the customer.', TENANT_ID),
      company_name: field('The name of that tenant.', 'Acme Corporation'),
      mode: field('The set of customers that it is in: `live` or `test`.', 'live'),
    },
  },
  Found: {
    description: 'What a search over all tenants found.',
    fields: {
      customers: field('The customers, newest first.'),
      tenants: field('The tenants.'),
      has_more: field('True if more match than are shown.', false),
    },
  },
}
