/**
 * `roster/client`: Hono's typed client for the routes that this Worker serves. Paths, parameters, bodies and responses
 * have the types of the routes, and errors have the types of each API. The client uses types of the Worker, but none of
 * its code.
 */
import type { Hono } from 'hono'
import { type ApplyGlobalResponse, type ClientRequestOptions, hc } from 'hono/client'
import type { ExtractSchema } from 'hono/types'
import type { FlatpeakError, RosterRoutes, V1Error } from './client-routes.ts'

export type {
  CallHeaders,
  FlatpeakCustomer,
  FlatpeakError,
  RosterRoutes,
  Tenant,
  V1Customer,
  V1Error,
} from './client-routes.ts'

type FlatpeakPath = '/customers' | `/customers/${string}` | '/login'
type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 410 | 412 | 413 | 415 | 422 | 429 | 500 | 503 | 507

/** The routes of one API. Each may return an error of that API. */
type WithErrors<Path extends keyof RosterRoutes, Error> = ExtractSchema<
  ApplyGlobalResponse<
    Hono<Record<never, never>, Pick<RosterRoutes, Path>>,
    { [Status in ErrorStatus]: { json: Error } }
  >
>

export type RosterApp = Hono<
  Record<never, never>,
  WithErrors<Exclude<keyof RosterRoutes, FlatpeakPath>, V1Error> &
    WithErrors<Extract<keyof RosterRoutes, FlatpeakPath>, FlatpeakError>
>
export type RosterClient = ReturnType<typeof hc<RosterApp>>

export interface RosterClientOptions extends Omit<ClientRequestOptions, 'headers'> {
  /** The tenant that an operator acts as at the routes of `v1`. Each change then needs the header `x-reason`. */
  actAs?: { tenantId: string; mode: 'live' | 'test' }
}

/**
 * Returns a client of the Roster at `origin`. `key` is an API key, or the key of an operator for the routes of `admin` and,
 * with `actAs`, for those of `v1`.
 */
export function rosterClient(
  origin: string,
  key: string,
  { actAs, ...options }: RosterClientOptions = {},
): RosterClient {
  const acting = actAs && { 'roster-tenant': actAs.tenantId, 'roster-mode': actAs.mode }
  return hc<RosterApp>(origin, { ...options, headers: { 'x-api-key': key, ...acting } })
}
