/**
 * `GET /admin/audit`: what was done to tenants, keys and customers, through every door, newest first.
 */
import { Hono } from 'hono'
import { answer } from '../../http/answer.ts'
import type { HttpEnv } from '../../http/door.ts'
import { validQuery } from '../../http/validate.ts'
import type { Wiring } from '../../wiring.ts'
import { auditQuery } from './schema.ts'
import { toAdminAuditEntry, toAdminPage } from './translate.ts'

export function adminAudit(wiring: Wiring) {
  return new Hono<HttpEnv>().get('/', validQuery(auditQuery), async (c) => {
    const { limit, cursor, ...asked } = c.req.valid('query')
    const query = {
      tenantId: asked.tenant_id?.toLowerCase(),
      customerId: asked.customer_id,
      actor: asked.actor,
      type: asked.type,
      startMs: asked.start_time,
      endMs: asked.end_time,
    }
    const page = await wiring.audit(c.env).read(query, { limit, afterId: cursor ?? null })
    return answer(c, 200, toAdminPage(page, limit, toAdminAuditEntry))
  })
}
