/**
 * Routes of `/v1/customers`, as FlexPrice's API has them. A read of one customer without a query string is the hot path
 * of the whole service: it parses nothing and sends a body that is already serialized.
 */
import { Hono } from 'hono'
import { toV1 } from '../../../formats/v1-customer.ts'
import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import type { PageCursor } from '../../../http/cursor.ts'
import { idempotencyOf } from '../../../http/idempotency.ts'
import { respond, respondFound, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { invalidField, notFound, RegistryError } from '../../../registry/errors.ts'
import {
  archiveCustomer,
  createCustomer,
  type Expansion,
  eraseCustomer,
  expandCustomer,
  expandPage,
  getCustomer,
  getCustomerByExternalId,
  listCustomers,
  restoreCustomer,
  updateCustomer,
  upsertCustomer,
} from '../../../registry/operations.ts'
import type { Snapshot, Target, Written } from '../../../registry/ports.ts'
import type { Precondition } from '../../../registry/precondition.ts'
import { isId } from '../../../shared/ids.ts'
import { externalIdFault, isExternalId } from '../../../validation/external-id.ts'
import { notSupportedAt } from '../not-supported.ts'
import { customerContracts } from './contract.ts'
import { exportRoute } from './export.ts'
import { importCustomers } from './import.ts'
import { toListRequest, toV1List } from './list-mapping.ts'
import type { ListInput } from './list-schema.ts'
import {
  etagParts,
  onboardingOf,
  parentFieldOf,
  toChanges,
  toMergePatch,
  toNewCustomer,
  toV1Erasure,
  toV1Expanded,
  toV1Written,
  type V1ExpandedCustomer,
} from './mapping.ts'
import type { CustomerInput, OnboardingInput, ReadQuery, TargetQuery } from './schema.ts'

export function v1Customers(services: Services) {
  const contracts = customerContracts

  return new Hono<HttpEnv>()
    .get(
      contracts.list.path,
      contracts.list.handle((c, { query, page }) => respondList(c, query, page)),
    )
    .post(
      contracts.search.path,
      contracts.search.handle((c, { body, page }) => respondList(c, body, page)),
    )
    .post(
      contracts.create.path,
      contracts.create.handle(async (c, { query, body }) => {
        const options = { nowMs: c.get('nowMs'), onboarding: onboardingOf(body), idempotency: await idempotencyOf(c) }
        const write = createCustomer(c.get('registry'), toNewCustomer(body), { ...options, ifExists: query.if_exists })
        const written = await named(body, write)
        return respondWritten(c, written.effect === 'created' ? 201 : 200, written)
      }),
    )
    .post(
      contracts.import.path,
      contracts.import.handle((c, { query }) => importCustomers(c, services, query)),
    )
    .get(
      contracts.export.path,
      contracts.export.handle((c, { query }) => exportRoute(c, query)),
    )
    .get(
      contracts.getByExternalId.path,
      contracts.getByExternalId.handle((c, { query }) => respondByExternalId(c, query)),
    )
    .get(
      contracts.lookup.path,
      contracts.lookup.handle((c, { query }) => respondByExternalId(c, query)),
    )
    .put(
      contracts.upsert.path,
      contracts.upsert.handle((c, { body, precondition }) => upsert(c, body, precondition)),
    )
    .get(
      contracts.get.path,
      contracts.get.handle((c, { query }) => respondRead(c, query, () => getCustomer(c.get('registry'), idToRead(c)))),
    )
    .put(
      contracts.updateByQuery.path,
      contracts.updateByQuery.handle((c, { query, ...given }) => update(c, targetOf(query, null), given, toChanges)),
    )
    .put(
      contracts.update.path,
      contracts.update.handle((c, { query, ...given }) =>
        update(c, targetOf(query, c.req.param('id')), given, toChanges),
      ),
    )
    .patch(
      contracts.patch.path,
      contracts.patch.handle((c, given) => update(c, { id: customerId(c.req.param('id')) }, given, toMergePatch)),
    )
    .delete(
      contracts.archive.path,
      contracts.archive.handle(async (c, { precondition }) => {
        await archiveCustomer(c.get('registry'), { id: customerId(c.req.param('id')) }, precondition)
        return respond(c, 204, null)
      }),
    )
    .post(
      contracts.restore.path,
      contracts.restore.handle(async (c, { body, precondition }) => {
        const target = { id: customerId(c.req.param('id')) }
        const idempotency = await idempotencyOf(c)
        const write = restoreCustomer(c.get('registry'), target, toChanges(body), precondition, idempotency)
        return respondWritten(c, 200, await named(body, write, { restores: true }))
      }),
    )
    .post(
      contracts.erase.path,
      contracts.erase.handle(async (c, { precondition }) => {
        const id = customerId(c.req.param('id'))
        const erasure = await eraseCustomer(c.get('registry'), { id }, precondition, await idempotencyOf(c))
        return respond(c, 200, toV1Erasure(erasure))
      }),
    )
}

const NOTHING: ReadonlySet<Expansion> = new Set()

async function respondRead(c: HttpContext, { expand }: ReadQuery, read: () => Promise<Snapshot>) {
  const wanted = expand ?? NOTHING
  const { customer, bodies } = await read()
  const { headers } = c.req.raw
  if (wanted.size === 0) {
    const etag = etagOf(customer.version)
    if (isNotModified(headers, etag)) return respondNotModified(c, etag)
    bodies.v1 ??= JSON.stringify(toV1(customer))
    return respondFound<V1ExpandedCustomer>(c, bodies.v1, etag)
  }
  const expanded = await expandCustomer(c.get('registry'), customer, wanted)
  const etag = etagOf(customer.version, etagParts(expanded))
  if (isNotModified(headers, etag)) return respondNotModified(c, etag)
  return respond(c, 200, toV1Expanded(customer, expanded, wanted), { etag })
}

function respondByExternalId(c: HttpContext, query: ReadQuery) {
  return respondRead(c, query, () => {
    const externalId = externalIdOfPath(c)
    // No customer has an external id that is not valid.
    if (!isExternalId(externalId)) throw notFound('customer')
    return getCustomerByExternalId(c.get('registry'), externalId)
  })
}

async function respondList(c: HttpContext, input: ListInput, cursor: PageCursor) {
  const request = toListRequest(input, cursor.position)
  const found = await listCustomers(c.get('registry'), request.query, { total: request.total === null })
  const wanted = input.expand ?? NOTHING
  const { page, expanded } = await expandPage(c.get('registry'), found, wanted)
  const items = page.customers.map((customer, at) => toV1Expanded(customer, expanded[at] ?? {}, wanted))
  return respond(c, 200, await toV1List(page, request, items, cursor))
}

async function update(
  c: HttpContext,
  target: Target,
  { body, precondition }: { body: CustomerInput; precondition: Precondition | null },
  translate: (input: CustomerInput) => ReturnType<typeof toChanges>,
) {
  const write = updateCustomer(c.get('registry'), target, translate(body), precondition)
  return respondWritten(c, 200, await named(body, write))
}

async function upsert(
  c: HttpContext,
  { external_id: externalIdInBody, ...input }: CustomerInput & OnboardingInput,
  precondition: Precondition | null,
) {
  const externalId = externalIdOfPath(c)
  const fault = externalIdFault(externalId)
  if (fault) throw invalidField('external_id', fault.message, fault.fix)
  if (externalIdInBody !== undefined && externalIdInBody !== externalId) {
    const fix = 'leave it out of the body, or send PUT /v1/customers/{id} to change it'
    throw invalidField('external_id', 'is not the one in the path', fix)
  }
  const options = { nowMs: c.get('nowMs'), precondition, onboarding: onboardingOf(input) }
  const write = upsertCustomer(c.get('registry'), externalId, toChanges(input), options)
  const written = await named(input, write)
  return respondWritten(c, written.effect === 'created' ? 201 : 200, written)
}

/**
 * Adds the field in which the caller named the parent to a failure about the parent. A restore without such a field
 * keeps the parent that the customer had.
 */
async function named(input: CustomerInput, write: Promise<Written>, { restores = false } = {}): Promise<Written> {
  try {
    return await write
  } catch (error) {
    const failure = error instanceof RegistryError ? error.failure : null
    switch (failure?.reason) {
      case 'parent_not_found':
      case 'parent_cycle':
      case 'parent_too_deep':
      case 'too_many_descendants':
        throw new RegistryError({
          ...failure,
          field: parentFieldOf(input),
          isKept: restores && toChanges(input).parent === undefined,
        })
      default:
        throw error
    }
  }
}

/**
 * Returns the customer that a PUT is for: by its id in the path or the query, by its external id, or by all of them if
 * they agree. Throws `RegistryError` with `targets_disagree` if the two ids differ, with `invalid_input` if the request
 * names no customer, and with `not_found` if the id does not have the form of a customer's id.
 */
function targetOf({ id: idInQuery, external_customer_id: externalId }: TargetQuery, idInPath: string | null): Target {
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
function idToRead(c: HttpContext): string {
  const id = c.req.param('id') ?? ''
  const failure = isId('customer', id) ? null : notSupportedAt(c.req.path)
  if (failure) throw new RegistryError(failure)
  return customerId(id)
}

/** Returns the id. Throws `RegistryError` with `not_found` if it does not have the form of a customer's id. */
function customerId(id: string): string {
  if (!isId('customer', id)) throw notFound('customer')
  return id
}

/**
 * Decodes the external id from the raw URL. The router would leave escapes that are not UTF-8 undecoded, and that text
 * could be another customer's external id. Throws `RegistryError` with `invalid_input` for such escapes.
 */
function externalIdOfPath(c: HttpContext): string {
  const [path = ''] = c.req.raw.url.split(/[?#]/, 1)
  try {
    return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
  } catch {
    throw invalidField('external_id', 'is not percent-encoded UTF-8', 'encode the path as encodeURIComponent does')
  }
}

function respondWritten<Status extends 200 | 201>(c: HttpContext, status: Status, written: Written) {
  return respond(c, status, toV1Written(written), { etag: etagOf(written.customer.version) })
}
