/**
 * Finds the changes that an undo takes back, and what is stored about their customers, for the gate. Reads the primary.
 *
 * The changes are found by the primary key of the events, whose ids are in the order of time: from the newest back to the
 * moment of the selection, a bounded number at once. A customer is taken where the newest of its chosen changes is met.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { UndoStore } from '../../gate/protocol/undo.ts'
import type { Scope } from '../../registry/customer.ts'
import { RegistryError } from '../../registry/errors.ts'
import { UNDO_BOUNDS, type UndoFacts, type UndoSelection, undoneTo } from '../../registry/undo.ts'
import { newestArchived } from '../archive/reads.ts'
import { CUSTOMER_COLUMNS, customerOf, customerRowOf } from '../customer-row.ts'
import { countingRows, openDatabase } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { rowsStatement } from '../statement-texts.ts'
import { type ChangeRow, foundBy, IS_CHANGE, IS_CHANGE_OF_ONE } from './past.ts'
import { type FactsRow, revertFactsOf, revertFactsQuery } from './revert-facts.ts'

type FoundRow = Record<string, unknown> &
  ChangeRow & { later_id: string | null; later_type: string; later_actor: string; later_at: number }

export function undoStore(d1: D1Database): UndoStore {
  /** Runs one statement, and adds the rows that it read to `rows`. */
  const reader = () => {
    const session = d1.withSession('first-primary')
    const read = { rows: 0 }
    const db = openDatabase(countingRows(session, (rows) => (read.rows += rows)))
    const all = async <Row>(query: SQL) => {
      const [found] = (await db.batch([rowsStatement(db, query)])) as unknown as [Row[]]
      return found
    }
    return { read, all }
  }

  return {
    async findPage(scope, { selection, beforeId }, undoId) {
      const { read, all } = reader()
      const place = placeOf(beforeId)
      const looked = lookedQuery(scope, selection, place)
      const { chunkCustomersMax, chunkEventsMax } = UNDO_BOUNDS
      // Reads only as far as to the last event of the page.
      // An undo looks at many customers at once, and the archive has too little of an index for that.
      const [archived] = await all<{ id: string | null }>(newestArchived(scope))
      if (archived?.id != null && archived.id >= lowestId(selection)) {
        throw new RegistryError({ reason: 'history_expired' })
      }
      const chosen = await all<{ id: string; customerId: string; newest: number }>(
        sql`SELECT id, customer_id AS "customerId", (SELECT max(rowid) FROM events) AS newest
          FROM (${looked}) e WHERE ${isChosen('e', selection, undoId)} LIMIT ${chunkCustomersMax}`,
      )
      const newest = place?.newest ?? chosen[0]?.newest ?? null
      let lastId = chosen.at(-1)?.id ?? null
      if (chosen.length < chunkCustomersMax) {
        const [end] = await all<{ count: number; id: string }>(
          sql`SELECT count(*) AS count, min(id) AS id FROM (${looked})`,
        )
        lastId = end?.count === chunkEventsMax ? end.id : null
      }
      const customerIds = [...new Set(chosen.map(({ customerId }) => customerId))]
      return { customerIds, nextBeforeId: lastId === null ? null : textOf({ lastId, newest }), rows: read.rows }
    },

    async findCustomers(scope, { selection, beforeId, customerIds, undoId }) {
      const { read, all } = reader()
      const rows = await all<FoundRow>(customersQuery(scope, selection, placeOf(beforeId), customerIds, undoId))
      return { found: rows.map((row) => factsOf(scope, row)), rows: read.rows }
    },

    async findObstacles(scope, found, selection, undoId) {
      const { read, all } = reader()
      const pairs = found.map((facts) => ({ past: undoneTo(facts), now: facts.now }))
      // A dry run takes those that the undo itself would move out of the way for gone.
      const isUndone = selection && ((id: SQL) => isChosenOf(scope, selection, id, undoId))
      const rows = await all<FactsRow>(revertFactsQuery(scope, pairs, isUndone ?? undefined))
      return { about: rows.map(revertFactsOf), rows: read.rows }
    },
  }
}

/**
 * Where a chunk goes on: below the last event of those before it. `newest`: the number of the newest change when the undo
 * began. A customer that is chosen above the place, by a change of then, was met there; one that has changed since was not.
 */
interface Place {
  lastId: string
  newest: number | null
}

function textOf({ lastId, newest }: Place): string {
  return newest === null ? lastId : `${lastId}.${newest}`
}

function placeOf(beforeId: string | null): Place | null {
  if (beforeId === null) return null
  const [lastId = '', newest] = beforeId.split('.')
  return { lastId, newest: newest === undefined ? null : Number(newest) }
}

function inScope(alias: string, { tenantId, mode }: Scope): SQL {
  return sql`${sql.raw(alias)}.tenant_id = ${tenantId} AND ${sql.raw(alias)}.mode = ${mode}`
}

/** The smallest id that a change of the selection can have. */
function lowestId({ sinceMs }: UndoSelection): string {
  return firstEventIdAt(sinceMs - CLOCKS_DIFFER_MS)
}

/** Matches the chosen changes, without merges and what they did to children, which are in the way instead, and without those of this undo itself, which may have been sent before. */
function isChosen(alias: string, { actor, requestId, sinceMs, untilMs }: UndoSelection, undoId: string): SQL {
  const column = (name: string) => sql.raw(`${alias}.${name}`)
  const conditions = [
    sql`${sql.raw(alias)}.${IS_CHANGE_OF_ONE}`,
    sql`NOT (${column('type')} = 'customer.updated' AND ${column('detail')} IS NOT NULL)`,
    sql`${column('created_at')} >= ${sinceMs}`,
    sql`${column('request_id')} IS NOT ${undoId}`,
    ...(untilMs === null ? [] : [sql`${column('created_at')} < ${untilMs}`]),
    ...(actor === null ? [] : [sql`${column('actor')} = ${actor}`]),
    ...(requestId === null ? [] : [sql`${column('request_id')} IS ${requestId}`]),
  ]
  return sql`(${sql.join(conditions, sql` AND `)})`
}

/** The newest events, as many as a chunk looks at. */
function lookedQuery(scope: Scope, selection: UndoSelection, place: Place | null): SQL {
  return sql`
    SELECT id, customer_id, type, actor, request_id, created_at, detail FROM events
    WHERE ${inScope('events', scope)} AND id >= ${lowestId(selection)} ${place === null ? sql`` : sql`AND id < ${place.lastId}`}
    ORDER BY id DESC LIMIT ${UNDO_BOUNDS.chunkEventsMax}`
}

/** Selects those of the customers that no chunk before the place has met. */
function customersQuery(
  scope: Scope,
  selection: UndoSelection,
  place: Place | null,
  ids: readonly string[],
  undoId: string,
): SQL {
  const isMet =
    place === null
      ? sql`0`
      : sql`e.id >= ${place.lastId} ${place.newest === null ? sql`` : sql`AND e.rowid <= ${place.newest}`}`
  const at = (alias: string) => sql`${sql.raw(alias)}.customer_id = chosen.id AND ${inScope(alias, scope)}`
  return sql`
    WITH chosen AS MATERIALIZED (
      SELECT w.key AS place, w.value AS id, min(e.version) AS first
      FROM json_each(${JSON.stringify(ids)}) w CROSS JOIN events e INDEXED BY events_customer
        ON e.customer_id = w.value AND ${inScope('e', scope)} AND e.id >= ${lowestId(selection)}
      WHERE ${isChosen('e', selection, undoId)}
      GROUP BY w.key HAVING NOT max(${isMet})
    )
    SELECT ${CUSTOMER_COLUMNS}, e.type AS change_type, e.version AS change_version, e.actor AS change_actor, e.created_at AS change_at,
      e.before AS change_before, e.after AS change_after,
      l.id AS later_id, l.type AS later_type, l.actor AS later_actor, l.created_at AS later_at
    FROM chosen CROSS JOIN customers
      ON customers.tenant_id = ${scope.tenantId} AND customers.mode = ${scope.mode} AND customers.id = chosen.id
    CROSS JOIN events e ON e.rowid = (
      SELECT f.rowid FROM events f INDEXED BY events_customer_version
      WHERE ${at('f')} AND f.version = chosen.first AND f.${IS_CHANGE} LIMIT 1
    )
    LEFT JOIN events l ON l.rowid = (
      SELECT x.rowid FROM events x INDEXED BY events_customer_version
      WHERE ${at('x')} AND x.version > chosen.first AND x.${IS_CHANGE} AND x.request_id IS NOT ${undoId}
        AND NOT ${isChosen('x', selection, undoId)}
      ORDER BY x.version DESC LIMIT 1
    )
    ORDER BY chosen.place`
}

function isChosenOf(scope: Scope, selection: UndoSelection, id: SQL, undoId: string): SQL {
  return sql`EXISTS (
    SELECT 1 FROM events e INDEXED BY events_customer
    WHERE e.customer_id = ${id} AND ${inScope('e', scope)} AND e.id >= ${lowestId(selection)}
      AND ${isChosen('e', selection, undoId)}
  )`
}

function factsOf(scope: Scope, row: FoundRow): UndoFacts {
  const customer = customerRowOf(row)
  const now = customerOf(customer)
  const isErased = customer.erasedAtMs !== null
  const { later_id: eventId, later_type: type, later_actor: actor, later_at: atMs } = row
  return {
    now,
    isErased,
    mergedInto: customer.mergedInto,
    found: isErased ? null : foundBy(scope, now.id, row),
    later: eventId === null ? null : { eventId, type, actor, atMs },
  }
}
