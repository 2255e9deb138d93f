/**
 * The interface between an HTTP API and the shared HTTP code: the API's name and its response to a failure. The routes
 * of the API own everything else. Also the Hono context that the shared middleware fills for the routes.
 */
import type { Context } from 'hono'
import type { IdempotentRequest } from '../idempotency/idempotency.ts'
import type { OperatorPrincipal } from '../operators/operator.ts'
import type { Failure } from '../registry/errors.ts'
import type { TenantPrincipal } from '../tenants/principal.ts'
import type { CountResponse } from './count-responses.ts'
import type { RequestRegistry } from './services.ts'

interface FailureContext {
  requestId: string
  nowMs: number
  /** False in test mode. True in live mode, and for a request without a tenant and mode. */
  liveMode: boolean
}

export interface Api {
  name: string
  /** Returns the status and body of this API for the failure. */
  toErrorResponse(failure: Failure, context: FailureContext): { status: number; body: object }
}

/** The same for all requests to a deployment. */
export interface Deployment {
  /** The first of them seals and signs. */
  signingSecrets: readonly string[]
  /** Counts a response. Null without the ANALYTICS binding. */
  countResponse: CountResponse | null
}

/**
 * The variables that the shared middleware sets for the routes. A hot read sets four of them: Hono's map of variables has to grow
 * for a fifth.
 */
export interface HttpEnv {
  Bindings: Cloudflare.Env
  Variables: {
    requestId: string
    nowMs: number
    deployment: Deployment
    /** Set on the routes of tenants (v1 and FlatPeak), once the caller is authenticated. */
    registry: RequestRegistry
    /** Set once the caller is identified as an operator. */
    operator: OperatorPrincipal | undefined
    /**
     * Identifies the operator anew, for a long request. Rejects with `RegistryError` with `unauthorized` if it is none any more.
     * Set with `operator`.
     */
    identifyAgain: () => Promise<void>
    /** The owner of the key in the Basic credentials of a login. */
    principal: TenantPrincipal
    /** The JSON body as the caller sent it. Set once a contract has read it. */
    bodyText: string | undefined
    /** Set for a request to the admin, webhook or onboarding routes that has an idempotency key. */
    idempotentRequest: IdempotentRequest | undefined
    /** The preferences of the caller by name. Set if the request has a `prefer` header. */
    preferences: ReadonlyMap<string, string> | undefined
    /** True once a body was checked by its schema, with or without its unknown fields. */
    isBodyChecked: boolean | undefined
    /** Returns the value of the `server-timing` header. Set if the caller sent `prefer: server-timing`. */
    serverTiming: () => string
  }
}

export type HttpContext = Context<HttpEnv>
