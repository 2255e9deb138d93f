/**
 * How far the copy of a tenant is. The position stands in the database that is copied to, in the row of `arriving_tenants`, and each
 * step changes it in the transaction of the rows that it writes. A step does nothing if the position is not the one it has
 * read: so a step that is late, or done twice, changes nothing.
 */
import type { Shift } from './places.ts'

export interface Position {
  moveId: string
  /** Steps so far: no position occurs twice. */
  steps: number
  /** Moves of the numbers of customers and of deliveries. */
  numbers: Shift
  deliveries: Shift
  /** The table that is being copied, by its place in `COPIED_TABLES`, and the last row that was; past the last one all are. */
  table: number
  after: readonly (string | number)[] | null
  /** The number of the last change that was copied. */
  change: number
  /** Rows that were copied, and those that were copied because they had changed. */
  copied: number
  copiedAgain: number
  /** True when the tables that are copied whole are there. Only while the tenant is frozen. */
  isWhole: boolean
}

export interface Arrival {
  state: 'copied' | 'removed'
  position: Position
  /** The position as it is stored, which a step compares. */
  text: string
}

/** Returns the arrival of a tenant in a database; null if there is none of this move. */
export async function readArrival(db: D1Database, tenantId: string, moveId: string): Promise<Arrival | null> {
  const row = await db
    .prepare('SELECT state, position FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2')
    .bind(tenantId, moveId)
    .first<{ state: Arrival['state']; position: string }>()
  return row && { state: row.state, position: JSON.parse(row.position) as Position, text: row.position }
}

/** The condition of every statement of a step: `?1` is the tenant and `?2` the position that the step has read. */
export const IS_HERE = `EXISTS (
  SELECT 1 FROM arriving_tenants WHERE tenant_id = ?1 AND state = 'copied' AND position = ?2
)`

/** The statement that ends a step. It goes last in its batch. */
export function moveOn(db: D1Database, tenantId: string, from: string, to: Position): D1PreparedStatement {
  return db
    .prepare(
      "UPDATE arriving_tenants SET position = ?3 WHERE tenant_id = ?1 AND state = 'copied' AND position = ?2 RETURNING 1",
    )
    .bind(tenantId, from, JSON.stringify(to))
}
