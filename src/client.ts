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
type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 429 | 500 | 503 | 507

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

/** Returns a client of the Roster at `origin`. `key` is an API key, or an admin key for the routes of `admin`. */
export function rosterClient(
  origin: string,
  key: string,
  options: Omit<ClientRequestOptions, 'headers'> = {},
): RosterClient {
  return hc<RosterApp>(origin, { ...options, headers: { 'x-api-key': key } })
}
