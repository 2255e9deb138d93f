/** The fields of a customer of the v1 API, in requests, responses, lists and events. */
import { CUSTOMER_EXAMPLE } from '../v1/shared-responses.ts'
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import {
  ACTOR,
  CURSOR,
  CURSOR_PARAMETER,
  CUSTOMER_ID,
  createdAt,
  cursorPage,
  page,
  TENANT_ID,
  TIME,
  updatedAt,
} from './shared.ts'

const integration: FieldDocs = {
  provider: field('The name of the other system.', 'stripe'),
  id: field('The id that the other system has for the customer.', 'cus_NffrFeUfNV2Hib'),
  provider_type: field('Another name of `provider`, for FlexPrice clients.', 'stripe'),
  provider_entity_id: field('Another name of `id`, for FlexPrice clients.', 'cus_NffrFeUfNV2Hib'),
}
const INTEGRATION = { provider: 'stripe', id: 'cus_NffrFeUfNV2Hib' }

/** The fields that a caller sets and reads. */
const values: FieldDocs = {
  external_id: field('Your own id of the customer, unique among the customers that are not archived.', 'user_12345'),
  name: field('The name of the company or person.', 'Acme Corporation'),
  email: field('The e-mail address.', 'billing@acme.com'),
  contact: field('A phone number.', '+14155550100'),
  address_line1: field('The street and number.', '123 Main Street'),
  address_line2: field('The floor, suite or department.', 'Suite 4'),
  address_city: field('The city.', 'San Francisco'),
  address_state: field('The state, province or region.', 'CA'),
  address_postal_code: field('The postal code.', '94105'),
  address_country: field('The country, by its two letters of ISO 3166-1.', 'US'),
  timezone: field('The time zone, by its name in the IANA database.', 'America/Los_Angeles'),
  parent_customer_id: field('The id of the customer that this one belongs to. At most ten levels.', CUSTOMER_ID),
  metadata: field('Your own keys and values: at most 50 keys of 40 characters, with values of 500.', {
    plan_tier: 'enterprise',
    account_manager: 'jane_doe',
  }),
  status: field('`published` is the normal state. A `draft` is not in use yet.', 'published'),
}

const sent: FieldDocs = {
  ...values,
  parent_customer_external_id: field(
    'The parent by your own id, instead of `parent_customer_id`. Send one of the two.',
    'acme_holding',
  ),
  integration_entity_mapping: group(
    'The ids of the customer in other systems. The list replaces the whole list. An entity belongs to one customer.',
    integration,
    [INTEGRATION],
  ),
}
const onboarding: FieldDocs = {
  skip_onboarding_workflow: field('True creates the customer without its onboarding.', true),
  onboarding_workflow_name: field('The workflow of the onboarding. Without it, `default`.', 'default'),
}

const plain: FieldDocs = {
  ...values,
  id: field('The id of the customer. Treat it as opaque.', CUSTOMER_ID),
  environment_id: field('The mode: `env_live` or `env_test`.', 'env_live'),
  tenant_id: field('The id of the tenant that owns the customer.', TENANT_ID),
  status: field(
    '`published`, `draft` or `archived`. A customer is archived by DELETE and restored by `restore`.',
    'published',
  ),
  ...createdAt,
  ...updatedAt,
  created_by: ACTOR,
  updated_by: ACTOR,
  parent_customer: field('Always null here.'),
}
const { children: _children, ...PLAIN_EXAMPLE } = { children: null, ...CUSTOMER_EXAMPLE }

const shown: FieldDocs = {
  ...plain,
  parent_customer: field('The parent, with `expand=parent_customer`. Otherwise null.'),
  children: field('The customers that belong to this one and are not archived, with `expand=children`.'),
  integrations: group('The ids in other systems, with `expand=integrations`.', integration),
  old_external_ids: field('Former external ids that still find the customer, with `expand=aliases`.', ['user_12344']),
  duplicates: field(
    'Others that may be the same customer, in the response to a creation with `expand=duplicates`.',
    [],
  ),
}

/** The things that a merge moves, in its response and its event. */
export const moved: FieldDocs = {
  external_ids: field('The external id of the source and its former ones, which find the survivor now.', [
    'user_67890',
  ]),
  integrations: group(
    'The entities at providers that are the survivor’s now.',
    {
      provider: field('The name of the other system.', 'stripe'),
      id: field('The id that the other system has for the customer.', 'cus_NffrFeUfNV2Hib'),
    },
    [INTEGRATION],
  ),
  children: field('The number of customers that belong to the survivor now.', 2),
  fields: field('The fields that the survivor took from the source.', ['address_city']),
  metadata: field('The keys of its metadata that the survivor took.', ['account_manager']),
}

/** The things that an unmerge left where the merge had put them. */
export const kept: FieldDocs = {
  customer_id: field('The customer whose field it is.', CUSTOMER_ID),
  field: field('The field.', 'email'),
  name: field('The key of the metadata, or the former external id. Else null.', null),
  reason: field(
    '`changed`: somebody has changed it since. `taken`: another customer has it. `gone`: the customer that it names is archived, erased or merged.',
    'changed',
  ),
}

const reference: FieldDocs = {
  id: field('The id of the customer.', CUSTOMER_ID),
  external_id: field('Your own id of the customer.', 'user_12345'),
  status: field('`published`, `draft` or `archived`.', 'published'),
  version: field('Rises with every change. The etag.', 1),
}
const leftFields: FieldDocs = {
  left: field('With `partial=true`: the fields that are not what they were, because that is not to be had any more.', [
    'external_id',
  ]),
}

/** The parameters of a list, in the query string and in the body of a search. */
export const listParameters: FieldDocs = {
  q: field(
    'Only customers that have, for each word of this text, a word that begins so: in the name, the e-mail address (its local part, its domain), the external id or the id. Case and accents do not count, in all of Unicode. At most 8 words. The newest customer is first, and `total` counts to 300. Only `status` (with both `published` and `draft`, or neither), `limit`, `cursor` and `expand` go with it.',
    'mar acme.com',
  ),
  customer_ids: field('Only the customers with these ids.', [CUSTOMER_ID]),
  external_ids: field('Only the customers with these external ids.', ['user_12345', 'user_67890']),
  external_id: field('Only the customer with this external id.', 'user_12345'),
  email: field('Only customers with this e-mail address.', 'billing@acme.com'),
  metadata: field('Only customers with these metadata: every pair must match.', { plan_tier: 'enterprise' }),
  parent_customer_id: field('Only the children of the customer with this id.', CUSTOMER_ID),
  parent_customer_ids: field('Only the children of the customers with these ids.', [CUSTOMER_ID]),
  status: field('Only customers with these statuses. Archived ones are listed only if this names them.', [
    'published',
    'draft',
  ]),
  start_time: field('Only customers that were created at this time or later.', '2026-01-01T00:00:00Z'),
  end_time: field('Only customers that were created before this time.', '2027-01-01T00:00:00Z'),
  filters: group(
    'Further conditions; all of them must hold.',
    {
      field: field('The field that is compared.', 'name'),
      operator: field('How it is compared. Text has no `before`, a time has no `contains`.', 'contains'),
      data_type: field('The name in `value` that has the operand. It may be left out.', 'string'),
      value: group(
        'The operand, under the name of its type.',
        {
          string: field('A text, for a text or a status.', 'acme'),
          number: field('A number. No field that can be filtered is a number.', 1),
          boolean: field('True or false. No field that can be filtered is one.', true),
          date: field('A date or time, for a time.', '2026-01-20T15:00:00Z'),
          array: field('Texts or times, for `in` and `not_in`.', ['acme', 'globex']),
        },
        { string: 'acme' },
      ),
    },
    [{ field: 'name', operator: 'contains', data_type: 'string', value: { string: 'acme' } }],
  ),
  sort: group(
    'The order of the list, the most important field first. Lists of any length are sorted by `created_at`, `updated_at`, `name`, `email` or `external_id` alone; other orders take at most 10,000 customers.',
    {
      field: field('The field to sort by.', 'created_at'),
      direction: field('`asc` or `desc`.', 'desc'),
    },
  ),
  order: field('The order by `created_at`, if `sort` is absent. Newest first is `desc`.', 'desc'),
  limit: field(
    'The number of customers on a page, at most 1,000, or 100 with `expand=children`. A page has fewer when they are large.',
    50,
  ),
  offset: field(
    'The number of customers to skip, at most 10,000. Pages by `cursor` go on from there, and are exact while customers change.',
    0,
  ),
  cursor: field(CURSOR_PARAMETER.description, CURSOR),
  expand: field('The related data to include with each customer.', ['parent_customer', 'integrations']),
}

/** The parameters of a read of one customer that say when. */
export const momentParameters: FieldDocs = {
  as_of: field(
    'Returns the customer as it was at this time, changes at this very millisecond included. A date means its first moment in UTC. Of the related data, `expand` has the parent of then, and the integrations.',
    '2026-01-20T15:00:00Z',
  ),
  version: field('Returns this version of the customer: the number in its `etag`. Send it or `as_of`.', '1'),
}

export const customerSchemas: Record<string, SchemaDoc> = {
  V1CustomerCreate: {
    description: 'A new customer. Only `external_id` is required; null and `""` mean that a field is unset.',
    fields: { ...sent, ...onboarding },
  },
  V1CustomerUpdate: {
    description: 'The fields to change. An absent field is kept; null or `""` clears it.',
    fields: sent,
  },
  V1CustomerUpsert: {
    description: 'The fields of a customer whose external id is in the path.',
    fields: { ...sent, ...onboarding },
  },
  V1CustomerRestore: {
    description: 'The fields to change with the restoration. An absent field is kept; null or `""` clears it.',
    fields: sent,
  },
  V1Suspect: {
    description: 'A customer that may be the same as one that was just created.',
    fields: {
      id: field('The id of the customer.', CUSTOMER_ID),
      external_id: field('Your own id of the customer.', 'user_12345'),
      status: field('`published`, `draft` or `archived`.', 'published'),
      reasons: field('The reasons, the strongest first.', ['same_email']),
    },
  },
  V1Duplicates: {
    description: 'The customers that may be the same as one.',
    fields: {
      items: group('The candidates, best first.', {
        customer: field('The candidate.'),
        reasons: field('The reasons, the strongest first.', ['same_email']),
      }),
    },
  },
  V1CustomerMerge: {
    description: 'The customer to merge into, and whose values are kept where both have one.',
    fields: {
      into: field('The id of the survivor.', CUSTOMER_ID),
      into_version: field(
        'The version of the survivor that you read, from its etag. If it has changed since, the merge is refused with 412.',
        3,
      ),
      prefer: group(
        '`target`, the default, keeps the value of the survivor; `source` takes that of the source. Or an object with one of the two for some fields.',
        {
          name: field('The side for the name.', 'target'),
          email: field('The side for the e-mail address.', 'source'),
          contact: field('The side for the phone number.', 'target'),
          address: field('The side for the address, whose parts stay together.', 'target'),
          timezone: field('The side for the time zone.', 'target'),
          parent_customer_id: field('The side for the parent.', 'target'),
          metadata: field('The side for metadata that both have.', 'target'),
          profile: field('The side for the fields that only the FlatPeak API has.', 'target'),
        },
        { email: 'source' },
      ),
      dry_run: field('True changes nothing.', false),
    },
  },
  V1Merged: {
    description: 'A merge as it was made, or would be.',
    fields: {
      customer: field('The survivor after the merge.'),
      source_id: field('The customer that was merged into it.', CUSTOMER_ID),
      moved: group('What moved. Null for a caller without the scope `customers:read`.', moved),
      dry_run: field('True if nothing was changed.', false),
    },
  },
  V1CustomerUnmerge: {
    description: 'The merge to take back.',
    fields: {
      source: field('The id of the customer that was merged into this one.', 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCF'),
      dry_run: field('True changes nothing.', false),
    },
  },
  V1Unmerged: {
    description: 'An unmerge as it was made, or would be.',
    fields: {
      customer: field('The survivor after the unmerge.'),
      source: field('The customer that is itself again.'),
      moved: group('What went back to the source. Null for a caller without the scope `customers:read`.', moved),
      kept: group('What stayed where the merge had put it. Null as `moved` is.', kept, []),
      dry_run: field('True if nothing was changed.', false),
    },
  },
  V1Customer: {
    description: 'A customer. An unset text is `""`; an unset `contact` is null.',
    example: CUSTOMER_EXAMPLE,
    fields: shown,
  },
  V1CustomerReference: {
    description: 'What a caller without the scope `customers:read` gets of the customer that it wrote.',
    fields: reference,
  },
  V1CustomerRevert: {
    description: 'The moment that the customer goes back to: one of the two.',
    fields: {
      version: field('The version that it was, as its `etag` had it.', 1),
      as_of: field('The time at which it was so, changes at this very millisecond included.', '2026-01-20T15:00:00Z'),
    },
  },
  V1Undo: {
    description:
      'The changes to undo: those for which all of this holds. `actor`, `import_id` or `undo_id` is required.',
    fields: {
      actor: ACTOR,
      import_id: field('The `x-request-id` of the import.', 'req_7f3a'),
      undo_id: field('The `undo_id` of an undo, to take it back.', 'req_7f3a'),
      since: field('The time of the earliest change.', '2026-01-20T15:00:00Z'),
      until: field(
        'Changes at this time or later are not undone, and so are in the way of the undo.',
        '2026-01-20T16:00:00Z',
      ),
      dry_run: field('True changes nothing and shows what would happen.', true),
    },
  },
  V1CustomerReverted: {
    description: 'The customer after a revert.',
    example: CUSTOMER_EXAMPLE,
    fields: { ...shown, ...leftFields },
  },
  V1CustomerReferenceReverted: {
    description: 'The same for a caller without the scope `customers:read`.',
    fields: { ...reference, ...leftFields },
  },
  RelatedCustomer: {
    description: 'A customer in the response of another one, without its own parent and children.',
    example: PLAIN_EXAMPLE,
    fields: plain,
  },
  EventCustomer: {
    description: 'The customer as it was after the event.',
    example: { ...CUSTOMER_EXAMPLE, integrations: [], profile: {} },
    fields: {
      ...plain,
      integrations: group('The ids in other systems.', integration),
      profile: field(
        'The fields that only the FlatPeak API has, in its shape: `personal_details`, `geo_location`, `providers`, `locations`, `devices`, and others. Empty if none is set.',
        { personal_details: { preferred_locale: 'en-GB' } },
      ),
    },
  },
  V1Search: {
    description: 'The conditions, the order and the place of the page. Each may be left out.',
    fields: listParameters,
  },
  V1List: {
    description: 'A page of customers.',
    fields: {
      ...page('The customers of this page.'),
      pagination: group('The place of this page in the list.', {
        ...cursorPage,
        total: field('The number of customers that match, on all pages, as the first page counted it.', 1),
        total_is_capped: field(
          'Present if there are more customers than a request looks at. The total is then the number found among those.',
          true,
        ),
        offset: field('Where the next page begins.', 1),
      }),
    },
  },
  V1Erasure: {
    description: 'The receipt of an erasure.',
    fields: {
      id: field('The id of the customer. It stays, empty.', CUSTOMER_ID),
      status: field('Always `erased`.'),
      erased_at: field('The time of the erasure.', TIME),
      erased_by: ACTOR,
      rows: group('The number of rows from which data was removed, by kind.', {
        customers: field('The customer itself.', 1),
        events: field('Its events, and so its part of the audit log.', 3),
        aliases: field('Its former external ids.', 1),
        integrations: field('Its ids in other systems.', 1),
        idempotency_records: field('Stored responses that showed it.', 1),
        webhook_attempts: field('Responses of webhook endpoints to its events.', 0),
        onboarding_runs: field('Its onboarding.', 0),
      }),
      rows_total: field('The sum of these numbers.', 7),
    },
  },
}
