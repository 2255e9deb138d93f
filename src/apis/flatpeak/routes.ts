/**
 * Routes of the FlatPeak API: `/customers`. An update or a delete returns 202. A plain API key is accepted as a bearer
 * too.
 */

import type { HttpContext, HttpEnv } from '../../http/api.ts'
import { etagOf, isNotModified } from '../../http/conditional.ts'
import { Hono } from '../../http/hono.ts'
import { idempotencyOf } from '../../http/idempotency.ts'
import { respond, respondFound, respondNotModified } from '../../http/respond.ts'
import { notFound } from '../../registry/errors.ts'
import {
  archiveCustomer,
  createCustomer,
  getCustomer,
  listShownCustomers,
  namingAnchor,
  updateCustomer,
} from '../../registry/operations.ts'
import type { Written } from '../../registry/ports.ts'
import { isId } from '../../shared/ids.ts'
import { flatpeakContracts } from './contract.ts'
import {
  type FlatpeakCustomer,
  toChanges,
  toFlatpeak,
  toFlatpeakList,
  toFlatpeakWritten,
  toListQuery,
  toNewCustomer,
} from './mapping.ts'

export function flatpeakCustomers() {
  const { create, list, get, update, archive } = flatpeakContracts

  return new Hono<HttpEnv>()
    .post(
      create.path,
      create.handle(async (c, { body }) => {
        // Requests of this API have no field for onboarding.
        const onboarding = { ifExists: 'fail', onboarding: null } as const
        const options = { nowMs: c.get('nowMs'), ...onboarding, idempotency: await idempotencyOf(c) }
        return respondWritten(c, 201, await createCustomer(c.get('registry'), toNewCustomer(body), options))
      }),
    )
    .get(
      list.path,
      list.handle(async (c, { query }) => {
        const from = query.ending_before === undefined ? 'starting_after' : 'ending_before'
        const page = await namingAnchor(from, 'send an id from a page you have read', () =>
          listShownCustomers(c.get('registry'), toListQuery(query)),
        )
        return respond(c, 200, toFlatpeakList(page))
      }),
    )
    .get(
      get.path,
      get.handle(async (c) => {
        const id = customerId(c.req.param('id'))
        const { customer, bodies } = await getCustomer(c.get('registry'), id)
        // This API does not show a deleted customer; the other APIs still do.
        if (customer.status === 'archived') throw notFound('customer')
        const etag = etagOf(customer.version)
        const elsewhere = elsewhereOf(id, customer.id)
        if (isNotModified(c.req.raw.headers, etag)) return respondNotModified(c, etag, elsewhere)
        bodies.flatpeak ??= JSON.stringify(toFlatpeak(customer))
        return respondFound<FlatpeakCustomer>(c, bodies.flatpeak, etag, elsewhere)
      }),
    )
    .patch(
      update.path,
      update.handle(async (c, { body, precondition }) => {
        const target = { id: customerId(c.req.param('id')) }
        const written = await updateCustomer(c.get('registry'), target, toChanges(body), precondition)
        return respondWritten(c, 202, written, target.id)
      }),
    )
    .delete(
      archive.path,
      archive.handle(async (c, { precondition }) => {
        await archiveCustomer(c.get('registry'), { id: customerId(c.req.param('id')) }, precondition)
        return respond(c, 202, { message: 'Accepted' as const })
      }),
    )
}

/** `id`: the one by which the request named the customer. */
function respondWritten<Status extends 201 | 202>(
  c: HttpContext,
  status: Status,
  written: Written,
  id = written.customer.id,
) {
  const { mode } = c.get('registry').scope
  const headers = { etag: etagOf(written.customer.version), ...elsewhereOf(id, written.customer.id) }
  return respond(c, status, toFlatpeakWritten(written, mode), headers)
}

/** Returns the header that says where a customer is that another one was merged into, if the request named that one. */
function elsewhereOf(named: string, id: string) {
  return named === id ? null : { 'content-location': `/customers/${id}` }
}

function customerId(id: string): string {
  if (!isId('customer', id)) throw notFound('customer')
  return id
}
