/**
 * Customers in PostgreSQL. Each change is one statement, so customer, count, event and deliveries are stored together and in one
 * round trip.
 */
import postgres from 'postgres'
import { newId } from '../../../src/shared/ids.ts'
import type { Scope } from './cache.ts'

const POOL = 10
/** The total of a search is counted so far. */
const SEARCH_TOTAL_MAX = 301
const COUNT_SLOTS = 16

/** A row of `customers`, as PostgreSQL returns it. */
export interface Row {
  id: string
  external_id: string
  name: string | null
  email: string | null
  contact: string | null
  address_line1: string | null
  address_line2: string | null
  address_city: string | null
  address_state: string | null
  address_postal_code: string | null
  address_country: string | null
  timezone: string
  parent_id: string | null
  metadata: Record<string, string>
  status: string
  version: number
  created_at: Date
  updated_at: Date
  created_by: string
  updated_by: string
}

/** The columns of a customer that hold a text. */
export const TEXTS = [
  'name',
  'email',
  'contact',
  'address_line1',
  'address_line2',
  'address_city',
  'address_state',
  'address_postal_code',
  'address_country',
  'timezone',
] as const
const SHOWN = [
  'id',
  'external_id',
  ...TEXTS,
  'parent_id',
  'metadata',
  'status',
  'created_at',
  'updated_at',
  'created_by',
  'updated_by',
] as const satisfies readonly (keyof Row)[]

/** The columns that a caller sets. An absent one is kept, or has its default in a new customer. */
export type Changes = Partial<Omit<Row, 'id' | 'version' | 'created_at' | 'updated_at' | 'created_by' | 'updated_by'>>

export interface Author {
  actor: string
  requestId: string
}

export class Customers {
  readonly sql: postgres.Sql

  constructor(folder: string) {
    // Statements are prepared once for each connection, and queries of one turn share a connection.
    this.sql = postgres({ host: folder, username: 'peer', database: 'postgres', max: POOL, onnotice: () => undefined })
  }

  async byId({ tenantId, mode }: Scope, id: string): Promise<Row | null> {
    const [row] = await this.sql<Row[]>`
      SELECT * FROM customers WHERE tenant_id = ${tenantId} AND mode = ${mode} AND id = ${id} AND archived_at IS NULL`
    return row ?? null
  }

  async byExternalId({ tenantId, mode }: Scope, externalId: string): Promise<Row | null> {
    const [row] = await this.sql<Row[]>`
      SELECT * FROM customers
      WHERE tenant_id = ${tenantId} AND mode = ${mode} AND external_id = ${externalId} AND archived_at IS NULL`
    return row ?? null
  }

  /** Returns a page, newest first, with one row more if there are more, and the number of all. */
  async list({ tenantId, mode }: Scope, limit: number, before: string | null): Promise<{ rows: Row[]; total: number }> {
    const [rows, [total]] = await Promise.all([
      this.sql<Row[]>`
        SELECT ${this.sql(SHOWN)} FROM customers WHERE tenant_id = ${tenantId} AND mode = ${mode} AND archived_at IS NULL
          ${before === null ? this.sql`` : this.sql`AND id < ${before}`}
        ORDER BY id DESC LIMIT ${limit + 1}`,
      this.sql<{ total: number }[]>`
        SELECT coalesce(sum(count), 0)::integer AS total FROM customer_counts
        WHERE tenant_id = ${tenantId} AND mode = ${mode}`,
    ])
    return { rows, total: total?.total ?? 0 }
  }

  /**
   * Returns a page of the customers that have a word with each of these beginnings, newest first, with one row more if there are more,
   * and the number of all, which is counted to `SEARCH_TOTAL_MAX`.
   */
  async search({ tenantId, mode }: Scope, beginnings: readonly string[], limit: number, before: string | null) {
    const { sql } = this
    const query = beginnings.map((word) => `'${word.replace(/['\\]/g, '$&$&')}':*`).join(' & ')
    const found = sql`
      FROM customers WHERE tenant_id = ${tenantId} AND mode = ${mode} AND archived_at IS NULL
        AND words(name, email, external_id, id) @@ ${query}::tsquery`
    const [rows, [total]] = await Promise.all([
      sql<Row[]>`
        SELECT ${sql(SHOWN)} ${found} ${before === null ? sql`` : sql`AND id < ${before}`} ORDER BY id DESC LIMIT ${limit + 1}`,
      sql<
        { total: number }[]
      >`SELECT count(*)::integer AS total FROM (SELECT 1 ${found} LIMIT ${SEARCH_TOTAL_MAX}) counted`,
    ])
    return { rows, total: total?.total ?? 0 }
  }

  /** Returns null if another customer has the external id. */
  async create({ tenantId, mode }: Scope, changes: Changes, { actor, requestId }: Author): Promise<Row | null> {
    const { sql } = this
    const nowMs = Date.now()
    const row = { ...stored(sql, changes), tenant_id: tenantId, mode, id: newId('customer', nowMs) }
    const [made] = await sql<Row[]>`
      WITH made AS (
        INSERT INTO customers ${sql({ ...row, created_by: actor, updated_by: actor })} ON CONFLICT DO NOTHING RETURNING *
      ), counted AS (
        INSERT INTO customer_counts AS c (tenant_id, mode, slot, count)
        SELECT tenant_id, mode, pg_backend_pid() % ${COUNT_SLOTS}, 1 FROM made
        ON CONFLICT (tenant_id, mode, slot) DO UPDATE SET count = c.count + 1
      ), event AS (
        INSERT INTO events (id, tenant_id, mode, customer_id, type, version, actor, request_id, after)
        SELECT ${newId('event', nowMs)}, tenant_id, mode, id, 'customer.created', version, created_by, ${requestId}, to_jsonb(made)
        FROM made RETURNING id, tenant_id, mode, type
      ), due AS (
        INSERT INTO outbox (event_id, endpoint_id)
        SELECT event.id, e.id FROM event JOIN endpoints e USING (tenant_id, mode) WHERE event.type = ANY (e.types)
      )
      SELECT * FROM made`
    return made ?? null
  }

  /**
   * Changes a customer if its version is one of `versions` (null: whatever it is) and something differs. Returns the customer, or null
   * if there is none; `isChanged` says whether it was changed.
   */
  async update(
    { tenantId, mode }: Scope,
    id: string,
    changes: Changes,
    versions: number[] | null,
    { actor, requestId }: Author,
  ): Promise<(Row & { isChanged: boolean }) | null> {
    const names = Object.keys(changes).sort()
    if (names.length === 0) {
      const row = await this.byId({ tenantId, mode }, id)
      return row && { ...row, isChanged: false }
    }
    const values = stored(this.sql, changes)
    const given = [
      tenantId,
      mode,
      id,
      actor,
      newId('event', Date.now()),
      requestId,
      versions,
      ...names.map((name) => values[name]),
    ]
    // The text is the same for the same names, so PostgreSQL has it prepared.
    const [row] = await this.sql.unsafe<(Row & { isChanged: boolean })[]>(updateText(names), given as string[], {
      prepare: true,
    })
    return row ?? null
  }

  async close(): Promise<void> {
    await this.sql.end()
  }
}

/** Returns the values as the driver takes them. */
function stored(sql: postgres.Sql, changes: Changes): Record<string, unknown> {
  const { metadata, ...texts } = changes
  return metadata === undefined ? texts : { ...texts, metadata: sql.json(metadata) }
}

const texts = new Map<string, string>()

/** Returns the statement that changes these columns. Their values are the parameters from the eighth on. */
function updateText(names: readonly string[]): string {
  const known = texts.get(names.join())
  if (known !== undefined) return known
  const each = (of: (name: string, value: string) => string) => names.map((name, at) => of(name, `$${at + 8}`))
  const text = `
    WITH b AS (
      SELECT * FROM customers WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND archived_at IS NULL FOR UPDATE
    ), a AS (
      UPDATE customers c
      SET ${each((name, value) => `${name} = ${value}`).join()}, version = b.version + 1, updated_at = now(), updated_by = $4
      FROM b
      WHERE c.tenant_id = $1 AND c.mode = $2 AND c.id = $3 AND ($7::integer[] IS NULL OR b.version = ANY ($7::integer[]))
        AND (${each((name, value) => `b.${name} IS DISTINCT FROM ${value}`).join(' OR ')})
      RETURNING c.*
    ), event AS (
      INSERT INTO events (id, tenant_id, mode, customer_id, type, version, actor, request_id, before, after)
      SELECT $5, a.tenant_id, a.mode, a.id, 'customer.updated', a.version, $4, $6,
        jsonb_build_object(${each((name) => `'${name}', b.${name}`).join()}), to_jsonb(a)
      FROM a, b RETURNING id, tenant_id, mode, type
    ), due AS (
      INSERT INTO outbox (event_id, endpoint_id)
      SELECT event.id, e.id FROM event JOIN endpoints e USING (tenant_id, mode) WHERE event.type = ANY (e.types)
    )
    SELECT *, true AS "isChanged" FROM a
    UNION ALL SELECT *, false FROM b WHERE NOT EXISTS (SELECT FROM a)`
  texts.set(names.join(), text)
  return text
}
