/**
 * The types of `roster/client`, inferred from the app: every route with its input and its responses, and the named
 * bodies. The package of the client has these types expanded in full, so that it needs no file of the Worker.
 */
import type { ExtractSchema } from 'hono/types'
import type { toAdminTenant } from './apis/admin/tenants/mapping.ts'
import type { AppType } from './app.ts'

export type { V1Error } from './apis/error-body.ts'
export type { FlatpeakError } from './apis/flatpeak/errors.ts'
/** A customer of `/customers`. A group of fields is left out if none of them is set. */
export type { FlatpeakCustomer } from './apis/flatpeak/mapping.ts'
/** A customer of `/v1/customers`, with the related data that `expand` requested. */
export type { V1ExpandedCustomer as V1Customer } from './apis/v1/customers/mapping.ts'
export type { CallHeaders } from './http/contract-types.ts'

/** A tenant, as `/admin/customers` returns it. */
export type Tenant = ReturnType<typeof toAdminTenant>

/** Every route by its path and method. */
export type RosterRoutes = ExtractSchema<AppType>
