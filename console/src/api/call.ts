/**
 * Requests as values. A screen makes a `Call`, which is then sent (`send.ts`), shown as curl (`curl.ts`), and is the key
 * of what the answer is cached under: what is shown is what is sent. The types of answers are those of `roster/client`;
 * its function is not used, because it sends at once and shows nothing.
 */
import type { Routes } from './routes.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

type QueryValue = string | number | boolean | null | undefined

export interface Call<Answer = unknown> {
  method: Method
  /** Path with its parameters filled in and encoded, and with the query string. */
  path: string
  body?: unknown
  headers: Record<string, string>
  /** Holds no value; gives `send` its type. */
  readonly answer?: Answer
}

/** Tenant and mode that an operator's request to the v1 API is for. A tenant's own key says both itself. */
export interface Place {
  tenantId: string
  mode: Mode
}

export type Mode = 'live' | 'test'

interface Input {
  /** Values of the parameters in the path, such as `:id`. */
  param?: Record<string, string>
  /** Values that are undefined, null or empty are left out. */
  query?: Record<string, QueryValue>
  body?: unknown
  headers?: Record<string, string>
  /** Why an operator makes the change, for the audit. */
  reason?: string
  /** The etag that the change is for. */
  ifMatch?: string
  /** For the v1 API, when an operator calls it. */
  place?: Place
}

type MethodKey<M extends Method> = `$${Lowercase<M>}`
type Endpoint<P extends keyof Routes, M extends Method> = Routes[P] extends Record<MethodKey<M>, infer E> ? E : never
/** The answer of a route when it succeeds. */
export type Answer<P extends keyof Routes, M extends Method = 'GET'> =
  Endpoint<P, M> extends infer E ? (E extends { output: infer O; status: 200 | 201 | 202 | 204 } ? O : never) : never

/** Returns the call of a route. `path` is the route's own, such as `/v1/customers/:id`. */
export function call<M extends Method, P extends keyof Routes & string>(
  method: M,
  path: P,
  { param = {}, query = {}, body, headers = {}, reason, ifMatch, place }: Input = {},
): Call<Answer<P, M>> {
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(param[name] ?? ''))
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const search = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)]))).toString()
  return {
    method,
    path: search === '' ? filled : `${filled}?${search}`,
    ...(body !== undefined && { body }),
    headers: {
      ...(place && { 'roster-tenant': place.tenantId, 'roster-mode': place.mode }),
      ...(reason && { 'x-reason': reason }),
      ...(ifMatch && { 'if-match': ifMatch }),
      ...headers,
    },
  }
}
