/**
 * The zod schemas of the responses about operators. Only the OpenAPI document and the tests import this file; the Worker
 * does not.
 */
import { z } from 'zod'
import { ROLES } from '../src/operators/operator.ts'
import { isoTime } from './values.ts'

const idOf = (prefix: string) => z.string().meta({ pattern: `^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$` })

export const operatorId = idOf('op')
export const sessionId = idOf('ses')
const operatorKeyId = idOf('opk')
const role = z.enum(ROLES)

export const adminOperator = z
  .object({
    operator_id: operatorId,
    name: z.string(),
    email: z.string(),
    role,
    last_seen_at: isoTime.nullable(),
    created_at: isoTime,
    updated_at: isoTime,
  })
  .meta({ id: 'Operator' })

const pagination = z.object({ limit: z.int(), next_cursor: z.string().nullable(), has_more: z.boolean() })

export const adminOperatorList = z.object({ items: z.array(adminOperator), pagination }).meta({ id: 'OperatorList' })

const key = {
  key_id: operatorKeyId,
  name: z.string(),
  expires_at: isoTime.nullable(),
  created_at: isoTime,
  last_used_at: isoTime.nullable(),
}

export const adminOperatorKeyList = z
  .object({ items: z.array(z.object(key).meta({ id: 'OperatorKey' })) })
  .meta({ id: 'OperatorKeyList' })

export const newAdminOperatorKey = z.object({ ...key, key: z.string() }).meta({ id: 'NewOperatorKey' })

export const adminSignInLink = z.object({ url: z.string(), expires_at: isoTime }).meta({ id: 'SignInLink' })

export const adminMe = z
  .object({
    operator_id: operatorId.nullable(),
    name: z.string(),
    email: z.string().nullable(),
    role,
    via: z.enum(['admin_key', 'operator_key', 'session', 'access']),
    session_id: sessionId.nullable(),
    session_expires_at: isoTime.nullable(),
  })
  .meta({ id: 'Me' })
