/** The route of the audit log. */

import type { HttpEnv } from '../../../http/api.ts'
import { Hono } from '../../../http/hono.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { toAdminPage } from '../page.ts'
import { auditContracts } from './contract.ts'
import { toAdminAuditEntry } from './mapping.ts'

export function audit(services: Services) {
  const { listAudit } = auditContracts
  return new Hono<HttpEnv>().get(
    listAudit.path,
    listAudit.handle(async (c, { query: { limit, ...wanted }, page: cursor }) => {
      const query = {
        tenantId: wanted.tenant_id?.toLowerCase(),
        customerId: wanted.customer_id,
        actor: wanted.actor,
        type: wanted.type,
        requestId: wanted.request_id,
        startMs: wanted.start_time,
        endMs: wanted.end_time,
      }
      const page = await services.audit(c.env).read(query, { limit, afterId: cursor.position })
      return respond(c, 200, await toAdminPage(page, limit, cursor, toAdminAuditEntry, page.position))
    }),
  )
}
