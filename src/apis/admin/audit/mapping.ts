/** Maps entries of the audit log to this API. Pure. */

import { isoTime } from '../../../shared/clock.ts'
import { changesOf } from '../../../tenants/audit-changes.ts'
import type { AuditEntry } from '../../../tenants/ports.ts'

/** Returns an audit entry with `before` and `after` as stored, except that their times are ISO 8601. */
export function toAdminAuditEntry(entry: AuditEntry) {
  const [before, after] = [entry.before && withTimes(entry.before), entry.after && withTimes(entry.after)]
  return {
    id: entry.id,
    type: entry.type,
    tenant_id: entry.tenantId,
    mode: entry.mode,
    customer_id: entry.customerId,
    key_id: entry.keyId,
    operator_id: entry.operatorId,
    actor: entry.actor,
    role: entry.role,
    session_id: entry.sessionId,
    request_id: entry.requestId,
    reason: entry.reason,
    changes: changesOf(before, after),
    before,
    after,
    created_at: isoTime(entry.createdAtMs),
  }
}

const TIMES = /_at$|^contract_(?:start|end)$/

function withTimes(document: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => {
      if (name === 'stamps') return [name, withTimes(value as Record<string, unknown>)]
      return [name, TIMES.test(name) && typeof value === 'number' ? isoTime(value) : value]
    }),
  )
}
