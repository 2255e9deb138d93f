/** The responses of `/v1/customers` that show one customer: after a read, as it is or as it was, and after a change. */
import { toV1 } from '../../../formats/v1-customer.ts'
import type { HttpContext } from '../../../http/api.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { respond, respondFound, respondNotModified } from '../../../http/respond.ts'
import type { Customer } from '../../../registry/customer.ts'
import type { Duplicate } from '../../../registry/duplicates.ts'
import { notFound } from '../../../registry/errors.ts'
import {
  type Expansion,
  expandCustomer,
  expandPastCustomer,
  getCustomerByExternalId,
  getPastCustomer,
  type PastExpansion,
} from '../../../registry/operations.ts'
import type { Moment, PastTarget } from '../../../registry/past.ts'
import type { Snapshot, Target, Written } from '../../../registry/ports.ts'
import { isExternalId } from '../../../validation/external-id.ts'
import { etagParts, toV1Expanded, toV1Written, type V1ExpandedCustomer } from './mapping.ts'
import { momentOf, type ReadQuery } from './schema.ts'
import { externalIdOfPath } from './targets.ts'

export const NOTHING: ReadonlySet<Expansion> = new Set()

/** Sends the customer that `target` names: as it is now, which `read` reads, or as it was. */
export async function respondRead<Named extends PastTarget>(
  c: HttpContext,
  query: ReadQuery,
  target: () => Named,
  read: (named: Named) => Promise<Snapshot>,
) {
  if (momentOf(query)) return respondPast(c, query, target())
  const wanted = query.expand ?? NOTHING
  const named = target()
  const { customer, bodies } = await read(named)
  const { headers } = c.req.raw
  const elsewhere = isNamedBy(named, customer) ? null : { 'content-location': locationOf(customer.id) }
  if (wanted.size === 0) {
    const etag = etagOf(customer.version)
    if (isNotModified(headers, etag)) return respondNotModified(c, etag, elsewhere)
    bodies.v1 ??= JSON.stringify(toV1(customer))
    return respondFound<V1ExpandedCustomer>(c, bodies.v1, etag, elsewhere)
  }
  const expanded = await expandCustomer(c.get('registry'), customer, wanted)
  const etag = etagOf(customer.version, etagParts(expanded))
  if (isNotModified(headers, etag)) return respondNotModified(c, etag, elsewhere)
  return respond(c, 200, toV1Expanded(customer, expanded, wanted), { etag, ...elsewhere })
}

/** Returns whether the name in the path is the customer's own: not a former one, nor that of a customer merged into it. */
function isNamedBy(target: PastTarget, { id, externalId }: Customer): boolean {
  return 'id' in target ? target.id === id : target.externalId === externalId
}

async function respondPast(c: HttpContext, query: ReadQuery, target: PastTarget) {
  const registry = c.get('registry')
  const moment = momentOf(query) as Moment
  // The schema lets no other expansion through.
  const wanted = (query.expand ?? NOTHING) as ReadonlySet<PastExpansion>
  const customer = await getPastCustomer(registry, target, moment)
  const expanded = await expandPastCustomer(registry, customer, moment, wanted)
  const etag = etagOf(customer.version, wanted.size === 0 ? [] : etagParts(expanded))
  if (isNotModified(c.req.raw.headers, etag)) return respondNotModified(c, etag)
  return respond(c, 200, toV1Expanded(customer, expanded, wanted), { etag })
}

export function respondByExternalId(c: HttpContext, query: ReadQuery) {
  const target = () => {
    const externalId = externalIdOfPath(c)
    // No customer has an external id that is not valid.
    if (!isExternalId(externalId)) throw notFound('customer')
    return { externalId }
  }
  return respondRead(c, query, target, ({ externalId }) => getCustomerByExternalId(c.get('registry'), externalId))
}

/** Returns the path of the customer, for a response to a request that named it by another one. */
export function locationOf(id: string): string {
  return `/v1/customers/${id}`
}

/** Says also who may be the same customer, if the caller wants to know and the customer was just created. */
export async function respondCreated(c: HttpContext, written: Written, wantsDuplicates: boolean, target?: Target) {
  const isCreated = written.effect === 'created'
  const { id } = written.customer
  const duplicates = wantsDuplicates && isCreated && !written.isCut ? await duplicatesOf(c, id) : null
  return respondWritten(c, isCreated ? 201 : 200, written, target, duplicates)
}

/** A creation is answered as such even if the look for others fails: it was made. */
function duplicatesOf(c: HttpContext, id: string): Promise<Duplicate[] | null> {
  return c
    .get('registry')
    .reader.duplicatesOf(id)
    .catch(() => null)
}

/** `target`: the name by which the request found the customer. */
export function respondWritten<Status extends 200 | 201>(
  c: HttpContext,
  status: Status,
  written: Written,
  target?: Target,
  duplicates: Duplicate[] | null = null,
) {
  const { id, externalId, version } = written.customer
  const isNamed = target === undefined || target.id === id || target.externalId === externalId
  const elsewhere = isNamed ? null : { 'content-location': locationOf(id) }
  return respond(c, status, toV1Written(written, duplicates), { etag: etagOf(version), ...elsewhere })
}
