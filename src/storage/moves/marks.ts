/**
 * The marks of a move in both databases: from when changes are noted, from when nothing can change, and that what stands in
 * the other database is a copy. Each can be set twice, and only the move that set it takes it away.
 */
import { HOLDING_ROWID, shiftFor } from './places.ts'
import type { Position } from './position.ts'

/** Rows that one statement looks at to find the numbers of a tenant. */
const LOOKED_AT_MAX = 20_000

export interface Ends {
  from: D1Database
  to: D1Database
  tenantId: string
  moveId: string
}

/** Thrown when the other database has rows of the tenant already, or its numbers have moved on. The step can be done again. */
export class NotBegun extends Error {}

/**
 * Lets the database that the tenant is in note what changes, and the other one expect a copy. Does nothing if that is so. The row
 * of the tenant must be in both.
 */
export async function begin({ from, to, tenantId, moveId }: Ends): Promise<void> {
  const known = await to
    .prepare('SELECT 1 FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2')
    .bind(tenantId, moveId)
    .first()
  if (known) return
  // First: every change after this is noted, so none is missed by the copy.
  await from
    .prepare("INSERT INTO leaving_tenants (tenant_id, move_id, state) VALUES (?1, ?2, 'copied') ON CONFLICT DO NOTHING")
    .bind(tenantId, moveId)
    .run()
  const [customers, deliveries] = [
    await numbersOf(from, tenantId, CUSTOMERS),
    await numbersOf(from, tenantId, DELIVERIES),
  ]
  const last = await to
    .prepare(`SELECT (${LAST_CUSTOMER}) AS customer, (${LAST_DELIVERY}) AS delivery`)
    .first<{ customer: number | null; delivery: number | null }>()
  const position: Position = {
    moveId,
    steps: 0,
    numbers: shiftFor(customers, last?.customer ?? null),
    deliveries: shiftFor(deliveries, last?.delivery ?? null),
    table: 0,
    after: null,
    change: 0,
    copied: 0,
    copiedAgain: 0,
    isWhole: false,
  }
  const text = JSON.stringify(position)
  const isNew = 'EXISTS (SELECT 1 FROM arriving_tenants WHERE tenant_id = ?1 AND position = ?2)'
  const [begun] = await to.batch<Record<string, unknown>>([
    to
      .prepare(
        `INSERT INTO arriving_tenants (tenant_id, move_id, state, position) SELECT ?1, ?2, 'copied', ?3
        WHERE coalesce((${LAST_CUSTOMER}), 0) < CAST(?4 AS INTEGER) AND coalesce((${LAST_DELIVERY}), 0) < CAST(?5 AS INTEGER)
        ON CONFLICT DO NOTHING RETURNING 1`,
      )
      .bind(
        tenantId,
        moveId,
        text,
        (customers.least ?? 1) + position.numbers.by,
        (deliveries.least ?? 1) + position.deliveries.by,
      ),
    to
      .prepare(`INSERT INTO customer_search (rowid, tokens) SELECT CAST(?3 AS INTEGER), '' WHERE ${isNew}`)
      .bind(tenantId, text, position.numbers.end),
    to
      .prepare(
        `INSERT INTO webhook_deliveries
          (id, tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
        SELECT CAST(?3 AS INTEGER), '', 'live', '', '', '', '', 'delivered', 0, 0, 0 WHERE ${isNew}`,
      )
      .bind(tenantId, text, position.deliveries.end),
    // It is no change of a customer, so no trigger counts its bytes, and of no tenant, so nobody gets it and no list shows it.
    to
      .prepare(
        `INSERT INTO events (rowid, tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
        SELECT ${HOLDING_ROWID}, '', 'live', '', 'customer.created', '', 0, '', '{}', 0 WHERE ${isNew}
        ON CONFLICT DO NOTHING`,
      )
      .bind(tenantId, text),
  ])
  if (begun?.results.length !== 1) throw new NotBegun('the other database has numbers or a mark in the way')
}

/** From when this is answered, nothing of the tenant can change where it is. */
export async function freeze({ from, tenantId, moveId }: Ends): Promise<void> {
  await from
    .prepare("UPDATE leaving_tenants SET state = 'frozen' WHERE tenant_id = ?1 AND move_id = ?2 AND state = 'copied'")
    .bind(tenantId, moveId)
    .run()
}

/**
 * Makes the copy the tenant's own rows: from now on triggers follow from their changes. Nobody changes them yet. The copy
 * must be as `position` says.
 */
export async function finish({ to, tenantId, moveId }: Ends, position: { text: string } & { position: Position }) {
  const mine = `EXISTS (
    SELECT 1 FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2 AND state = 'copied' AND position = ?3
  )`
  const bound = (sql: string, ...more: number[]) => to.prepare(sql).bind(tenantId, moveId, position.text, ...more)
  await to.batch([
    bound(`DELETE FROM customer_search WHERE ${mine} AND rowid = CAST(?4 AS INTEGER)`, position.position.numbers.end),
    bound(
      `DELETE FROM webhook_deliveries WHERE ${mine} AND id = CAST(?4 AS INTEGER) AND tenant_id = ''`,
      position.position.deliveries.end,
    ),
    bound("DELETE FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2 AND state = 'copied' AND position = ?3"),
  ])
}

/** Lets the tenant change again where it is, and forgets what was noted. */
export async function letStay({ from, tenantId, moveId }: Ends): Promise<void> {
  await from.prepare('DELETE FROM leaving_tenants WHERE tenant_id = ?1 AND move_id = ?2').bind(tenantId, moveId).run()
}

interface Numbers {
  least: number | null
  most: number | null
}

const LAST_CUSTOMER = 'SELECT rowid FROM customer_search ORDER BY rowid DESC LIMIT 1'
const LAST_DELIVERY = 'SELECT max(id) FROM webhook_deliveries'

/** Rows of a tenant with the number of each, in an order that an index has. `?1` is the tenant. */
const CUSTOMERS = {
  order: ['c.mode', 'c.id'],
  number: 'n.number',
  from: `customers c CROSS JOIN customer_numbers n ON n.id = c.id AND n.tenant_id = c.tenant_id AND n.mode = c.mode
    WHERE c.tenant_id = ?1`,
}
const DELIVERIES = {
  order: ['d.mode', 'd.customer_id', 'd.endpoint_id', 'd.status', 'd.id'],
  number: 'd.id',
  from: 'webhook_deliveries d INDEXED BY webhook_deliveries_chain WHERE d.tenant_id = ?1',
}

/** Returns the least and the largest number of a tenant, page by page: there is no index by tenant and number. */
async function numbersOf(
  db: D1Database,
  tenantId: string,
  { order, number, from }: typeof CUSTOMERS,
): Promise<Numbers> {
  const numbers: Numbers = { least: null, most: null }
  for (let after: string | null = null; ; ) {
    const values = order.map((_, at) => `?2 ->> ${at}`).join(', ')
    const isBehind: string = after === null ? '?2 IS NULL' : `(${order.join(', ')}) > (${values})`
    const page: { count: number; least: number; most: number; last: string } | null = await db
      .prepare(
        `WITH page AS MATERIALIZED (
          SELECT json_array(${order.join(', ')}) AS place, ${number} AS number
          FROM ${from} AND ${isBehind} ORDER BY ${order.join(', ')} LIMIT ${LOOKED_AT_MAX}
        )
        SELECT count(*) AS count, min(number) AS least, max(number) AS most,
          (SELECT place FROM page LIMIT 1 OFFSET (SELECT count(*) - 1 FROM page)) AS last FROM page`,
      )
      .bind(tenantId, after)
      .first()
    if (!page || page.count === 0) return numbers
    numbers.least = Math.min(numbers.least ?? page.least, page.least)
    numbers.most = Math.max(numbers.most ?? page.most, page.most)
    if (page.count < LOOKED_AT_MAX) return numbers
    after = page.last
  }
}
