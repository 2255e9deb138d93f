/**
 * Deletes the rows of a tenant from one database, in small statements: after an aborted move the copy, and after a move what is
 * left where the tenant was. The row of the tenant stays in the directory.
 */
import type { Position } from './position.ts'
import { ALONG_TABLES, COPIED_TABLES, ofTenant, uniqueKey, WHOLE_TABLES } from './tables.ts'

/** Rows of one statement. More than that would let the writers of the primary wait. */
const ROWS_MAX = 2_000

interface Removal {
  db: D1Database
  tenantId: string
  moveId: string
  /** Takes what it needs, and stops when there are no more. */
  budget: { statements: number }
}

/** Deletes rows of a copy that nobody will use, also of one that was finished. Returns true if none is left. */
export async function removeCopy({ db, tenantId, moveId, budget }: Removal): Promise<boolean> {
  const marked = await db
    .prepare(
      `INSERT INTO arriving_tenants (tenant_id, move_id, state, position) VALUES (?1, ?2, 'removed', '{}')
      ON CONFLICT (tenant_id) DO UPDATE SET state = 'removed' WHERE move_id = excluded.move_id RETURNING position`,
    )
    .bind(tenantId, moveId)
    .first<{ position: string }>()
  // Another move has begun.
  if (!marked) return true
  const isMarked = "EXISTS (SELECT 1 FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2 AND state = 'removed')"
  if (!(await removeRows({ db, tenantId, moveId, budget }, isMarked))) return false
  const { numbers, deliveries }: Partial<Position> = JSON.parse(marked.position)
  await db.batch([
    db.prepare("DELETE FROM customer_search WHERE rowid = CAST(?1 AS INTEGER) AND tokens = ''").bind(numbers?.end ?? 0),
    db
      .prepare("DELETE FROM webhook_deliveries WHERE id = CAST(?1 AS INTEGER) AND tenant_id = ''")
      .bind(deliveries?.end ?? 0),
    db.prepare('DELETE FROM arriving_tenants WHERE tenant_id = ?1 AND move_id = ?2').bind(tenantId, moveId),
  ])
  return true
}

/** Deletes rows of a tenant that has left. Returns true if none is left. */
export async function removeLeft({ db, tenantId, moveId, budget }: Removal): Promise<boolean> {
  const marked = await db
    .prepare("UPDATE leaving_tenants SET state = 'removed' WHERE tenant_id = ?1 AND move_id = ?2 RETURNING 1")
    .bind(tenantId, moveId)
    .first()
  if (!marked) return true
  const isMarked = "EXISTS (SELECT 1 FROM leaving_tenants WHERE tenant_id = ?1 AND move_id = ?2 AND state = 'removed')"
  if (!(await removeRows({ db, tenantId, moveId, budget }, isMarked))) return false
  await db.prepare('DELETE FROM leaving_tenants WHERE tenant_id = ?1 AND move_id = ?2').bind(tenantId, moveId).run()
  return true
}

/** `isMarked`: the rows are those of this move. Another run may be late, and the tenant may have come back since. */
async function removeRows({ db, tenantId, moveId, budget }: Removal, isMarked: string): Promise<boolean> {
  const tables = [
    // First, so that no deleted event is counted.
    ...WHOLE_TABLES.map((table) => ({ ...table, key: [] })),
    { name: 'moving_changes', key: ['number'] },
    ...ALONG_TABLES,
    ...[...COPIED_TABLES].reverse(),
  ]
  for (const table of tables) {
    const key = uniqueKey(table).join(', ')
    const some = `(${key}) IN (SELECT ${key} FROM ${table.name} WHERE ${ofTenant(table)} LIMIT ${ROWS_MAX})`
    const sql = `DELETE FROM ${table.name} WHERE ${table.key.length === 0 ? ofTenant(table) : some} AND ${isMarked}`
    for (;;) {
      if (budget.statements-- <= 0) return false
      const { meta } = await db.prepare(sql).bind(tenantId, moveId).run()
      // Rows that triggers delete may count too, so only zero means that nothing is left.
      if (meta.changes === 0) break
    }
  }
  return true
}
