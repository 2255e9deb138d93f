/**
 * Finds the lines of a dry run that would change a customer. Each field of a line is compared with the value from the
 * accepted lines before it, or with the database if none of them names the field.
 */
import type { PlannedLine } from '../../gate/protocol/imports.ts'
import { newIdOf } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import { canonicalJson } from '../../shared/canonical-json.ts'
import {
  DEFAULTS,
  differences,
  FIELDS,
  type Field,
  IS_CUSTOMER,
  isMissing,
  type StoredLine,
  stored,
  withNewValues,
} from './import-lines.ts'

type Values = Partial<Record<Field, unknown>>

/**
 * Returns the ids of the changes. Reads the primary, writes nothing. `lines` are in the order in which they would be
 * done.
 */
export async function changesOf(d1: D1Database, scope: Scope, lines: readonly PlannedLine[]): Promise<Set<string>> {
  const changes = new Set<string>()
  const left = new Map<string, Values>()
  const tried: StoredLine[] = []
  const named: StoredLine[] = []
  /** Former external ids that earlier lines gave. */
  const given = new Set<string>()
  for (const line of lines) {
    const id = line.customerId ?? newIdOf(line)
    const row = stored(line, id, line.customerId === null)
    const formerIds = (row.formerIds ?? []).filter((name) => name !== line.externalId && !given.has(name))
    for (const name of formerIds) given.add(name)
    if (formerIds.length > 0) named.push({ ...row, formerIds })
    const values = valuesOf(row, line)
    const before = left.get(id) ?? (line.customerId === null ? NEW_VALUES : {})
    const isNamed = (field: Field) => field in values && field in before
    const differs = FIELDS.some(
      (field) => isNamed(field) && comparable(field, before[field]) !== comparable(field, values[field]),
    )
    if (line.customerId === null || differs) changes.add(line.changeId)
    else tried.push(withoutFields(row, isNamed))
    left.set(id, { ...before, ...values })
  }
  const fields = FIELDS.filter((field) => tried.some((row) => row[field] !== undefined))
  const session = d1.withSession('first-primary')
  const reads = (sql: string, rows: StoredLine[]) => {
    return session.prepare(sql).bind(JSON.stringify(rows), scope.tenantId, scope.mode)
  }
  const statements = [
    ...(fields.length > 0 ? [reads(differingStatement(fields), tried)] : []),
    ...(named.length > 0 ? [reads(MISSING_FORMER_IDS, named)] : []),
  ]
  if (statements.length === 0) return changes
  const answers = await session.batch<{ id: string }>(statements)
  for (const { results } of answers) for (const { id } of results) changes.add(id)
  return changes
}

const MISSING_FORMER_IDS = `SELECT l.value ->> '$.changeId' AS id
  FROM json_each(?1) l CROSS JOIN json_each(l.value, '$.formerIds') o
  WHERE ${isMissing('o.value')} AND NOT EXISTS (
    SELECT 1 FROM customers h INDEXED BY customers_external_id
    WHERE h.tenant_id = ?2 AND h.mode = ?3 AND h.external_id = o.value AND h.archived_at IS NULL
  )`

const NEW_VALUES: Values = Object.fromEntries(FIELDS.map((field) => [field, DEFAULTS[field] ?? null]))

function valuesOf(row: StoredLine, { parentId }: PlannedLine): Values {
  const given = FIELDS.filter((field) => row[field] !== undefined)
  return Object.fromEntries(given.map((field) => [field, field === 'parent' ? parentId : row[field]]))
}

/** Returns the value to compare. Documents have their keys sorted, because their order is no difference. */
function comparable(field: Field, value: unknown): unknown {
  if (field === 'profile') return canonicalJson(JSON.parse(String(value)))
  if (field !== 'metadata') return value
  return JSON.stringify(Object.entries(JSON.parse(String(value))).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function withoutFields(row: StoredLine, isLeftOut: (field: Field) => boolean): StoredLine {
  return { ...row, ...Object.fromEntries(FIELDS.filter(isLeftOut).map((field) => [field, undefined])) }
}

function differingStatement(fields: readonly Field[]): string {
  return `${withNewValues(fields)}
    SELECT n.new_change_id AS id FROM n CROSS JOIN customers
      ON ${IS_CUSTOMER}
    WHERE ${differences(fields)}`
}
