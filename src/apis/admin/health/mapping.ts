/** Maps the state of the deployment to this API. Pure. */
import type { Capped, Health } from '../../../observability/health.ts'
import { isoTime, timeOrNull } from '../../../shared/clock.ts'

export function toAdminHealth({ databases, archive, outbox, failingEndpoints, errorsLastHour, unfinished }: Health) {
  return {
    databases: databases.map(({ name, bytes, bytesMax }) => ({ name, bytes, bytes_max: bytesMax })),
    archive: {
      ...{ objects: archive.objects, events: archive.events, bytes: archive.bytes },
      complete_before: timeOrNull(archive.beforeMs),
    },
    outbox: {
      pending: outbox.pending.total,
      pending_is_capped: outbox.pending.isCapped,
      oldest_due_at: timeOrNull(outbox.oldestDueAtMs),
    },
    failing_endpoints: {
      ...toCapped(failingEndpoints),
      items: failingEndpoints.items.map((endpoint) => ({
        tenant_id: endpoint.tenantId,
        company_name: endpoint.companyName,
        mode: endpoint.mode,
        endpoint_id: endpoint.endpointId,
        url_host: new URL(endpoint.url).host,
        failing_since: isoTime(endpoint.failingSinceMs),
      })),
    },
    errors_last_hour: {
      total: errorsLastHour.reduce((sum, { count }) => sum + count, 0),
      by_api: errorsLastHour.map(({ api, status, count }) => ({ api, status, count })),
    },
    unfinished: { changes: toCapped(unfinished.policies), deletions: toCapped(unfinished.deletions) },
  }
}

function toCapped({ total, isCapped }: Capped) {
  return { total, total_is_capped: isCapped }
}
