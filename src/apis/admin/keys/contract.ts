/** Contracts of the routes of API keys. */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { TENANT } from '../paths.ts'
import { keyCreate, keyListQuery, keyRotate } from './schema.ts'

const OPERATORS = { scope: null, touches: null } as const
const KEYS = `${TENANT}/keys` as const
const KEY = `${KEYS}/:key_id` as const

export const keyContracts = {
  createKey: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'post',
    path: KEYS,
    body: { schema: keyCreate, optional: true },
    idempotent: true,
  }),
  listKeys: contract({
    ...OPERATORS,
    role: 'viewer',
    method: 'get',
    path: KEYS,
    query: () => z.strictObject(keyListQuery()),
  }),
  revokeKey: contract({ ...OPERATORS, role: 'admin', method: 'delete', path: KEY }),
  rotateKey: contract({
    ...OPERATORS,
    role: 'admin',
    method: 'post',
    path: `${KEY}/rotate`,
    body: { schema: keyRotate, optional: true },
    idempotent: true,
  }),
}
