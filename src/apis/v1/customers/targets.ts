/** The customer that a request of `/v1/customers` names: in its path, its query, or both. */
import type { HttpContext } from '../../../http/api.ts'
import { invalidField, notFound, RegistryError } from '../../../registry/errors.ts'
import type { Target } from '../../../registry/ports.ts'
import { isId } from '../../../shared/ids.ts'
import { notSupportedAt } from '../not-supported.ts'
import type { TargetQuery } from './schema.ts'

/**
 * Returns the customer that a PUT is for: by its id in the path or the query, by its external id, or by all of them if
 * they agree. Throws `RegistryError` with `targets_disagree` if the two ids differ, with `invalid_input` if the request
 * names no customer, and with `not_found` if the id does not have the form of a customer's id.
 */
export function targetOf(
  { id: idInQuery, external_customer_id: externalId }: TargetQuery,
  idInPath: string | null,
): Target {
  const id = idInPath ?? idInQuery
  if (id === undefined) {
    if (externalId !== undefined) return { externalId }
    const message = 'is required, or else external_customer_id'
    throw invalidField('id', message, 'add ?id= or ?external_customer_id= to the path')
  }
  if (idInQuery !== undefined && idInQuery !== id) throw new RegistryError({ reason: 'targets_disagree' })
  return { id: customerId(id), externalId }
}

/** Returns the id in the path. Throws `RegistryError` with `not_supported` for `GET /v1/customers/usage` and the like. */
export function idToRead(c: HttpContext): string {
  const id = c.req.param('id') ?? ''
  const failure = isId('customer', id) ? null : notSupportedAt(c.req.path)
  if (failure) throw new RegistryError(failure)
  return customerId(id)
}

/** Returns the id. Throws `RegistryError` with `not_found` if it does not have the form of a customer's id. */
export function customerId(id: string): string {
  if (!isId('customer', id)) throw notFound('customer')
  return id
}

/**
 * Decodes the external id from the raw URL. The router would leave escapes that are not UTF-8 undecoded, and that text
 * could be another customer's external id. Throws `RegistryError` with `invalid_input` for such escapes.
 */
export function externalIdOfPath(c: HttpContext): string {
  const { url } = c.req.raw
  if (!url.includes('%')) return lastSegment(c.req.path)
  const [path = ''] = url.split(/[?#]/, 1)
  try {
    return decodeURIComponent(lastSegment(path))
  } catch {
    throw invalidField('external_id', 'is not percent-encoded UTF-8', 'encode the path as encodeURIComponent does')
  }
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
