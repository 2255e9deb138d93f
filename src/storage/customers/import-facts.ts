/**
 * Looks up the facts that the lines of a chunk are judged by, for all lines in one trip that reads by key only: their
 * customers, the parents of these, the places of those in the tree, the holders of their integrations, and the
 * workflows. The rules themselves are in gate/object/import-rules.ts.
 */
import type { ImportFacts, LineFacts, TreeFacts } from '../../gate/protocol/imports.ts'
import type { ImportLine } from '../../registry/bulk.ts'
import { LIMITS, type Scope } from '../../registry/customer.ts'
import { canonicalJson } from '../../shared/canonical-json.ts'
import { durationOf } from '../database.ts'
import {
  COLUMNS,
  DEFAULTS,
  differences,
  FIELDS,
  type Field,
  fieldsOf,
  givenBy,
  HOLDER,
  PARENT,
} from './import-lines.ts'

/**
 * The lines with the customer that each is for, and the parent that it names: `''` if no customer has the external id.
 */
const FOUND = foundWith('')

function foundWith(further: string): string {
  return `found AS MATERIALIZED (
    SELECT l.key AS line, json_type(l.value, '$.parent') AS names_parent, ${HOLDER} AS id, ${PARENT} AS parent,
      json_type(l.value, '$.archivedIds') IS NOT NULL AS is_archived ${further}
    FROM json_each(?1) l
  )`
}

/** The fields whose bytes count for the size of a customer, as the triggers `customers_size_insert` and `_update` count them. */
const SIZED = FIELDS.filter((field) => !['parent', 'status', 'emailAscii'].includes(field))

/**
 * Selects the facts of each line that names some of the fields. ?4 is the request of the import: a customer that it has changed
 * is not the same, because an attempt that broke off has sent its caller no consistency token.
 */
function linesStatement(fields: readonly Field[]): string {
  const valueAfter = (field: Field) => {
    const column = `c.${COLUMNS[field]}`
    const kept = DEFAULTS[field] ? `coalesce(${column}, '${DEFAULTS[field]}')` : column
    if (!fields.includes(field)) return kept
    if (field === 'parent') return `iif(f.names_parent IS NULL, ${kept}, f.parent)`
    return `iif(json_type(f.value, '$.${field}') IS NULL, ${kept}, f.value ->> '$.${field}')`
  }
  return `WITH ${foundWith(', l.value AS value')}
  SELECT c.id AS customerId, c.parent_id AS currentParentId,
    octet_length(concat_ws('', coalesce(c.external_id, f.value ->> '$.externalId'), ${SIZED.map(valueAfter).join(', ')})) AS bytes,
    c.id IS NOT NULL AND c.archived_at IS NULL AND NOT f.is_archived AND json_type(f.value, '$.formerIds') IS NULL
      AND c.change_request_id IS NOT ?4 AND NOT ${differences(fields, { customers: 'c', newValue: valueAfter })} AS isSame, (
    SELECT p.id FROM customers p
    WHERE p.tenant_id = ?2 AND p.mode = ?3 AND p.id = f.parent AND (p.archived_at IS NULL OR f.is_archived)
  ) AS parentId
  FROM found f LEFT JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = f.id
  ORDER BY f.line`
}

/**
 * Customers below those that the lines of a chunk move, which are looked at together. Lines that move more are sent, and the
 * database judges each by itself.
 */
const DESCENDANTS_LOOKED_AT_MAX = 10 * LIMITS.descendantsMax

/**
 * `placed`: lines that give a customer another place, or a new customer its first one. `up`: those customers, their
 * parents and all ancestors. `down`: the customers below those that get a new parent; their level counts from the
 * nearest customer of `up` above them.
 */
const TREE = `WITH RECURSIVE ${FOUND},
  placed AS MATERIALIZED (
    SELECT c.id AS id, f.parent AS parent
    FROM found f LEFT JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = f.id
    WHERE f.names_parent IS NOT NULL AND NOT f.is_archived AND c.parent_id IS NOT f.parent
  ),
  up(id) AS (
    SELECT id FROM placed WHERE id IS NOT NULL
    UNION SELECT parent FROM placed WHERE parent IS NOT NULL
    UNION
    SELECT c.parent_id FROM up CROSS JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = up.id
    WHERE c.parent_id IS NOT NULL
  ),
  down(root, id, level) AS (
    SELECT f.id, f.id, 0 FROM found f WHERE f.parent IS NOT NULL AND NOT f.is_archived AND f.id IN (SELECT id FROM placed)
    UNION
    SELECT iif(c.id IN (SELECT id FROM up), c.id, d.root), c.id, iif(c.id IN (SELECT id FROM up), 0, d.level + 1)
    FROM down d CROSS JOIN customers c INDEXED BY customers_parent
      ON c.tenant_id = ?2 AND c.mode = ?3 AND c.parent_id = d.id
    WHERE c.archived_at IS NULL AND d.level <= ${LIMITS.parentLevelsMax}
    LIMIT ${DESCENDANTS_LOOKED_AT_MAX}
  ),
  below AS MATERIALIZED (SELECT root, max(level) AS levels, count(*) - 1 AS customers FROM down GROUP BY root)
  SELECT c.id AS id, c.parent_id AS parentId, coalesce(below.levels, 0) AS levelsBelow,
    coalesce(below.customers, 0) AS customersBelow
  FROM up CROSS JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = up.id
    LEFT JOIN below ON below.root = c.id`

/** ?1 is pairs of a provider and an entity id. */
const HOLDERS = `SELECT m.provider AS provider, m.entity_id AS entityId, m.customer_id AS customerId
  FROM (SELECT DISTINCT value ->> '$[0]' AS provider, value ->> '$[1]' AS entity_id FROM json_each(?1)) k
    CROSS JOIN integration_mappings m
      ON m.tenant_id = ?2 AND m.mode = ?3 AND m.provider = k.provider AND m.entity_id = k.entity_id`

/** The customers of lines for archived ones, which these lines are compared with. */
const ARCHIVED = `WITH ${FOUND}
  SELECT f.line AS line, f.parent IS c.parent_id AS sameParent, c.external_id AS externalId,
    c.archived_at IS NOT NULL AS isArchived, c.erased_at IS NOT NULL OR c.merged_into IS NOT NULL AS isErased,
    ${FIELDS.filter((field) => field !== 'parent')
      .map((field) => `c.${COLUMNS[field]} AS ${field}`)
      .join(', ')}
  FROM found f CROSS JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = f.id
  WHERE f.is_archived`

/** ?1 is external ids. */
const NAMED = `SELECT k.value AS externalId, coalesce((
    SELECT h.id FROM customers h INDEXED BY customers_external_id
    WHERE h.tenant_id = ?2 AND h.mode = ?3 AND h.external_id = k.value AND h.archived_at IS NULL
  ), (
    SELECT a.customer_id FROM customer_aliases a WHERE a.tenant_id = ?2 AND a.mode = ?3 AND a.external_id = k.value
  )) AS customerId
  FROM json_each(?1) k`

const WORKFLOWS = `SELECT w.key AS name FROM settings s CROSS JOIN json_each(s.value, '$.workflows') w
  WHERE s.tenant_id = ? AND s.mode = ? AND s.name = 'customer_onboarding'`

export async function lookUpLines(
  d1: D1Database,
  scope: Scope,
  lines: readonly ImportLine[],
  requestId: string,
): Promise<ImportFacts> {
  const session = d1.withSession('first-primary')
  const lookUp = (sql: string, values: unknown[]) => {
    return session.prepare(sql).bind(JSON.stringify(values), scope.tenantId, scope.mode)
  }
  const given = lines.map((line) => {
    const { externalId, archivedIds, formerIds } = line
    return { externalId, archivedIds, formerIds, ...givenBy(line) }
  })
  const named = lines.map(({ externalId, archivedIds, fields: { parent } }) => ({ externalId, archivedIds, parent }))
  const formerIds = lines.flatMap((line) => line.formerIds ?? [])
  const integrations = lines
    .flatMap(({ fields }) => fields.integrations ?? [])
    .map(({ provider, id }) => [provider, id])
  // Runs only the look-ups that the lines need.
  const statements = {
    lines: session
      .prepare(linesStatement(fieldsOf(lines)))
      .bind(JSON.stringify(given), scope.tenantId, scope.mode, requestId),
    ...(lines.some(({ fields }) => fields.parent !== undefined) && { tree: lookUp(TREE, named) }),
    ...(integrations.length > 0 && { holders: lookUp(HOLDERS, integrations) }),
    ...(formerIds.length > 0 && { named: lookUp(NAMED, formerIds) }),
    ...(lines.some(({ archivedIds }) => archivedIds) && { archived: lookUp(ARCHIVED, named) }),
    ...(lines.some(({ onboarding }) => onboarding) && {
      workflows: session.prepare(WORKFLOWS).bind(scope.tenantId, scope.mode),
    }),
  }
  const answers = await session.batch(Object.values(statements))
  const found = Object.fromEntries(Object.keys(statements).map((name, at) => [name, answers[at]?.results ?? []]))
  const archived = (found.archived ?? []) as ArchivedRow[]
  const facts = ((found.lines ?? []) as LineRow[]).map((row): LineFacts => ({ ...row, isSame: row.isSame === 1 }))
  for (const row of archived) {
    const [line, fact] = [lines[row.line], facts[row.line]]
    if (line && fact) fact.archived = stateOf(row, line)
  }
  return {
    lines: facts,
    tree: (found.tree ?? []) as TreeFacts[],
    holders: (found.holders ?? []) as ImportFacts['holders'],
    named: ((found.named ?? []) as { externalId: string; customerId: string | null }[]).flatMap(
      ({ externalId, customerId }) => (customerId === null ? [] : [{ externalId, customerId }]),
    ),
    workflows: ((found.workflows ?? []) as { name: string }[]).map(({ name }) => name),
    durationMs: durationOf(answers),
  }
}

type LineRow = Omit<LineFacts, 'isSame'> & { isSame: number }

interface ArchivedRow extends Record<string, unknown> {
  line: number
  sameParent: number
  isArchived: number
  isErased: number
}

/** Returns how a customer relates to the line of an archived one. Fields that the line does not name are no difference. */
function stateOf(row: ArchivedRow, line: ImportLine): NonNullable<LineFacts['archived']> {
  if (row.isErased) return 'erased'
  if (!row.isArchived) return 'live'
  const given = givenBy(line)
  const isSame = FIELDS.every((field) => {
    if (field === 'parent') return given.parent === undefined || row.sameParent === 1
    return given[field] === undefined || field === 'status' || comparable(given[field]) === comparable(row[field])
  })
  return isSame && row.externalId === line.externalId ? 'same' : 'different'
}

/** Returns text that is the same for documents which differ in the order of their keys alone. */
function comparable(value: unknown): unknown {
  if (typeof value !== 'string' || !/^[[{]/.test(value)) return value
  try {
    return canonicalJson(JSON.parse(value))
  } catch {
    return value
  }
}
