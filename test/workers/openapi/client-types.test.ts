/**
 * The types of `roster/client` are those of the OpenAPI document: each type and the schema of the same name take one
 * another's values. `tsc` is the test; that real answers are of these schemas is checked in every test of the suite.
 */
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type * as Admin from '../../../openapi/admin-responses.ts'
import type * as Flatpeak from '../../../openapi/flatpeak-responses.ts'
import type * as Customers from '../../../openapi/v1/customers-responses.ts'
import type * as Events from '../../../openapi/v1/events-responses.ts'
import type * as Onboarding from '../../../openapi/v1/onboarding-responses.ts'
import type { eventCustomer } from '../../../openapi/v1/shared-responses.ts'
import type * as Webhooks from '../../../openapi/v1/webhooks-responses.ts'
import type { envelopedError } from '../../../openapi/values.ts'
import type { FlatpeakCustomer, FlatpeakError, RosterRoutes, Tenant, V1Customer, V1Error } from '../../../src/client.ts'

type SuccessStatus = 200 | 201 | 202
/** The body of a route's success. */
type Answer<Path extends keyof RosterRoutes, Method extends keyof RosterRoutes[Path]> =
  Extract<RosterRoutes[Path][Method], { status: SuccessStatus }> extends { output: infer Output } ? Output : never

/** True where each takes the values of the other. */
type Same<A, Schema extends z.ZodType> = [A] extends [z.output<Schema>]
  ? [z.output<Schema>] extends [A]
    ? true
    : 'the schema says more'
  : 'the type says more'

type Event = Answer<'/v1/events', '$get'>['items'][number]

interface Checks {
  v1Customer: Same<V1Customer, typeof Customers.v1Customer>
  v1Error: Same<V1Error, typeof envelopedError>
  flatpeakCustomer: Same<FlatpeakCustomer, typeof Flatpeak.flatpeakCustomer>
  flatpeakError: Same<FlatpeakError, typeof Flatpeak.flatpeakError>
  tenant: Same<Tenant, typeof Admin.adminTenant>
  createCustomer: Same<Answer<'/v1/customers', '$post'>, typeof Customers.v1Written>
  listCustomers: Same<Answer<'/v1/customers', '$get'>, typeof Customers.v1List>
  searchCustomers: Same<Answer<'/v1/customers/search', '$post'>, typeof Customers.v1List>
  getCustomer: Same<Answer<'/v1/customers/:id', '$get'>, typeof Customers.v1Customer>
  upsertCustomer: Same<Answer<'/v1/customers/external/:external_id', '$put'>, typeof Customers.v1Written>
  listDuplicates: Same<Answer<'/v1/customers/:id/duplicates', '$get'>, typeof Customers.v1Duplicates>
  mergeCustomer: Same<Answer<'/v1/customers/:id/merge', '$post'>, typeof Customers.v1Merged>
  unmergeCustomer: Same<Answer<'/v1/customers/:id/unmerge', '$post'>, typeof Customers.v1Unmerged>
  eraseCustomer: Same<Answer<'/v1/customers/:id/erase', '$post'>, typeof Customers.v1Erasure>
  /**
   * The document has the details of each event type and the client's type has not. The customer is the same in both.
   */
  listEvents: Answer<'/v1/events', '$get'> extends z.output<typeof Events.eventList> ? true : 'another'
  eventCustomer: Same<NonNullable<Event['data']['customer']>, typeof eventCustomer>
  getRun: Same<Answer<'/v1/customers/:id/onboarding', '$get'>, typeof Onboarding.v1OnboardingRun>
  signal: Same<Answer<'/v1/customers/:id/onboarding/signal', '$post'>, typeof Onboarding.v1ChangedOnboardingRun>
  getSettings: Same<Answer<'/v1/settings/customer_onboarding', '$get'>, typeof Onboarding.v1OnboardingSettings>
  replaceSettings: Same<Answer<'/v1/settings/customer_onboarding', '$put'>, typeof Onboarding.v1OnboardingSettings>
  rotateSettings: Same<
    Answer<'/v1/settings/customer_onboarding/rotate', '$post'>,
    typeof Onboarding.newOnboardingSecret
  >
  retryRun: Same<Answer<'/v1/customers/:id/onboarding/retry', '$post'>, typeof Onboarding.v1ChangedOnboardingRun>
  listEndpoints: Same<Answer<'/v1/webhooks/endpoints', '$get'>, typeof Webhooks.webhookEndpointList>
  createEndpoint: Same<Answer<'/v1/webhooks/endpoints', '$post'>, typeof Webhooks.newWebhookSecret>
  getEndpoint: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id', '$get'>, typeof Webhooks.webhookEndpoint>
  updateEndpoint: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id', '$patch'>, typeof Webhooks.webhookEndpoint>
  rotateEndpoint: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id/rotate', '$post'>, typeof Webhooks.newWebhookSecret>
  testEndpoint: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id/test', '$post'>, typeof Webhooks.webhookTest>
  listDeliveries: Same<
    Answer<'/v1/webhooks/endpoints/:endpoint_id/deliveries', '$get'>,
    typeof Webhooks.webhookDeliveryList
  >
  retry: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id/retry', '$post'>, typeof Webhooks.webhookRetry>
  redeliver: Same<Answer<'/v1/webhooks/endpoints/:endpoint_id/redeliver', '$post'>, typeof Webhooks.webhookRedelivery>
  flatpeakList: Same<Answer<'/customers', '$get'>, typeof Flatpeak.flatpeakList>
  flatpeakCreate: Same<Answer<'/customers', '$post'>, typeof Flatpeak.flatpeakWritten>
  flatpeakGet: Same<Answer<'/customers/:id', '$get'>, typeof Flatpeak.flatpeakCustomer>
  flatpeakDelete: Same<Answer<'/customers/:id', '$delete'>, typeof Flatpeak.flatpeakAccepted>
  login: Same<Answer<'/login', '$get'>, typeof Flatpeak.flatpeakToken>
  createTenant: Same<Answer<'/admin/customers', '$post'>, typeof Admin.adminTenant>
  listTenants: Same<Answer<'/admin/customers', '$get'>, typeof Admin.adminTenantList>
  usage: Same<Answer<'/admin/customers/:customer_id/usage', '$get'>, typeof Admin.adminUsage>
  listKeys: Same<Answer<'/admin/customers/:customer_id/keys', '$get'>, typeof Admin.adminKeyList>
  createKey: Same<Answer<'/admin/customers/:customer_id/keys', '$post'>, typeof Admin.newAdminKey>
  rotateKey: Same<Answer<'/admin/customers/:customer_id/keys/:key_id/rotate', '$post'>, typeof Admin.newAdminKey>
  listAudit: Same<Answer<'/admin/audit', '$get'>, typeof Admin.adminAuditList>
}

/** The names of the checks that fail. */
type Different = { [Name in keyof Checks]: Checks[Name] extends true ? never : Name }[keyof Checks]

describe('the types of roster/client', () => {
  it('are those of the OpenAPI document', () => {
    const different: Different[] = []
    expect(different satisfies never[]).toEqual([])
    // @ts-expect-error a type that says less than its schema is noticed
    true satisfies Same<Omit<Tenant, 'tier'>, typeof Admin.adminTenant>
  })
})
