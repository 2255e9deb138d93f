/** Routes of operators, their keys and their sign-in links. A change is in force when the response is sent. */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { Hono } from '../../../http/hono.ts'
import { operatorIdempotentRequest } from '../../../http/idempotency.ts'
import { respond, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import {
  createOperator,
  createOperatorKey,
  createSignInLink,
  deleteOperator,
  getOperator,
  listOperatorKeys,
  listOperators,
  revokeOperatorKey,
  updateOperator,
} from '../../../operators/operations.ts'
import type { Operator } from '../../../operators/operator.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { log } from '../../../shared/log.ts'
import { DEFAULT_KEY_NAME } from '../fields.ts'
import { toAdminPage } from '../page.ts'
import { authorOf } from '../request.ts'
import { operatorContracts } from './contract.ts'
import { toAdminOperator, toAdminOperatorKey, toAdminSignInLink, toNewAdminOperatorKey } from './mapping.ts'

export function operators(services: Services) {
  const { createOperator: create, listOperators: list, getOperator: get, updateOperator: update } = operatorContracts
  const { deleteOperator: remove, createOperatorKey: createKey, listOperatorKeys: listKeys } = operatorContracts
  const { revokeOperatorKey: revokeKey, createSignInLink: createLink } = operatorContracts
  const deps = (c: HttpContext) => services.operators(c.env, authorOf(c))

  return new Hono<HttpEnv>()
    .post(
      create.path,
      create.handle(async (c, { body }) => {
        const operator = await createOperator(deps(c), body, await operatorIdempotentRequest(c))
        logChange(c, 'operator_created', operator.id, { role: operator.role })
        return respondOperator(c, 201, operator)
      }),
    )
    .get(
      list.path,
      list.handle(async (c, { query: { limit }, page: cursor }) => {
        const page = await listOperators(deps(c), { limit, afterId: cursor.position })
        return respond(c, 200, await toAdminPage(page, limit, cursor, toAdminOperator))
      }),
    )
    .get(
      get.path,
      get.handle(async (c) => {
        const operator = await getOperator(deps(c), operatorIdOf(c))
        const etag = etagOfOperator(operator)
        if (isNotModified(c.req.raw.headers, etag, 'operator')) return respondNotModified(c, etag)
        return respondOperator(c, 200, operator)
      }),
    )
    .patch(
      update.path,
      update.handle(async (c, { body, precondition }) => {
        const operator = await updateOperator(deps(c), operatorIdOf(c), body, precondition)
        logChange(c, 'operator_updated', operator.id, { role: operator.role })
        return respondOperator(c, 200, operator)
      }),
    )
    .delete(
      remove.path,
      remove.handle(async (c, { precondition }) => {
        const id = operatorIdOf(c)
        await deleteOperator(deps(c), id, precondition)
        logChange(c, 'operator_deleted', id)
        return respond(c, 204, null)
      }),
    )
    .post(
      createKey.path,
      createKey.handle(async (c, { body: { name, expires_at: expiresAtMs = null } }) => {
        const fields = { name: name || DEFAULT_KEY_NAME, expiresAtMs }
        const made = await createOperatorKey(deps(c), operatorIdOf(c), fields, await operatorIdempotentRequest(c))
        logChange(c, 'operator_key_created', made.key.operatorId, { keyId: made.key.id })
        return respond(c, 201, toNewAdminOperatorKey(made))
      }),
    )
    .get(
      listKeys.path,
      listKeys.handle(async (c) => {
        const keys = await listOperatorKeys(deps(c), operatorIdOf(c))
        return respond(c, 200, { items: keys.map(toAdminOperatorKey) })
      }),
    )
    .delete(
      revokeKey.path,
      revokeKey.handle(async (c) => {
        const id = operatorIdOf(c)
        const keyId = keyIdOf(c)
        await revokeOperatorKey(deps(c), id, keyId)
        logChange(c, 'operator_key_revoked', id, { keyId })
        return respond(c, 204, null)
      }),
    )
    .post(
      createLink.path,
      createLink.handle(async (c) => {
        const id = operatorIdOf(c)
        const link = await createSignInLink(deps(c), id, await operatorIdempotentRequest(c))
        logChange(c, 'sign_in_link_created', id)
        return respond(c, 201, toAdminSignInLink(link, new URL(c.req.raw.url).origin))
      }),
    )
}

function respondOperator<Status extends 200 | 201>(c: HttpContext, status: Status, operator: Operator) {
  return respond(c, status, toAdminOperator(operator), { etag: etagOfOperator(operator) })
}

/** The minute of the last request is shown too, and it changes without a new version. */
function etagOfOperator({ version, lastSeenAtMs }: Operator): string {
  return etagOf(version, lastSeenAtMs === null ? [] : [lastSeenAtMs])
}

function operatorIdOf(c: HttpContext): string {
  const id = c.req.param('operator_id') ?? ''
  if (!isId('operator', id)) throw notFound('operator')
  return id
}

function keyIdOf(c: HttpContext): string {
  const id = c.req.param('key_id') ?? ''
  if (!isId('operatorKey', id)) throw notFound('operator_key')
  return id
}

function logChange(c: HttpContext, event: string, operatorId: string, facts: Record<string, string> = {}): void {
  if (c.get('idempotentRequest')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), operatorId, ...facts })
}
