/**
 * Stores the webhook endpoints of one tenant and mode in D1. Their operations are in `events/endpoints.ts`; claims.ts
 * records the failures of an endpoint. All statements go to the primary.
 */
import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import type { Endpoint, EndpointChanges, EndpointStore } from '../../events/ports.ts'
import type { SecretVault } from '../../events/secret-vault.ts'
import type { ResponseToStore } from '../../idempotency/idempotency.ts'
import type { Scope } from '../../registry/customer.ts'
import { requireMet } from '../../registry/errors.ts'
import { newId } from '../../shared/ids.ts'
import type { Author } from '../../tenants/ports.ts'
import { classifyD1Error } from '../d1-errors.ts'
import { openDatabase } from '../database.ts'
import { differsFrom } from '../differs.ts'
import { responseStore, storeResponseStatements } from '../idempotency/records.ts'
import { meets } from '../precondition.ts'
import { webhookEndpoints } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import { auditOf } from '../tenants/audit-writes.ts'
import { orUnavailableIn } from '../unavailable.ts'
import { hasWaiting, listDeliveries, redeliver } from './deliveries.ts'
import { hurry } from './hurry.ts'

/** With `author`, an operator who changes the endpoints of a tenant, updates and deletions are in the audit. */
export function endpointStore(
  d1: D1Database,
  scope: Scope,
  vault: SecretVault,
  author: Author | null = null,
  archive?: R2Bucket,
): EndpointStore {
  const endpointOf = async ({ tenantId, mode, sealedBy, secrets, ...row }: EndpointRow): Promise<Endpoint> => ({
    ...row,
    eventTypes: row.eventTypes as Endpoint['eventTypes'],
    secrets: (await vault.open(secrets)) ?? [],
  })
  const orUnavailable = orUnavailableIn(scope)
  const db = openDatabase(d1)
  const audit = author && auditOf(db, author, newId)
  const isOwn = inScope(webhookEndpoints, scope)
  const isEndpoint = (id: string) => and(isOwn, eq(webhookEndpoints.id, id))
  const storing = (response: ResponseToStore | null, made?: SQL) =>
    response ? storeResponseStatements(db, scope, response, made) : []
  return {
    insert: (endpoint, response) =>
      orUnavailable(async () => {
        const sealed = await vault.seal(endpoint.secrets)
        try {
          await db.batch([
            db.insert(webhookEndpoints).values({ ...scope, ...endpoint, ...sealed }),
            ...(audit ? [audit.created('endpoint', endpoint.createdAtMs, isEndpoint(endpoint.id))] : []),
            ...storing(response),
          ])
          return true
        } catch (error) {
          const problem = classifyD1Error(error)
          if (problem.kind === 'refused' && problem.rule === 'too_many_endpoints') return false
          throw error
        }
      }),

    list: () =>
      orUnavailable(async () => {
        const rows = await db.select().from(webhookEndpoints).where(isOwn).orderBy(desc(webhookEndpoints.id))
        return Promise.all(rows.map(endpointOf))
      }),

    get: (id) =>
      orUnavailable(async () => {
        const [row] = await db.select().from(webhookEndpoints).where(isEndpoint(id))
        return row ? endpointOf(row) : null
      }),

    update: (id, changes, nowMs, precondition = null) =>
      orUnavailable(async () => {
        const columns = columnsOf(changes)
        const isChanged = and(
          isEndpoint(id),
          meets(webhookEndpoints, precondition),
          differsFrom(webhookEndpoints, columns),
        )
        const audited = audit?.changed('webhook.endpoint.updated', 'endpoint', nowMs)
        const select = () => db.select().from(webhookEndpoints).where(isEndpoint(id))
        const update = db
          .update(webhookEndpoints)
          .set({ ...columns, updatedAtMs: nowMs, version: NEXT_VERSION })
          .where(isChanged)
        const change = audited ? [audited.begin(isChanged), update, audited.end(isEndpoint(id))] : [update]
        const answers: unknown[] = await db.batch([select(), ...change, select()])
        const [[before], [after]] = [answers[0], answers.at(-1)] as [EndpointRow[], EndpointRow[]]
        if (before) requireMet(precondition, before, 'endpoint')
        return after ? endpointOf(after) : null
      }),

    replaceSecrets: (id, seen, secrets, nowMs, response) =>
      orUnavailable(async () => {
        const sealed = await vault.seal(secrets)
        // Each sealing is another text, so this one is there only if this statement wrote it.
        const isReplaced = and(isEndpoint(id), eq(webhookEndpoints.secrets, sealed.secrets))
        const replaced = db.select({ found: sql`1` }).from(webhookEndpoints).where(isReplaced)
        const [rows] = await db.batch([
          db
            .update(webhookEndpoints)
            .set({ ...sealed, updatedAtMs: nowMs, version: NEXT_VERSION })
            .where(and(isEndpoint(id), eq(webhookEndpoints.version, seen.version)))
            .returning({ id: webhookEndpoints.id }),
          ...(audit ? [audit.noted('webhook.endpoint.secret_rotated', 'endpoint', nowMs, isReplaced)] : []),
          ...storing(response, sql`EXISTS ${replaced}`),
        ])
        return rows.length > 0
      }),

    remove: (id, nowMs, precondition = null) =>
      orUnavailable(async () => {
        const isDeleted = and(isEndpoint(id), meets(webhookEndpoints, precondition))
        const [[before]] = await db.batch([
          db.select().from(webhookEndpoints).where(isEndpoint(id)),
          ...(audit ? [audit.removed('webhook.endpoint.deleted', 'endpoint', nowMs, isDeleted)] : []),
          db.delete(webhookEndpoints).where(isDeleted),
        ])
        if (before) requireMet(precondition, before, 'endpoint')
        return before !== undefined
      }),

    ...responseStore(() => db, scope, orUnavailable),

    deliveries: (id, query) => orUnavailable(() => listDeliveries(db, scope, id, query)),
    redeliver: (endpoint, which, eventsMax, nowMs) =>
      orUnavailable(() => redeliver(db, scope, endpoint, which, eventsMax, nowMs, archive)),
    hasWaiting: (id, count) => orUnavailable(() => hasWaiting(db, scope, id, count)),
    hurry: (id, which, nowMs) => orUnavailable(() => hurry(db, scope, id, which, nowMs)),
  }
}

const NEXT_VERSION = sql`${webhookEndpoints.version} + 1`

/** A new URL, or enabling the endpoint again, clears its record of failures. */
function columnsOf({ url, description, eventTypes, enabled }: EndpointChanges) {
  return {
    ...(description !== undefined && { description }),
    ...(eventTypes !== undefined && { eventTypes }),
    ...(url !== undefined && { url, failingSinceMs: null }),
    ...(enabled !== undefined && { enabled, disabledReason: null }),
    ...(enabled && { failingSinceMs: null }),
  }
}

type EndpointRow = typeof webhookEndpoints.$inferSelect
