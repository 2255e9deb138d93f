/** Reads rows of a tenant where it is, and writes them where it is moved to, with what belongs to each. */

import { ROWIDS_PER_MS, wantedRowids } from './places.ts'
import { IS_HERE, type Position } from './position.ts'
import { type CopiedTable, ofTenant, uniqueKey } from './tables.ts'

export type Value = string | number | null
/** The values of a row in the order of the columns of its table, and behind them what belongs to it. */
export type Row = Value[]

/** Bytes of the long columns of a page, and of one bound value. A single row may have more. */
const PAGE_BYTES_MAX = 500_000
const VALUE_BYTES_MAX = 900_000

const ATTEMPT = ['number', 'at', 'duration_ms', 'status_code', 'error', 'answer']

/** Selects what belongs to a row: the place of a customer, the operator of an event, the attempts of a delivery. */
const BELONGING: Readonly<Record<string, string>> = {
  customers: `json_array(
      (SELECT n.number FROM customer_numbers n
        WHERE n.id = customers.id AND n.tenant_id = customers.tenant_id AND n.mode = customers.mode),
      (SELECT json_group_array(json_array(a.external_id, a.merged_from))
        FROM customer_aliases a INDEXED BY customer_aliases_customer
        WHERE a.tenant_id = customers.tenant_id AND a.mode = customers.mode AND a.customer_id = customers.id)
    )`,
  events: `(SELECT json_array(o.role, o.session_id) FROM operator_changes o
    WHERE o.tenant_id = events.tenant_id AND o.mode = events.mode AND o.event_id = events.id)`,
  webhook_deliveries: `(SELECT json_group_array(json_array(${ATTEMPT.map((name) => `a.${name}`).join(', ')}))
    FROM webhook_attempts a WHERE a.delivery_id = webhook_deliveries.id)`,
}

function selected(table: CopiedTable): string {
  const columns = table.columns.map((column) => `${table.name}.${column}`).join(', ')
  return `${columns}, ${BELONGING[table.name] ?? 'NULL'} AS belonging`
}

/** Returns rows of a table behind `after`, in its order, at most `rowsMax` of them and about as many bytes as a page may have. */
export async function readPage(
  db: D1Database,
  tenantId: string,
  table: CopiedTable,
  { after, rowsMax }: { after: readonly Value[] | null; rowsMax: number },
): Promise<Row[]> {
  const order = table.order.join(', ')
  const values = table.order.map((_, at) => `?2 ->> ${at}`).join(', ')
  const bytes = table.long.length === 0 ? '0' : `octet_length(concat_ws('', ${table.long.join(', ')}))`
  const names = [...table.columns, 'belonging'].join(', ')
  // With OR in it, the condition would keep SQLite from the index.
  const isBehind = after === null ? '?2 IS NULL' : `(${order}) > (${values})`
  const sql = `
    SELECT ${names} FROM (
      SELECT ${names}, row_number() OVER page AS place, sum(bytes) OVER page AS bytes_so_far FROM (
        SELECT ${selected(table)}, ${bytes} AS bytes
        FROM ${table.name}${table.index ? ` INDEXED BY ${table.index}` : ''}
        WHERE ${ofTenant(table)} AND ${isBehind}
        ORDER BY ${order} LIMIT ${rowsMax}
      ) WINDOW page AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)
    ) WHERE place = 1 OR bytes_so_far <= ${PAGE_BYTES_MAX} ORDER BY place`
  return db
    .prepare(sql)
    .bind(tenantId, after && JSON.stringify(after))
    .raw<Row>()
}

/** The statement that selects the rows with these keys. */
export function rowsWithKeys(db: D1Database, tenantId: string, table: CopiedTable, keys: readonly string[]) {
  const sameKey = table.key.map((column, at) => `${table.name}.${column} = wanted.value ->> ${at}`).join(' AND ')
  return db
    .prepare(
      `SELECT ${selected(table)} FROM json_each(?2) wanted CROSS JOIN ${table.name} ON ${ofTenant(table)} AND ${sameKey}`,
    )
    .bind(tenantId, `[${keys.join(',')}]`)
}

export function rowOf(table: CopiedTable, row: Record<string, Value>): Row {
  return [...table.columns, 'belonging'].map((column) => row[column] ?? null)
}

/** Returns the key of a row as `moving_changes` spells it. */
export function keyOf(table: CopiedTable, row: Row): string {
  return JSON.stringify(table.key.map((column) => row[table.columns.indexOf(column)]))
}

export function orderOf(table: CopiedTable, row: Row): (string | number)[] {
  return table.order.map((column) => row[table.columns.indexOf(column)] as string | number)
}

/** Where rows are written: the statements of one step. `position` is the text of the position that the step has read. */
export interface Target {
  db: D1Database
  tenantId: string
  position: string
  shifts: Pick<Position, 'numbers' | 'deliveries'>
}

/** Returns the statements that write the rows, whether they are there already or not. */
export function writeRows(target: Target, table: CopiedTable, rows: readonly Row[]): D1PreparedStatement[] {
  return inValues(rows).flatMap((some) => {
    switch (table.name) {
      case 'customers':
        return writeCustomers(target, table, some)
      case 'events':
        return writeEvents(target, table, some)
      case 'webhook_deliveries':
        return writeDeliveries(target, table, some)
      default:
        return [statement(target, upsert(table), some)]
    }
  })
}

/** Returns the statements that delete the rows with these keys. */
export function deleteRows(target: Target, table: CopiedTable, keys: readonly string[]): D1PreparedStatement[] {
  if (keys.length === 0) return []
  const isDelivery = table.name === 'webhook_deliveries'
  const values = table.key.map((_, at) => `value ->> ${at}${isDelivery ? ' + CAST(?4 AS INTEGER)' : ''}`).join(', ')
  const key = uniqueKey(table)
  const tenant = key.length > table.key.length ? '?1, ' : ''
  const sql = `DELETE FROM ${table.name} WHERE ${ofTenant(table)} AND ${IS_HERE}
    AND (${key.join(', ')}) IN (SELECT ${tenant}${values} FROM json_each(?3))`
  const { db, tenantId, position, shifts } = target
  const bound = [tenantId, position, `[${keys.join(',')}]`, ...(isDelivery ? [shifts.deliveries.by] : [])]
  return [db.prepare(sql).bind(...bound)]
}

function statement({ db, tenantId, position }: Target, sql: string, rows: readonly unknown[], by?: number) {
  return db.prepare(sql).bind(tenantId, position, JSON.stringify(rows), ...(by === undefined ? [] : [by]))
}

/** Parts of the rows of which each is short enough to be bound. */
function inValues(rows: readonly Row[]): Row[][] {
  const parts: Row[][] = []
  let bytes = 0
  for (const row of rows) {
    // A character is at most three bytes, and JSON may escape it.
    const ofRow = row.reduce<number>((sum, value) => sum + (typeof value === 'string' ? 3 * value.length : 12), 0)
    if (parts.length === 0 || bytes + ofRow > VALUE_BYTES_MAX) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(row)
    bytes += ofRow
  }
  return parts
}

const valueAt = (at: number, of = 'r.value') => `${of} ->> ${at}`

interface UpsertParts {
  conflict?: string
  extraColumns?: string
  extraValues?: string
  from?: string
  replace?: Readonly<Record<string, string>>
}

/** `?3` is the rows. */
function upsert(table: CopiedTable, parts: UpsertParts = {}): string {
  const {
    conflict = uniqueKey(table).join(', '),
    extraColumns = '',
    extraValues = '',
    from = 'json_each(?3) r',
    replace = {},
  } = parts
  const values = table.columns.map((column, at) => replace[column] ?? valueAt(at))
  const changed = table.columns.filter((column) => !table.key.includes(column))
  const set = changed.map((column) => `${column} = excluded.${column}`).join(', ')
  const update = set === '' ? 'NOTHING' : `UPDATE SET ${set} WHERE ${table.name}.tenant_id = excluded.tenant_id`
  return `INSERT INTO ${table.name} (${extraColumns}tenant_id, ${table.columns.join(', ')})
    SELECT ${extraValues}?1, ${values.join(', ')} FROM ${from} WHERE ${IS_HERE}
    ON CONFLICT (${conflict}) DO ${update}`
}

function writeCustomers(target: Target, table: CopiedTable, rows: readonly Row[]): D1PreparedStatement[] {
  const at = (column: string) => valueAt(table.columns.indexOf(column))
  const belonging = valueAt(table.columns.length)
  const number = `(${belonging}) ->> 0`
  const { by } = target.shifts.numbers
  const isLive = `${at('archived_at')} IS NULL`
  return [
    // Another customer may have had the external id when it was copied. It has changed since, so it is copied again.
    statement(
      target,
      `UPDATE customers SET archived_at = 0 WHERE ${IS_HERE} AND (tenant_id, mode, id) IN (
        SELECT c.tenant_id, c.mode, c.id FROM json_each(?3) r CROSS JOIN customers c INDEXED BY customers_external_id
          ON c.external_id = ${at('external_id')} AND c.tenant_id = ?1 AND c.mode = ${at('mode')} AND c.archived_at IS NULL
        WHERE ${isLive} AND c.id <> ${at('id')}
      )`,
      rows,
    ),
    // The entities that the customers had when they were copied before.
    statement(
      target,
      `DELETE FROM integration_mappings WHERE ${IS_HERE} AND (tenant_id, mode, provider, entity_id) IN (
        SELECT m.tenant_id, m.mode, m.provider, m.entity_id FROM json_each(?3) r
          CROSS JOIN customers c ON c.tenant_id = ?1 AND c.mode = ${at('mode')} AND c.id = ${at('id')}
          CROSS JOIN json_each(c.integrations) i
          CROSS JOIN integration_mappings m ON m.tenant_id = ?1 AND m.mode = c.mode
            AND m.provider = i.value ->> '$.provider' AND m.entity_id = i.value ->> '$.id' AND m.customer_id = c.id
      )`,
      rows,
    ),
    // Before the customers: the trigger of a change finds the place of its customer by its number.
    statement(
      target,
      `INSERT INTO customer_places (id, scope, number)
      SELECT ${at('id')}, 2 * s.number + (${at('mode')} = 'test'), ${number} + CAST(?4 AS INTEGER)
      FROM json_each(?3) r CROSS JOIN search_scopes s ON s.tenant_id = ?1
      WHERE ${IS_HERE} AND ${number} IS NOT NULL ON CONFLICT (id, scope) DO NOTHING`,
      rows,
      by,
    ),
    statement(target, upsert(table), rows),
    statement(
      target,
      `INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
      SELECT ?1, ${at('mode')}, i.value ->> '$.provider', i.value ->> '$.id', ${at('id')}
      FROM json_each(?3) r CROSS JOIN json_each(${at('integrations')}) i WHERE ${IS_HERE} AND ${isLive}
      ON CONFLICT (tenant_id, mode, provider, entity_id) DO UPDATE SET customer_id = excluded.customer_id`,
      rows,
    ),
    // The former ids of the customers, and those of others that one of these has now.
    statement(
      target,
      `DELETE FROM customer_aliases WHERE ${IS_HERE} AND (tenant_id, mode, external_id) IN (
        SELECT a.tenant_id, a.mode, a.external_id FROM json_each(?3) r
          CROSS JOIN customer_aliases a INDEXED BY customer_aliases_customer
          ON a.tenant_id = ?1 AND a.mode = ${at('mode')} AND a.customer_id = ${at('id')}
        UNION ALL
        SELECT ?1, ${at('mode')}, ${at('external_id')} FROM json_each(?3) r WHERE ${isLive}
      )`,
      rows,
    ),
    statement(
      target,
      `INSERT INTO customer_aliases (tenant_id, mode, external_id, customer_id, merged_from)
      SELECT ?1, ${at('mode')}, a.value ->> 0, ${at('id')}, a.value ->> 1
      FROM json_each(?3) r CROSS JOIN json_each((${belonging}) -> 1) a WHERE ${IS_HERE}
      ON CONFLICT (tenant_id, mode, external_id)
        DO UPDATE SET customer_id = excluded.customer_id, merged_from = excluded.merged_from`,
      rows,
    ),
    statement(
      target,
      `INSERT INTO customer_search (rowid, tokens)
      SELECT n.number, t.tokens FROM json_each(?3) r
        CROSS JOIN customer_numbers n ON n.id = ${at('id')} AND n.tenant_id = ?1 AND n.mode = ${at('mode')}
        CROSS JOIN customer_tokens t ON t.tenant_id = n.tenant_id AND t.mode = n.mode AND t.id = n.id
      WHERE ${IS_HERE} AND NOT EXISTS (SELECT 1 FROM customer_search s WHERE s.rowid = n.number)`,
      rows,
    ),
  ]
}

function writeEvents(target: Target, table: CopiedTable, rows: readonly Row[]): D1PreparedStatement[] {
  const end = table.columns.length
  const wanted = wantedRowids(rows.map((row) => String(row[table.columns.indexOf('id')])))
  const placed = rows.map((row, at) => [...row, wanted[at]?.first, wanted[at]?.plus])
  const first = valueAt(end + 1)
  const behind = `coalesce((
    SELECT max(e.rowid) + 1 FROM events e WHERE e.rowid >= ${first} AND e.rowid < ${first} + ${ROWIDS_PER_MS}
  ), ${first})`
  const at = (column: string) => valueAt(table.columns.indexOf(column))
  const operator = valueAt(end)
  return [
    statement(
      target,
      upsert(table, { extraColumns: 'rowid, ', extraValues: `${behind} + (${valueAt(end + 2)}), ` }),
      placed,
    ),
    statement(
      target,
      `INSERT INTO operator_changes (tenant_id, mode, event_id, role, session_id)
      SELECT ?1, ${at('mode')}, ${at('id')}, (${operator}) ->> 0, (${operator}) ->> 1 FROM json_each(?3) r
      WHERE ${IS_HERE} AND ${operator} IS NOT NULL ON CONFLICT (tenant_id, mode, event_id) DO NOTHING`,
      rows,
    ),
  ]
}

function writeDeliveries(target: Target, table: CopiedTable, rows: readonly Row[]): D1PreparedStatement[] {
  const id = `${valueAt(table.columns.indexOf('id'))} + CAST(?4 AS INTEGER)`
  const { by } = target.shifts.deliveries
  const others = ATTEMPT.filter((column) => column !== 'number')
  return [
    statement(target, upsert(table, { replace: { id } }), rows, by),
    statement(
      target,
      `INSERT INTO webhook_attempts (delivery_id, ${ATTEMPT.join(', ')})
      SELECT ${id}, ${ATTEMPT.map((_, at) => valueAt(at, 'a.value')).join(', ')}
      FROM json_each(?3) r CROSS JOIN json_each(${valueAt(table.columns.length)}) a WHERE ${IS_HERE}
      ON CONFLICT (delivery_id, number) DO UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}`,
      rows,
      by,
    ),
  ]
}
