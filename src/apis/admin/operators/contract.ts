/** Contracts of the routes of operators, their keys and their sign-in links. */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { page } from '../fields.ts'
import { operatorCreate, operatorKeyCreate, operatorUpdate } from './schema.ts'

const OWNERS = { scope: null, touches: null, role: 'owner' } as const
const OPERATORS = '/admin/operators'
const OPERATOR = '/admin/operators/:operator_id'
const KEYS = '/admin/operators/:operator_id/keys'

export const operatorContracts = {
  createOperator: contract({
    ...OWNERS,
    method: 'post',
    path: OPERATORS,
    body: { schema: operatorCreate },
    idempotent: true,
  }),
  listOperators: contract({ ...OWNERS, method: 'get', path: OPERATORS, query: () => z.strictObject(page()) }),
  getOperator: contract({ ...OWNERS, method: 'get', path: OPERATOR }),
  updateOperator: contract({
    ...OWNERS,
    method: 'patch',
    path: OPERATOR,
    versioned: true,
    body: { schema: operatorUpdate },
  }),
  deleteOperator: contract({ ...OWNERS, method: 'delete', path: OPERATOR, versioned: true }),
  createOperatorKey: contract({
    ...OWNERS,
    method: 'post',
    path: KEYS,
    body: { schema: operatorKeyCreate, optional: true },
    idempotent: true,
  }),
  listOperatorKeys: contract({ ...OWNERS, method: 'get', path: KEYS }),
  revokeOperatorKey: contract({ ...OWNERS, method: 'delete', path: `${KEYS}/:key_id` }),
  createSignInLink: contract({ ...OWNERS, method: 'post', path: `${OPERATOR}/sign_in_links`, idempotent: true }),
}
