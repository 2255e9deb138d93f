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
  getCustomer,
  getCustomerByExternalId,
  getPastCustomer,
  type PastExpansion,
} from '../../../registry/operations.ts'
import type { Moment, PastTarget } from '../../../registry/past.ts'
import type { Registry, Snapshot, Target, Written } from '../../../registry/ports.ts'
import { type Eventual, whenKnown } from '../../../shared/eventual.ts'
import { isExternalId } from '../../../validation/external-id.ts'
import { etagParts, toV1Expanded, toV1Written, type V1ExpandedCustomer } from './mapping.ts'
import { momentOf, type ReadQuery } from './schema.ts'
import { externalIdOfPath } from './targets.ts'

export const NOTHING: ReadonlySet<Expansion> = new Set()

/** Sends the customer that `target` names: as it is now, or as it was. */
export function respondRead(c: HttpContext, query: ReadQuery, target: PastTarget) {
  if (momentOf(query)) return respondPast(c, query, target)
  const wanted = query.expand ?? NOTHING
  return whenKnown(readNow(c.get('registry'), target), (snapshot) =>
    wanted.size === 0 ? respondSnapshot(c, target, snapshot) : respondExpanded(c, target, snapshot, wanted),
  )
}

function readNow(registry: Registry, target: PastTarget): Eventual<Snapshot> {
  return 'id' in target ? getCustomer(registry, target.id) : getCustomerByExternalId(registry, target.externalId)
}

/** Sends the body that was rendered for an earlier read of the same snapshot, if there was one. */
function respondSnapshot(c: HttpContext, named: PastTarget, { customer, bodies }: Snapshot) {
  const etag = etagOf(customer.version)
  const elsewhere = elsewhereThan(named, customer)
  if (isNotModified(c.req.raw.headers, etag)) return respondNotModified(c, etag, elsewhere)
  bodies.v1 ??= JSON.stringify(toV1(customer))
  return respondFound<V1ExpandedCustomer>(c, bodies.v1, etag, elsewhere)
}

async function respondExpanded(
  c: HttpContext,
  named: PastTarget,
  { customer }: Snapshot,
  wanted: ReadonlySet<Expansion>,
) {
  const expanded = await expandCustomer(c.get('registry'), customer, wanted)
  const etag = etagOf(customer.version, etagParts(expanded))
  const elsewhere = elsewhereThan(named, customer)
  if (isNotModified(c.req.raw.headers, etag)) return respondNotModified(c, etag, elsewhere)
  return respond(c, 200, toV1Expanded(customer, expanded, wanted), { etag, ...elsewhere })
}

/**
 * Returns the header that says where the customer is, if the name in the path is not its own: a former one, or that of a customer
 * merged into it.
 */
function elsewhereThan(target: PastTarget, { id, externalId }: Customer) {
  const isOwn = 'id' in target ? target.id === id : target.externalId === externalId
  return isOwn ? null : { 'content-location': locationOf(id) }
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
  const externalId = externalIdOfPath(c)
  // No customer has an external id that is not valid.
  if (!isExternalId(externalId)) throw notFound('customer')
  return respondRead(c, query, { externalId })
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
