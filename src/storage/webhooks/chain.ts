/**
 * Reads the head of a chain from D1: the next delivery of a customer's events to an endpoint, with the data to make it.
 * claims.ts acts on it.
 */
import { and, asc, Column, eq, is, lte, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { Chain, Head } from '../../events/outbox.ts'
import type { Database } from '../database.ts'
import { loggedEventOf } from '../events/event-log.ts'
import { type EventRow, events } from '../schema/tables.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { inScope, type ScopeValues } from '../scoped.ts'
import { shapedStatement, slot } from '../statement-texts.ts'

/**
 * Due time of a delivery that waits for another of its customer: the latest possible time. The trigger `events_fan_out`
 * has the same value.
 */
export const NOT_BEFORE_ANOTHER_MS = 8_640_000_000_000_000

export const IS_PENDING = sql`${webhookDeliveries.status} = 'pending'`

/** A chain: its values, or the expressions that give them. */
export interface ChainValues extends ScopeValues {
  endpointId: string | SQLWrapper
  customerId: string | SQLWrapper
}

/** The places of a chain and of the time in a text that is kept by its shape. */
export const CHAIN: ChainValues = {
  tenantId: slot('tenantId'),
  mode: slot('mode'),
  endpointId: slot('endpointId'),
  customerId: slot('customerId'),
}
export const NOW_MS = slot('nowMs')

/** Returns a statement about a chain whose text is built once. */
export function chainStatement<Row = unknown>(
  db: Database,
  shape: string,
  build: () => { toSQL(): { sql: string; params: unknown[] } },
  { tenantId, mode, endpointId, customerId }: Chain,
  values: Record<string, unknown> = {},
  rowOf: (columns: Record<string, unknown>) => Row = (columns) => columns as Row,
): BatchItem<'sqlite'> {
  return shapedStatement(db, `webhooks ${shape}`, build, { tenantId, mode, endpointId, customerId, ...values }, rowOf)
}

export function inChain(chain: ChainValues): SQL | undefined {
  return and(
    inScope(webhookDeliveries, chain),
    eq(webhookDeliveries.customerId, chain.customerId),
    eq(webhookDeliveries.endpointId, chain.endpointId),
  )
}

export function isEndpoint(chain: ChainValues): SQL | undefined {
  return and(inScope(webhookEndpoints, chain), eq(webhookEndpoints.id, chain.endpointId))
}

/** A delivery that was never attempted is due in any case: the database wrote its time, and another clock reads it. */
export function isDue(nowMs: number | SQL): SQL | undefined {
  return or(sql`${webhookDeliveries.claims} = 0`, lte(webhookDeliveries.nextAttemptAtMs, nowMs))
}

export function headId(db: Database, chain: ChainValues): SQL {
  const head = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(and(inChain(chain), IS_PENDING))
    .orderBy(asc(webhookDeliveries.id))
    .limit(sql.raw('1') as never)
  return sql`${head}`
}

/** Number of completed attempts of a delivery. */
export const attemptCount = sql`(
  SELECT count(*) FROM ${webhookAttempts} WHERE ${webhookAttempts.deliveryId} = ${webhookDeliveries.id}
)`

/**
 * The event's documents are read as text. A broken one then fails where it is parsed, and that code can park the
 * delivery.
 */
const HEAD = {
  id: webhookDeliveries.id,
  eventId: webhookDeliveries.eventId,
  claims: webhookDeliveries.claims,
  attempts: sql<number>`${attemptCount}`.as('attempts'),
  nextAttemptAtMs: webhookDeliveries.nextAttemptAtMs,
  url: webhookEndpoints.url,
  enabled: webhookEndpoints.enabled,
  secrets: webhookEndpoints.secrets,
  failingSinceMs: webhookEndpoints.failingSinceMs,
  type: events.type,
  customerId: events.customerId,
  version: events.version,
  actor: events.actor,
  requestId: events.requestId,
  before: sql<string | null>`${events.before}`.as('before'),
  after: sql<string | null>`${events.after}`.as('after'),
  detail: sql<string | null>`${events.detail}`.as('detail'),
  eventAtMs: events.createdAtMs,
}

/** The delivery of the endpoint that has waited longest for a slot. */
export const WAITING_ID = sql`(
  SELECT w.id FROM webhook_deliveries w WHERE w.tenant_id = ${CHAIN.tenantId} AND w.mode = ${CHAIN.mode} AND w.slot = 'waits'
    AND w.endpoint_id = ${CHAIN.endpointId}
  ORDER BY w.next_attempt_at LIMIT 1
)`

function headQuery(db: Database, id: SQL) {
  return db
    .select(HEAD)
    .from(webhookDeliveries)
    .leftJoin(webhookEndpoints, isEndpoint(CHAIN))
    .leftJoin(events, and(inScope(events, CHAIN), eq(events.id, webhookDeliveries.eventId)))
    .where(sql`${webhookDeliveries.id} = ${id}`)
}

export type Looked = Awaited<ReturnType<typeof headQuery>>[number]

/** Returns a statement that reads the head of the chain, as a row of `Looked`. */
export function readBackStatement(db: Database, chain: Chain): BatchItem<'sqlite'> {
  return chainStatement(db, 'head', () => headQuery(db, headId(db, CHAIN)), chain, {}, lookedOf)
}

/** Returns a statement that reads the delivery that has waited longest, in the same way. */
export function readWaitingStatement(db: Database, chain: Chain): BatchItem<'sqlite'> {
  return chainStatement(db, 'waiting', () => headQuery(db, WAITING_ID), chain, {}, lookedOf)
}

function lookedOf(columns: Record<string, unknown>): Looked {
  const { enabled, ...row } = Object.fromEntries(
    HEAD_COLUMNS.map(([name, column]) => [name, columns[column]]),
  ) as unknown as Omit<Looked, 'enabled'> & { enabled: number | null }
  return { ...row, enabled: enabled === null ? null : enabled === 1 }
}

/** The columns of `HEAD`, by the names that D1 gives them. */
const HEAD_COLUMNS = Object.entries(HEAD).map(([name, field]): [string, string] => [
  name,
  is(field, Column) ? field.name : field.fieldAlias,
])

export function headOf(chain: Chain, isClaimed: boolean, looked: Looked | undefined, nowMs: number): Head {
  if (!looked) return { kind: 'none' }
  const { id, eventId, claims, attempts, url, enabled, secrets, failingSinceMs } = looked
  if (isClaimed && url !== null && secrets !== null) {
    const endpoint = { url, sealedSecrets: secrets, failingSinceMs }
    return {
      kind: 'claimed',
      delivery: { id, eventId, attempt: attempts + 1, claims, endpoint, readEvent: () => eventOf(chain, looked) },
    }
  }
  const isDueNow = claims === 0 || looked.nextAttemptAtMs <= nowMs
  if (enabled || !isDueNow) return { kind: 'not_due', atMs: looked.nextAttemptAtMs }
  return { kind: 'closed', reason: enabled === null ? 'endpoint_deleted' : 'endpoint_disabled' }
}

function eventOf(chain: Chain, looked: Looked) {
  const { eventId: id, type, customerId, version, actor, requestId, before, after, detail, eventAtMs } = looked
  if (type === null || after === null) return null
  const row = {
    ...{ id, type, customerId, version, actor, requestId, reason: null, createdAtMs: eventAtMs, deliveries: 0 },
    ...{ tenantId: chain.tenantId, mode: chain.mode },
    before: before && JSON.parse(before),
    after: JSON.parse(after),
    detail: detail && JSON.parse(detail),
  }
  return loggedEventOf({ tenantId: chain.tenantId, mode: chain.mode }, row as EventRow)
}
