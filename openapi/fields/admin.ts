/** The fields of the admin API: tenants, keys, usage and the audit log. */
import { type FieldDoc, type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import { shownSettings as settings } from './onboarding.ts'
import {
  ACTOR,
  CUSTOMER_ID,
  createdAt,
  cursorPage,
  ENDPOINT_ID,
  EVENT_ID,
  KEY_ID,
  page,
  REQUEST_ID,
  SESSION_ID,
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
  event_retention_days: field(
    'Days for which the changes of its customers are kept: for the event log, the audit, and what a customer was. From 31 to 3,650; 400 at first. With a smaller number, older changes are deleted within the hour and a day.',
    400,
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

const capped: FieldDocs = {
  total: field('How many there are, up to 1,000.', 1),
  total_is_capped: field('True if there are more.', false),
}

const modeUsage: FieldDocs = {
  contract_year_start: field(
    'The first day that is counted. A new `contract_start` takes effect when the year that began here is over.',
    '2026-01-01',
  ),
  admitted_this_year: field('The requests that were admitted since then.', 1200),
  permits_outstanding: field('Permits given to isolates and not yet accounted for.', 40),
  stored_bytes: field(
    'The bytes of the customers and their events, about as the database stores them. Events count until they are archived, after some days.',
    1_340_000,
  ),
  storage_bytes: field('The bytes that the mode may store.', 2_000_000_000),
  days: group('The counts of each day, newest first.', {
    date: field('The day, in UTC.', '2026-01-20'),
    admitted: field('The requests that were admitted.', 1200),
    rate_limited: field('The requests that were refused with 429.', 3),
    errors: field(
      'The requests answered with a 5xx for which Roster alone is to blame: neither 501 nor a used-up storage.',
      1,
    ),
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
      database: field('The number of the database that has its customers. 0 is `DB`, and 1 is `DB_1`.', 0),
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
  TenantMoveCreate: {
    description: 'The database to move a tenant to.',
    fields: { database: field('The number of the database: 0 is `DB`, 1 is `DB_1`.', 1) },
  },
  TenantMove: {
    description: 'The last move of a tenant from one database to another.',
    fields: {
      customer_id: field('The id of the tenant.', TENANT_ID),
      from: field('The number of the database that it was in.', 0),
      to: field('The number of the database that it is moved to.', 1),
      status: field(
        'Its step: `copying`, `catching_up` with what changed meanwhile, `frozen` while writes wait, `flipped` when the tenant is in the other database, `cleaning` as long as rows are left where it was, `done`; or `aborting` and `aborted`.',
        'copying',
      ),
      rows_copied: field('Rows that were copied.', 12_500),
      rows_copied_again: field('Rows that were copied again because they had changed.', 40),
      problem: field('The reason why it was aborted, or why its last step failed; null if there is none.', null),
      started_by: field('The operator who began it.', 'admin'),
      started_at: field('When it was begun.', TIME),
      flipped_at: field('Since when the tenant is in the other database; null before that.', null),
      ended_at: field('When it was over; null before that.', null),
    },
  },
  OwnTenant: {
    description: 'The tenant of the key, as it is in the mode of the key.',
    fields: {
      tenant_id: field('The id of the tenant.', TENANT_ID),
      company_name: tenant.company_name as FieldDoc,
      tier: field('The tier. Test mode has the same limits for all tiers.', 'scale'),
      status: field('Always `active` for a key: a suspended tenant is refused.', 'active'),
      mode: key.mode as FieldDoc,
      limits: group('The limits of the mode.', {
        requests_per_second: limits.requests_per_second,
        burst: limits.burst,
        annual_validation_limit: field(
          'The requests that are admitted in a contract year. Null in test mode, which has no such limit.',
          30_000_000,
        ),
        storage_bytes: field('The bytes that the mode may store. Then changes are refused with 507.', 2_000_000_000),
      }),
      key: group('The key that the request was sent with. Null for an operator.', {
        key_id: keyId,
        name: key.name as FieldDoc,
        scopes: field('The scopes that the key has.', ['customers:read', 'customers:write']),
        expires_at: key.expires_at as FieldDoc,
      }),
    },
  },
  OwnUsage: {
    description: 'The counts of the mode of the key.',
    fields: {
      tenant_id: field('The id of the tenant.', TENANT_ID),
      mode: key.mode as FieldDoc,
      ...modeUsage,
      annual_validation_limit: field(
        'The requests that are admitted in a contract year. Null in test mode, which has no such limit.',
        30_000_000,
      ),
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
      last_used_at: field(
        'The minute in which the last request came with the key, refused ones included. Null if none did.',
        '2026-01-20T15:04:00.000Z',
      ),
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
      last_used_at: field('Always null: the key is new.', null),
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
  DeploymentHealth: {
    description: 'The state of the deployment.',
    fields: {
      databases: group('The databases, and how full they are.', {
        name: field('The name of its binding.', 'DB'),
        bytes: field('The bytes that it holds.', 1_340_000_000),
        bytes_max: field('The bytes that it may hold.', 10_000_000_000),
      }),
      archive: group('The archive of events that are too old for the databases.', {
        objects: field('How many objects it has.', 1_204),
        events: field('How many events are in them.', 2_310_000),
        bytes: field('Their bytes.', 1_290_000_000),
        complete_before: field(
          'No event from before this time is left in the databases. Null before the first round of the sweep. It falls behind while the archive cannot be written.',
          TIME,
        ),
      }),
      outbox: group('The deliveries of webhooks that are not done.', {
        pending: field('How many there are, up to 1,000.', 3),
        pending_is_capped: field('True if there are more.', false),
        oldest_due_at: field('When the first of them was due, or will be. Null if there is none.', TIME),
      }),
      failing_endpoints: group('The webhook endpoints whose last attempt failed.', {
        ...capped,
        items: group('Those that have failed for longest, at most 50.', {
          tenant_id: field('The tenant.', TENANT_ID),
          company_name: field('The name of its company.', 'Acme Corporation'),
          mode: field('The mode.', 'live'),
          endpoint_id: field('The endpoint.', ENDPOINT_ID),
          url_host: field('The host of its URL.', 'hooks.example.com'),
          failing_since: field('Since when all attempts have failed.', TIME),
        }),
      }),
      errors_last_hour: group('The responses of the last hour that Roster alone is to blame for.', {
        total: field('How many there were.', 2),
        by_api: group('The same by API and status.', {
          api: field('The API: `v1`, `flatpeak`, `admin` or `rpc`.', 'v1'),
          status: field('The status of the response.', 503),
          count: field('How many there were.', 2),
        }),
      }),
      unfinished: group('The work that the sweep of each minute has left.', {
        changes: group('Tenants with a change that is not in force yet.', capped),
        deletions: group('Deleted tenants of which something is left.', capped),
      }),
    },
  },
  AuditEntry: {
    description: 'One change, with its actor.',
    fields: {
      id: field('The id of the entry.', EVENT_ID),
      type: field('The kind of the change.', 'tenant.updated'),
      tenant_id: field(
        'The id of the tenant that was changed, or that owns what was changed. Null for a change of an operator.',
        TENANT_ID,
      ),
      mode: field('The mode of the customer or key. Null for a tenant, which has no mode.', null),
      customer_id: field('The customer that was changed, if it was one.', CUSTOMER_ID),
      key_id: field('The key that was changed, if it was one.', KEY_ID),
      operator_id: field('The operator that was changed, if it was one.', null),
      actor: ACTOR,
      role: field('The role that the operator had. Null if the actor is no operator.', 'admin'),
      session_id: field('The session of the operator. Null for a request without one.', SESSION_ID),
      request_id: field('The `x-request-id` of the request.', REQUEST_ID),
      reason: field('The `x-reason` of the request.', 'unpaid since March'),
      changes: group('The fields that differ between `before` and `after`. Empty when one of these is null.', {
        field: field('The name of the field. A field of an object is named with it, as `limits.burst`.', 'status'),
        before: field('The value before. Null when there was none.', 'active'),
        after: field('The value after. Null when there is none.', 'suspended'),
      }),
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
      customers: field('The customers: exact matches first, then those by words, each newest first.'),
      tenants: field('The tenants.'),
      has_more: field('True if more may match than are shown.', false),
      all_tenants_searched: field('False if words were looked for in the 100 oldest tenants only.', true),
    },
  },
}
