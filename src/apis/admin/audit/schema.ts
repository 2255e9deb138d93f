/** Schemas of the requests about the audit log. */
import * as z from 'zod'
import { isId } from '../../../shared/ids.ts'
import { lazily } from '../../../shared/lazily.ts'
import { AUDIT_TYPES } from '../../../tenants/ports.ts'
import { isTenantId } from '../../../tenants/tenant.ts'
import { issue, requiredText, time } from '../../../validation/fields.ts'
import { page } from '../fields.ts'

const ACTOR_LENGTH_MAX = 255
const REQUEST_ID_LENGTH_MAX = 128

function idLike(isOne: (text: string) => boolean, example: string) {
  return z.string().check((context) => {
    if (isOne(context.value)) return
    context.issues.push(issue(context.value, 'is not such an id', `send one such as ${example}`))
  })
}

export const auditQuery = lazily(() =>
  z.strictObject({
    ...page(),
    tenant_id: idLike(isTenantId, '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e').optional(),
    customer_id: idLike((id) => isId('customer', id), 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE').optional(),
    actor: requiredText(ACTOR_LENGTH_MAX).optional(),
    type: z.enum(AUDIT_TYPES).optional(),
    request_id: requiredText(REQUEST_ID_LENGTH_MAX).optional(),
    start_time: time.optional(),
    end_time: time.optional(),
  }),
)
