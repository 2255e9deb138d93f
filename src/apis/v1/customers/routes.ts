/**
 * Routes of `/v1/customers`, as FlexPrice's API has them. A read of one customer without a query string is the hot path
 * of the whole service: it parses nothing and sends a body that is already serialized.
 */

import { toV1 } from '../../../formats/v1-customer.ts'
import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { etagOf } from '../../../http/conditional.ts'
import type { PageCursor } from '../../../http/cursor.ts'
import { Hono } from '../../../http/hono.ts'
import { idempotencyOf } from '../../../http/idempotency.ts'
import { jsonOfList } from '../../../http/json-pieces.ts'
import { respond, respondText } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import type { Customer } from '../../../registry/customer.ts'
import { invalidField } from '../../../registry/errors.ts'
import {
  archiveCustomer,
  createCustomer,
  eraseCustomer,
  expandPage,
  findDuplicates,
  listCustomers,
  mergeCustomer,
  restoreCustomer,
  revertCustomer,
  unmergeCustomer,
  updateCustomer,
  upsertCustomer,
} from '../../../registry/operations.ts'
import { namingParent } from '../../../registry/parent-failures.ts'
import type { Moment } from '../../../registry/past.ts'
import type { Target, Written } from '../../../registry/ports.ts'
import type { Precondition } from '../../../registry/precondition.ts'
import { externalIdFault } from '../../../validation/external-id.ts'
import { customerContracts } from './contract.ts'
import { exportRoute } from './export.ts'
import { importCustomers } from './import.ts'
import { toListRequest, toV1Pagination } from './list-mapping.ts'
import type { ListInput } from './list-schema.ts'
import {
  onboardingOf,
  parentFieldOf,
  toChanges,
  toMerge,
  toMergePatch,
  toNewCustomer,
  toV1Duplicate,
  toV1Erasure,
  toV1Expanded,
  toV1Merged,
  toV1Reverted,
  toV1Unmerged,
  type V1ExpandedCustomer,
} from './mapping.ts'
import { locationOf, NOTHING, respondByExternalId, respondCreated, respondRead, respondWritten } from './responses.ts'
import { type CustomerInput, momentOf, type OnboardingInput, type UpsertQuery } from './schema.ts'
import { customerId, externalIdOfPath, idToRead, targetOf } from './targets.ts'
import { undoChanges } from './undo.ts'

export function v1Customers(services: Services) {
  const contracts = customerContracts

  return new Hono<HttpEnv>()
    .get(
      contracts.list.path,
      contracts.list.handle((c, { query, page }) => respondList(c, services, query, page)),
    )
    .post(
      contracts.search.path,
      contracts.search.handle((c, { body, page }) => respondList(c, services, body, page)),
    )
    .post(
      contracts.create.path,
      contracts.create.handle(async (c, { query, body }) => {
        const options = { nowMs: c.get('nowMs'), onboarding: onboardingOf(body), idempotency: await idempotencyOf(c) }
        const write = createCustomer(c.get('registry'), toNewCustomer(body), { ...options, ifExists: query.if_exists })
        const written = await named(body, write)
        return respondCreated(c, written, query.expand !== undefined)
      }),
    )
    .post(
      contracts.import.path,
      contracts.import.handle((c, { query }) => importCustomers(c, services, query)),
    )
    .get(
      contracts.export.path,
      contracts.export.handle((c, { query }) => exportRoute(c, services, query)),
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
      contracts.upsert.handle((c, { query, body, precondition }) => upsert(c, query, body, precondition)),
    )
    .get(
      contracts.get.path,
      contracts.get.handle((c, { query }) => respondRead(c, query, { id: idToRead(c) })),
    )
    .get(
      contracts.duplicates.path,
      contracts.duplicates.handle(async (c) => {
        const id = customerId(c.req.param('id'))
        const duplicates = await findDuplicates(c.get('registry'), id)
        return respond(c, 200, { items: duplicates.map(toV1Duplicate) })
      }),
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
      contracts.merge.path,
      contracts.merge.handle(async (c, { body, precondition }) => {
        const target = { id: customerId(c.req.param('id')) }
        const merge = toMerge(body)
        const idempotency = await idempotencyOf(c)
        const merged = await mergeCustomer(c.get('registry'), target, merge, precondition, idempotency)
        const { id, version } = merged.customer
        const headers = { etag: etagOf(version), 'content-location': locationOf(id) }
        return respond(c, 200, toV1Merged(merged, merge.dryRun), merge.dryRun ? {} : headers)
      }),
    )
    .post(
      contracts.unmerge.path,
      contracts.unmerge.handle(async (c, { body, precondition }) => {
        const unmerge = { source: body.source, dryRun: body.dry_run ?? false }
        const idempotency = await idempotencyOf(c)
        const target = { id: customerId(c.req.param('id')) }
        const done = await unmergeCustomer(c.get('registry'), target, unmerge, precondition, idempotency)
        const headers = { etag: etagOf(done.customer.version) }
        return respond(c, 200, toV1Unmerged(done, unmerge.dryRun), unmerge.dryRun ? {} : headers)
      }),
    )
    .post(
      contracts.revert.path,
      contracts.revert.handle(async (c, { query, body, precondition }) => {
        const options = { partial: query.partial === 'true', precondition, idempotency: await idempotencyOf(c) }
        // The schema wants one of the two.
        const moment = momentOf(body) as Moment
        const written = await revertCustomer(c.get('registry'), customerId(c.req.param('id')), moment, options)
        return respond(c, 200, toV1Reverted(written, options), { etag: etagOf(written.customer.version) })
      }),
    )
    .post(
      contracts.undo.path,
      contracts.undo.handle((c, { body }) => undoChanges(c, body)),
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

async function respondList(c: HttpContext, { sleep }: Services, input: ListInput, cursor: PageCursor) {
  const request = toListRequest(input, cursor.position)
  const found = await listCustomers(c.get('registry'), request.query, { total: request.total === null })
  const wanted = input.expand ?? NOTHING
  const { page, expanded } = await expandPage(c.get('registry'), found, wanted)
  const toItem = (customer: Customer, at: number): V1ExpandedCustomer =>
    wanted.size === 0 ? toV1(customer) : toV1Expanded(customer, expanded[at] ?? {}, wanted)
  const pagination = await toV1Pagination(page, request, cursor)
  return respondText(c, await jsonOfList(page.customers, toItem, pagination, sleep))
}

async function update(
  c: HttpContext,
  target: Target,
  { body, precondition }: { body: CustomerInput; precondition: Precondition | null },
  translate: (input: CustomerInput) => ReturnType<typeof toChanges>,
) {
  const write = updateCustomer(c.get('registry'), target, translate(body), precondition)
  return respondWritten(c, 200, await named(body, write), target)
}

async function upsert(
  c: HttpContext,
  { expand }: UpsertQuery,
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
  return respondCreated(c, written, expand !== undefined, { externalId })
}

/**
 * Adds the field in which the caller named the parent to a failure about the parent. A restore without such a field
 * keeps the parent that the customer had.
 */
function named(input: CustomerInput, write: Promise<Written>, { restores = false } = {}): Promise<Written> {
  return namingParent(write, () => ({
    field: parentFieldOf(input),
    isKept: restores && toChanges(input).parent === undefined,
  }))
}
