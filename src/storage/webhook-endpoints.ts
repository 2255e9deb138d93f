/**
 * The webhook endpoints of one tenant and mode in D1. What may be done with them is `events/endpoints.ts`; the failures of an
 * endpoint are written down by `webhook-outbox.ts`. All of it goes to the primary.
 */
import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import type { Endpoint, EndpointChanges, EndpointStore } from '../events/ports.ts'
import type { Secret } from '../events/signature.ts'
import type { Scope } from '../registry/customer.ts'
import type { KeptAnswer } from '../registry/once.ts'
import { keepStatements, selectKept } from './admin-idempotency-records.ts'
import { classifyD1Error } from './d1-errors.ts'
import { openDatabase } from './database.ts'
import { webhookEndpoints } from './outbox-tables.ts'
import { orUnavailableIn } from './unavailable.ts'
import { listDeliveries, redeliver } from './webhook-deliveries.ts'

export function endpointStore(d1: D1Database, scope: Scope): EndpointStore {
  const orUnavailable = orUnavailableIn(scope)
  const db = openDatabase(d1)
  const inScope = and(eq(webhookEndpoints.tenantId, scope.tenantId), eq(webhookEndpoints.mode, scope.mode))
  const isEndpoint = (id: string) => and(inScope, eq(webhookEndpoints.id, id))
  const keeping = (kept: KeptAnswer | null, made?: SQL) => (kept ? keepStatements(db, kept, made) : [])
  return {
    insert: (endpoint, kept) =>
      orUnavailable(async () => {
        try {
          await db.batch([db.insert(webhookEndpoints).values({ ...scope, ...endpoint }), ...keeping(kept)])
          return true
        } catch (error) {
          const problem = classifyD1Error(error)
          if (problem.kind === 'refused' && problem.rule === 'too_many_endpoints') return false
          throw error
        }
      }),

    list: () =>
      orUnavailable(async () => {
        const rows = await db.select().from(webhookEndpoints).where(inScope).orderBy(desc(webhookEndpoints.id))
        return rows.map(endpointOf)
      }),

    get: (id) =>
      orUnavailable(async () => {
        const [row] = await db.select().from(webhookEndpoints).where(isEndpoint(id))
        return row ? endpointOf(row) : null
      }),

    update: (id, changes, nowMs) =>
      orUnavailable(async () => {
        const [row] = await db
          .update(webhookEndpoints)
          .set({ ...columnsOf(changes), updatedAtMs: nowMs })
          .where(isEndpoint(id))
          .returning()
        return row ? endpointOf(row) : null
      }),

    replaceSecrets: (id, seen, secrets, nowMs, kept) =>
      orUnavailable(async () => {
        const have = (those: readonly Secret[]) =>
          and(isEndpoint(id), sql`${webhookEndpoints.secrets} = ${JSON.stringify(those)}`)
        const replaced = db.select({ found: sql`1` }).from(webhookEndpoints).where(have(secrets))
        const [rows] = await db.batch([
          db
            .update(webhookEndpoints)
            .set({ secrets, updatedAtMs: nowMs })
            .where(have(seen))
            .returning({ id: webhookEndpoints.id }),
          ...keeping(kept, sql`EXISTS ${replaced}`),
        ])
        return rows.length > 0
      }),

    remove: (id) =>
      orUnavailable(async () => {
        const rows = await db.delete(webhookEndpoints).where(isEndpoint(id)).returning({ id: webhookEndpoints.id })
        return rows.length > 0
      }),

    keptAnswer: (key, nowMs) => orUnavailable(async () => (await selectKept(db, key, nowMs))[0] ?? null),

    keepAnswer: (kept) =>
      orUnavailable(async () => {
        await db.batch(keepStatements(db, kept))
      }),

    deliveries: (id, query) => orUnavailable(() => listDeliveries(db, scope, id, query)),
    redeliver: (endpoint, which, nowMs) => orUnavailable(() => redeliver(db, scope, endpoint, which, nowMs)),
  }
}

/** Whoever changes the URL or enables an endpoint anew says that it works: what was held against it is forgotten. */
function columnsOf({ url, description, eventTypes, enabled }: EndpointChanges) {
  return {
    ...(description !== undefined && { description }),
    ...(eventTypes !== undefined && { eventTypes }),
    ...(url !== undefined && { url, failingSinceMs: null }),
    ...(enabled !== undefined && { enabled, disabledReason: null }),
    ...(enabled && { failingSinceMs: null }),
  }
}

function endpointOf({ tenantId, mode, ...row }: typeof webhookEndpoints.$inferSelect): Endpoint {
  return { ...row, eventTypes: row.eventTypes as Endpoint['eventTypes'] }
}
