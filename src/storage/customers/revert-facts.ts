/**
 * Finds what decides whether customers may be again what they were: who has their external ids and entities of then, and
 * what is above and below them. One statement for any number of customers. Reads by key and by the indexes that the
 * triggers of `migrations/` use for the same rules.
 */
import { type SQL, sql } from 'drizzle-orm'
import { type Customer, LIMITS, type Scope } from '../../registry/customer.ts'
import type { RevertFacts } from '../../registry/revert.ts'

/** A customer as it was and as it is. */
export interface Pair {
  past: Customer
  now: Customer
}

export interface FactsRow {
  holder: string | null
  presentHolder: string | null
  taken: string
  isThere: number
  above: string
  presentIsThere: number
  presentAbove: string
  below: string
  hasChildren: number
}

/**
 * Selects a `FactsRow` for each of the pairs, in their order. `isUndone`: matches the ids of customers that go back together
 * with these, and so are in nobody's way.
 */
export function revertFactsQuery(
  { tenantId, mode }: Scope,
  pairs: readonly Pair[],
  isUndone: (id: SQL) => SQL = () => sql`0`,
): SQL {
  const lines = pairs.map(({ past, now }) => ({
    id: now.id,
    externalId: past.externalId,
    presentExternalId: now.externalId,
    entities: past.integrations.map(({ provider, id }) => [provider, id]),
    parentId: past.parentId,
    presentParentId: now.parentId,
  }))
  const ofLine = (field: string) => sql`l.value ->> ${sql.raw(`'$.${field}'`)}`
  const own = ofLine('id')
  const inScope = (alias: string) => sql`${sql.raw(alias)}.tenant_id = ${tenantId} AND ${sql.raw(alias)}.mode = ${mode}`
  const holder = (field: string) => sql`(
    SELECT h.id FROM customers h INDEXED BY customers_external_id
    WHERE h.external_id = ${ofLine(field)} AND ${inScope('h')} AND h.archived_at IS NULL AND h.id <> ${own}
      AND NOT ${isUndone(sql`h.id`)}
  )`
  const isThere = (field: string) => sql`EXISTS (
    SELECT 1 FROM customers p WHERE ${inScope('p')} AND p.id = ${ofLine(field)}
      AND (p.archived_at IS NULL OR (p.erased_at IS NULL AND ${isUndone(sql`p.id`)}))
  )`
  const above = (field: string) => sql`(
    WITH RECURSIVE up(id, level) AS (
      SELECT ${ofLine(field)}, 1
      UNION ALL
      SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c ON ${inScope('c')} AND c.id = up.id
      WHERE up.level <= ${sql.raw(String(LIMITS.parentLevelsMax))}
    ) SELECT json_group_array(id) FROM up WHERE id IS NOT NULL
  )`
  const below = sql`(
    WITH RECURSIVE down(id, level, archived) AS (
      SELECT ${own}, 0, NULL
      UNION ALL
      SELECT c.id, down.level + 1, c.archived_at FROM down CROSS JOIN customers c INDEXED BY customers_parent
        ON ${inScope('c')} AND c.parent_id = down.id
      WHERE down.archived IS NULL AND down.level <= ${sql.raw(String(LIMITS.parentLevelsMax))}
      LIMIT ${sql.raw(String(LIMITS.descendantsMax + 2))}
    ) SELECT json_array(max(iif(archived IS NULL, level, 0)), count(*) - 1) FROM down
  )`
  return sql`SELECT ${holder('externalId')} AS holder, ${holder('presentExternalId')} AS "presentHolder",
    (
      SELECT json_group_array(json_array(m.provider, m.entity_id, m.customer_id))
      FROM json_each(l.value, '$.entities') k CROSS JOIN integration_mappings m
        ON ${inScope('m')} AND m.provider = k.value ->> 0 AND m.entity_id = k.value ->> 1
      WHERE m.customer_id <> ${own} AND NOT ${isUndone(sql`m.customer_id`)}
    ) AS taken,
    ${isThere('parentId')} AS "isThere", ${above('parentId')} AS above,
    ${isThere('presentParentId')} AS "presentIsThere", ${above('presentParentId')} AS "presentAbove",
    ${below} AS below,
    EXISTS (
      SELECT 1 FROM customers c INDEXED BY customers_parent
      WHERE ${inScope('c')} AND c.parent_id = ${own} AND c.archived_at IS NULL AND NOT ${isUndone(sql`c.id`)}
    ) AS "hasChildren"
    FROM json_each(${JSON.stringify(lines)}) l ORDER BY l.key`
}

export function revertFactsOf(row: FactsRow): RevertFacts {
  const [levelsBelow, customersBelow] = JSON.parse(row.below)
  return {
    holder: row.holder,
    presentHolder: row.presentHolder,
    taken: JSON.parse(row.taken).map(([provider, id, customerId]: string[]) => ({ provider, id, customerId })),
    place: { isThere: row.isThere === 1, above: JSON.parse(row.above) },
    presentPlace: { isThere: row.presentIsThere === 1, above: JSON.parse(row.presentAbove) },
    levelsBelow,
    customersBelow,
    hasChildren: row.hasChildren === 1,
  }
}
