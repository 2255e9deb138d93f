/** Copies a tenant: first all of its rows, page by page, then those that have changed meanwhile. */
import type { Ends } from './marks.ts'
import { type Arrival, IS_HERE, moveOn, type Position, readArrival } from './position.ts'
import { deleteRows, keyOf, orderOf, type Row, readPage, rowOf, rowsWithKeys, type Target, writeRows } from './rows.ts'
import { COPIED_TABLES, type CopiedTable, WHOLE_TABLES } from './tables.ts'

/** Rows of a page. More would keep the writers of either database waiting. */
const PAGE_ROWS_MAX = 250
/** Changes of a round. */
const CHANGES_MAX = 200

/** Thrown when the copy is not there any more: the move was aborted, or its rows are the tenant's own by now. */
export class NoCopy extends Error {}

export async function arrivalOf({ to, tenantId, moveId }: Ends): Promise<Arrival> {
  const arrival = await readArrival(to, tenantId, moveId)
  if (arrival?.state !== 'copied') throw new NoCopy('the other database expects no copy of this move')
  return arrival
}

/** Copies one page. Returns true if that was the last one. */
export async function copyPage(ends: Ends, pageRows = PAGE_ROWS_MAX): Promise<boolean> {
  const arrival = await arrivalOf(ends)
  const { position } = arrival
  const table = COPIED_TABLES[position.table]
  if (!table) return true
  const rows = await readPage(ends.from, ends.tenantId, table, { after: position.after, rowsMax: pageRows })
  const last = rows.at(-1)
  const next: Position = {
    ...position,
    steps: position.steps + 1,
    copied: position.copied + rows.length,
    ...(last ? { after: orderOf(table, last) } : { table: position.table + 1, after: null }),
  }
  await apply(ends, arrival, next, (target) => writeRows(target, table, rows))
  return next.table === COPIED_TABLES.length
}

/** Copies rows that have changed. Returns how many changes there were; more may be left if they are as many as `changesMax`. */
export async function catchUp(ends: Ends, changesMax = CHANGES_MAX): Promise<number> {
  const arrival = await arrivalOf(ends)
  const { position } = arrival
  const { from, tenantId } = ends
  const { results: changes } = await from
    .prepare(
      `SELECT number, of_table, row_key FROM moving_changes WHERE tenant_id = ?1 AND number > CAST(?2 AS INTEGER)
      ORDER BY number LIMIT ${changesMax}`,
    )
    .bind(tenantId, position.change)
    .all<{ number: number; of_table: string; row_key: string }>()
  const last = changes.at(-1)
  if (!last) return 0
  const changed = COPIED_TABLES.flatMap((table) => {
    // As `keyOf` spells them.
    const keys = new Set(
      changes.flatMap(({ of_table, row_key }) => (of_table === table.name ? JSON.stringify(JSON.parse(row_key)) : [])),
    )
    return keys.size === 0 ? [] : { table, keys: [...keys] }
  })
  // One batch is one moment: what belongs together was changed together.
  const found = await from.batch<Record<string, string | number | null>>(
    changed.map(({ table, keys }) => rowsWithKeys(from, tenantId, table, keys)),
  )
  const next = {
    ...position,
    steps: position.steps + 1,
    change: last.number,
    copiedAgain: position.copiedAgain + changed.reduce((sum, { keys }) => sum + keys.length, 0),
    isWhole: false,
  }
  await apply(ends, arrival, next, (target) =>
    changed.flatMap(({ table, keys }, at) => {
      const rows = (found[at]?.results ?? []).map((row) => rowOf(table, row))
      return [...deleteRows(target, table, missing(table, keys, rows)), ...writeRows(target, table, rows)]
    }),
  )
  await from
    .prepare('DELETE FROM moving_changes WHERE tenant_id = ?1 AND number <= CAST(?2 AS INTEGER)')
    .bind(tenantId, last.number)
    .run()
  return changes.length
}

/** Copies the tables that are copied whole. Only while the tenant is frozen. */
export async function copyWhole(ends: Ends): Promise<void> {
  const arrival = await arrivalOf(ends)
  const { from, to, tenantId } = ends
  const found = await from.batch<Record<string, string | number | null>>(
    WHOLE_TABLES.map(({ name, columns }) =>
      from.prepare(`SELECT ${columns.join(', ')} FROM ${name} WHERE tenant_id = ?1`).bind(tenantId),
    ),
  )
  const next = { ...arrival.position, steps: arrival.position.steps + 1, isWhole: true }
  await apply(ends, arrival, next, (target) =>
    WHOLE_TABLES.flatMap(({ name, columns }, at) => {
      const rows = (found[at]?.results ?? []).map((row) => columns.map((column) => row[column]))
      const values = columns.map((_, place) => `value ->> ${place}`)
      return [
        to.prepare(`DELETE FROM ${name} WHERE tenant_id = ?1 AND ${target.isHere}`).bind(tenantId, arrival.text),
        ...rows.map((row) =>
          to
            .prepare(
              `INSERT INTO ${name} (tenant_id, ${columns.join(', ')})
              SELECT ?1, ${values.join(', ')} FROM json_each(?3) WHERE ${target.isHere}`,
            )
            .bind(tenantId, arrival.text, JSON.stringify([row])),
        ),
      ]
    }),
  )
}

/** Does a step: writes, and the position behind it, in one transaction. Throws `NoCopy` if another run has done one. */
async function apply(
  { to, tenantId }: Ends,
  arrival: Arrival,
  next: Position,
  write: (target: Target & { isHere: string }) => D1PreparedStatement[],
): Promise<void> {
  const { position, text } = arrival
  const results = await to.batch([
    ...write({ db: to, tenantId, position: text, shifts: position, isHere: IS_HERE }),
    moveOn(to, tenantId, text, next),
  ])
  if (results.at(-1)?.results.length !== 1) throw new NoCopy('another run has gone on with the move')
}

/** Returns the keys that have no row any more. */
function missing(table: CopiedTable, keys: readonly string[], rows: readonly Row[]): string[] {
  const there = new Set(rows.map((row) => keyOf(table, row)))
  return keys.filter((key) => !there.has(key))
}
