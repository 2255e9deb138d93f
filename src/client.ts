/**
 * `roster/client`: Hono's typed client over the routes that this Worker serves. Paths, parameters and bodies are the
 * routes' own; what they answer and which query they take, which routes do not say to Hono (they send ready strings and
 * read a query only where there is one), is said here, by the schemas that document and test the answers.
 * Nothing of the Worker is in the code of the client, its types alone are.
 */
import type { Hono } from 'hono'
import { type ClientRequestOptions, hc } from 'hono/client'
import type { Endpoint, ExtractSchema } from 'hono/types'
import type { ClientErrorStatusCode, ServerErrorStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import type * as Admin from './dialects/admin-customers/answers.ts'
import type { envelopedError } from './dialects/answers.ts'
import type * as Fp from './dialects/customers/answers.ts'
import type * as V1 from './dialects/v1-customers/answers.ts'
import type { searchBody } from './dialects/v1-customers/list-schema.ts'
import type { createQueryString, targetQueryString } from './dialects/v1-customers/schema.ts'
import type * as Events from './dialects/v1-events/answers.ts'
import type * as Onboarding from './dialects/v1-onboarding/answers.ts'
import type * as Webhooks from './dialects/v1-webhooks/answers.ts'
import type { AppType } from './http/app.ts'

/** `/v1/customers`, and `/admin/customers` too: why a request was refused. */
export type V1Error = z.output<typeof envelopedError>
/** The same at `/customers`. */
export type FlatpeakError = z.output<typeof Fp.flatpeakError>
/** A customer of `/v1/customers`, with what `expand` asked for. */
export type V1Customer = z.output<typeof V1.v1Customer>
/** A customer of `/customers`. A group is there when something in it is set. */
export type FlatpeakCustomer = z.output<typeof Fp.flatpeakCustomer>
/** A customer of `/admin/customers`: a tenant. */
export type Tenant = z.output<typeof Admin.adminTenant>

/** Each in the form that a query string has: text, or several. */
type V1ListQuery = { [Name in keyof z.input<typeof searchBody>]?: string | string[] } & {
  [metadata: `metadata[${string}]`]: string
}
type Expand = { expand?: string | string[] }

interface Said {
  body: unknown
  status: number
  error: unknown
  query: object
}
type Says<Body, Status extends number, Error, Query = Record<never, never>> = {
  body: Body
  status: Status
  error: Error
  query: Query
}
type ByV1<Answer extends z.ZodType, Status extends number, Query = Record<never, never>> = Says<
  z.output<Answer>,
  Status,
  V1Error,
  Query
>
type ByFlatpeak<Answer extends z.ZodType, Status extends number> = Says<z.output<Answer>, Status, FlatpeakError>
type NoBody = Says<null, 204, V1Error>

/** What each route answers, by its path and method. */
export interface Answers {
  '/healthz': { $get: Says<{ status: 'ok' }, 200, V1Error> }
  '/v1/customers': {
    $get: ByV1<typeof V1.v1List, 200, V1ListQuery>
    $post: ByV1<typeof V1.v1Customer, 200 | 201, z.input<typeof createQueryString>>
    $put: ByV1<typeof V1.v1Customer, 200, z.input<typeof targetQueryString>>
  }
  '/v1/customers/search': { $post: ByV1<typeof V1.v1List, 200> }
  '/v1/customers/external/:external_id': {
    $get: ByV1<typeof V1.v1Customer, 200, Expand>
    $put: ByV1<typeof V1.v1Customer, 200 | 201>
  }
  '/v1/customers/lookup/:external_id': { $get: ByV1<typeof V1.v1Customer, 200, Expand> }
  '/v1/customers/:id': {
    $get: ByV1<typeof V1.v1Customer, 200, Expand>
    $put: ByV1<typeof V1.v1Customer, 200, z.input<typeof targetQueryString>>
    $patch: ByV1<typeof V1.v1Customer, 200>
    $delete: NoBody
  }
  '/v1/customers/:id/restore': { $post: ByV1<typeof V1.v1Customer, 200> }
  '/v1/customers/:id/events': { $get: ByV1<typeof Events.eventList, 200> }
  '/v1/events': { $get: ByV1<typeof Events.eventList, 200> }
  '/v1/customers/:id/onboarding': { $get: ByV1<typeof Onboarding.v1OnboardingRun, 200> }
  '/v1/customers/:id/onboarding/signal': { $post: ByV1<typeof Onboarding.v1OnboardingRun, 202> }
  '/v1/settings/customer_onboarding': {
    $get: ByV1<typeof Onboarding.v1OnboardingSettings, 200>
    $put: ByV1<typeof Onboarding.v1OnboardingSettings, 200>
  }
  '/v1/settings/customer_onboarding/rotate': { $post: ByV1<typeof Onboarding.newOnboardingSecret, 201> }
  '/v1/customers/:id/erase': { $post: ByV1<typeof V1.v1Erasure, 200> }
  '/v1/webhooks/endpoints': {
    $get: ByV1<typeof Webhooks.webhookEndpointList, 200>
    $post: ByV1<typeof Webhooks.newWebhookSecret, 201>
  }
  '/v1/webhooks/endpoints/:endpoint_id': {
    $get: ByV1<typeof Webhooks.webhookEndpoint, 200>
    $patch: ByV1<typeof Webhooks.webhookEndpoint, 200>
    $delete: NoBody
  }
  '/v1/webhooks/endpoints/:endpoint_id/rotate': { $post: ByV1<typeof Webhooks.newWebhookSecret, 201> }
  '/v1/webhooks/endpoints/:endpoint_id/test': { $post: ByV1<typeof Webhooks.webhookTest, 200> }
  '/v1/webhooks/endpoints/:endpoint_id/deliveries': { $get: ByV1<typeof Webhooks.webhookDeliveryList, 200> }
  '/v1/webhooks/endpoints/:endpoint_id/redeliver': { $post: ByV1<typeof Webhooks.webhookRedelivery, 202> }
  '/customers': {
    $get: ByFlatpeak<typeof Fp.flatpeakList, 200>
    $post: ByFlatpeak<typeof Fp.flatpeakCustomer, 201>
  }
  '/customers/:id': {
    $get: ByFlatpeak<typeof Fp.flatpeakCustomer, 200>
    $patch: ByFlatpeak<typeof Fp.flatpeakCustomer, 202>
    $delete: ByFlatpeak<typeof Fp.flatpeakAccepted, 202>
  }
  '/login': { $get: ByFlatpeak<typeof Fp.flatpeakToken, 200> }
  '/admin/customers': { $get: ByV1<typeof Admin.adminTenantList, 200>; $post: ByV1<typeof Admin.adminTenant, 201> }
  '/admin/customers/:customer_id': {
    $get: ByV1<typeof Admin.adminTenant, 200>
    $put: ByV1<typeof Admin.adminTenant, 200>
  }
  '/admin/customers/:customer_id/usage': { $get: ByV1<typeof Admin.adminUsage, 200> }
  '/admin/customers/:customer_id/keys': {
    $get: ByV1<typeof Admin.adminKeyList, 200>
    $post: ByV1<typeof Admin.newAdminKey, 201>
  }
  '/admin/customers/:customer_id/keys/:key_id': { $delete: NoBody }
  '/admin/customers/:customer_id/keys/:key_id/rotate': { $post: ByV1<typeof Admin.newAdminKey, 201> }
  '/admin/audit': { $get: ByV1<typeof Admin.adminAuditList, 200> }
}

/** Headers that any call may send. */
export interface CallHeaders {
  'consistency-token'?: string
  'if-match'?: string
  'idempotency-key'?: string
  prefer?: 'handling=strict'
  'x-reason'?: string
  'x-request-id'?: string
}

type InputOf<Route extends Endpoint, Answer extends Said> = Route['input'] &
  (keyof Answer['query'] extends never ? unknown : { query?: Answer['query'] }) & { header?: CallHeaders }

type Typed<Route extends Endpoint, Answer extends Said> =
  | {
      input: InputOf<Route, Answer>
      output: Answer['body']
      outputFormat: Answer['body'] extends null ? 'text' : 'json'
      status: Answer['status']
    }
  | {
      input: InputOf<Route, Answer>
      output: Answer['error']
      outputFormat: 'json'
      status: ClientErrorStatusCode | ServerErrorStatusCode
    }

/** Routes whose answers are not said above keep what Hono knows of them. */
type TypedSchema<Routes> = {
  [Path in keyof Routes]: {
    [Method in keyof Routes[Path]]: Path extends keyof Answers
      ? Method extends keyof Answers[Path]
        ? Answers[Path][Method] extends Said
          ? Routes[Path][Method] extends Endpoint
            ? Typed<Routes[Path][Method], Answers[Path][Method]>
            : never
          : never
        : Routes[Path][Method]
      : Routes[Path][Method]
  }
}

export type RosterRoutes = ExtractSchema<AppType>
export type RosterApp = Hono<Record<never, never>, TypedSchema<RosterRoutes>>

/** A client of the Roster at `origin`; `key` is an API key, or an admin key for `admin`. */
export function rosterClient(origin: string, key: string, options: Omit<ClientRequestOptions, 'headers'> = {}) {
  return hc<RosterApp>(origin, { ...options, headers: { 'x-api-key': key } })
}
