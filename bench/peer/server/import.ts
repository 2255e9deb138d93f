/** Imports lines of NDJSON: a chunk is one statement that creates, updates and writes the events of all its customers. */
import { newId } from '../../../src/shared/ids.ts'
import type { Cache, Scope } from './cache.ts'
import { type Author, type Changes, type Customers, TEXTS } from './customers.ts'

export const CHUNK_LINES = 1_000

/** A line of the chunk that is valid. No two have the same external id. */
export interface ImportLine {
  line: number
  externalId: string
  changes: Changes
}

export interface ImportResult {
  line: number
  result: 'created' | 'updated' | 'unchanged' | 'error'
  id: string | null
  external_id: string | null
  errors: { field: string; message: string }[]
}

const COLUMNS = [...TEXTS, 'metadata']
const each = (of: (name: string) => string) => COLUMNS.map(of).join()
const VALUES = each((name) => `CASE WHEN '${name}' = ANY (l.named) THEN l.${name} ELSE c.${name} END`)

/** Parameters: tenant, mode, lines, actor, request. */
const UPSERT = `
  WITH l AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($3::jsonb) AS l (
      new_id text, event_id text, external_id text, ${TEXTS.map((name) => `${name} text`).join()}, metadata jsonb, named text[])
  ), b AS MATERIALIZED (
    SELECT c.*, l.event_id, l.named FROM l JOIN customers c
      ON c.tenant_id = $1 AND c.mode = $2 AND c.external_id = l.external_id AND c.archived_at IS NULL
    FOR UPDATE OF c
  ), made AS (
    INSERT INTO customers (tenant_id, mode, id, external_id, ${COLUMNS.join()}, created_by, updated_by)
    SELECT $1, $2, new_id, external_id, ${TEXTS.filter((name) => name !== 'timezone').join()}, coalesce(timezone, 'UTC'),
      coalesce(metadata, '{}'), $4, $4
    FROM l WHERE external_id NOT IN (SELECT external_id FROM b)
    ON CONFLICT DO NOTHING RETURNING *
  ), a AS (
    UPDATE customers c SET (${COLUMNS.join()}) = ROW (${VALUES}),
      version = b.version + 1, updated_at = now(), updated_by = $4
    FROM b JOIN l USING (external_id)
    WHERE c.tenant_id = $1 AND c.mode = $2 AND c.id = b.id
      AND ROW (${each((name) => `c.${name}`)}) IS DISTINCT FROM ROW (${VALUES})
    RETURNING c.*
  ), counted AS (
    INSERT INTO customer_counts AS c (tenant_id, mode, slot, count)
    SELECT $1, $2, 0, count(*) FROM made HAVING count(*) > 0
    ON CONFLICT (tenant_id, mode, slot) DO UPDATE SET count = c.count + excluded.count
  ), event AS (
    INSERT INTO events (id, tenant_id, mode, customer_id, type, version, actor, request_id, before, after)
    SELECT l.event_id, m.tenant_id, m.mode, m.id, 'customer.created', 1, $4, $5, null, to_jsonb(m)
    FROM made m JOIN l USING (external_id)
    UNION ALL
    SELECT b.event_id, a.tenant_id, a.mode, a.id, 'customer.updated', a.version, $4, $5,
      (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(b)) WHERE key = ANY (b.named)), to_jsonb(a)
    FROM a JOIN b USING (tenant_id, mode, id)
    RETURNING id, tenant_id, mode, type
  ), due AS (
    INSERT INTO outbox (event_id, endpoint_id)
    SELECT event.id, e.id FROM event JOIN endpoints e USING (tenant_id, mode) WHERE event.type = ANY (e.types)
  )
  SELECT external_id, id, 'created' AS result FROM made
  UNION ALL SELECT external_id, id, 'updated' FROM a
  UNION ALL SELECT external_id, id, 'unchanged' FROM b WHERE id NOT IN (SELECT id FROM a)`

/** Upserts the lines by their external ids, and keeps what a line does not name. */
export async function importChunk(
  { sql }: Customers,
  cache: Cache,
  scope: Scope,
  lines: readonly ImportLine[],
  { actor, requestId }: Author,
): Promise<ImportResult[]> {
  const { tenantId, mode } = scope
  const nowMs = Date.now()
  const rows = lines.map(({ externalId, changes }) => ({
    new_id: newId('customer', nowMs),
    event_id: newId('event', nowMs),
    external_id: externalId,
    ...changes,
    named: Object.keys(changes),
  }))
  const known = await sql<{ id: string }[]>`
    SELECT id FROM customers WHERE tenant_id = ${tenantId} AND mode = ${mode}
      AND external_id = ANY (${lines.map(({ externalId }) => externalId)}) AND archived_at IS NULL`
  const ids = known.map(({ id }) => id)
  if (ids.length > 0) await cache.mark(scope, ids)
  try {
    const given = [tenantId, mode, sql.json(rows), actor, requestId]
    const done = await sql.unsafe<{ external_id: string; id: string; result: ImportResult['result'] }[]>(
      UPSERT,
      given as string[],
      { prepare: true },
    )
    const results = new Map(done.map((each) => [each.external_id, each]))
    return lines.map(({ line, externalId }) => {
      const one = results.get(externalId)
      if (one) return { line, result: one.result, id: one.id, external_id: externalId, errors: [] }
      // Another request created this customer at the same moment.
      const errors = [{ field: 'external_id', message: 'was created meanwhile: send the line again' }]
      return { line, result: 'error', id: null, external_id: externalId, errors }
    })
  } finally {
    if (ids.length > 0) await cache.drop(scope, ids)
  }
}
