/**
 * Imports customers into D1: a chunk of lines is one bound JSON text, and a segment of it at most two statements, whatever
 * its length. They do what customer-statements.ts does for one customer; the rules that need other rows and the events are
 * the same triggers. Written for D1 itself: Drizzle has no words for a table that is a JSON text.
 *
 * Nothing is read first and written back: which columns a line changes is decided in the statement that changes them.
 */
import type { ImportStamp, ImportStore, LineFacts, PlannedLine, Segment } from '../gate/import-protocol.ts'
import type { ImportLine } from '../registry/bulk.ts'
import { creationTimeOf, DEFAULT_TIMEZONE, OPTIONAL_TEXT_FIELDS, type Scope } from '../registry/customer.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'
import { bookmarkOf } from './database.ts'
import { canonicalJson } from './given-columns.ts'
import { failureOfRule } from './refused-rules.ts'

/** A line as the statements read it. Absent fields are absent; metadata and integrations are text, as they are stored. */
interface StoredLine {
  id: string
  changeId?: string
  createdAtMs: number
  externalId: string
  onboarding: string | null
  parent?: { id?: string; externalId?: string } | null
  [column: string]: unknown
}

/** Columns that take what the line says, by the name they have in it. */
const COLUMNS = {
  name: 'name',
  email: 'email',
  contact: 'contact',
  addressLine1: 'address_line1',
  addressLine2: 'address_line2',
  addressCity: 'address_city',
  addressState: 'address_state',
  addressPostalCode: 'address_postal_code',
  addressCountry: 'address_country',
  timezone: 'timezone',
  parent: 'parent_id',
  metadata: 'metadata',
  integrations: 'integrations',
  status: 'status',
} as const
type Field = keyof typeof COLUMNS
const FIELDS = Object.keys(COLUMNS) as Field[]

/** A new customer has these where the line says nothing. */
const DEFAULTS: Partial<Record<Field, string>> = {
  timezone: `'${DEFAULT_TIMEZONE}'`,
  metadata: `'{}'`,
  integrations: `'[]'`,
  status: `'published'`,
}

/** ?1 the lines, ?2 and ?3 the scope, in every statement; ?4 to ?8 the stamp (deadline, now, actor, request, reason). */
const IN_TIME = `(unixepoch('subsec') * 1000 < ?4)`

/** By external id: the customer that has it now. An id that nobody has lets the trigger refuse. */
const PARENT = `CASE
  WHEN l.value ->> '$.parent.id' IS NOT NULL THEN l.value ->> '$.parent.id'
  WHEN l.value ->> '$.parent.externalId' IS NOT NULL THEN coalesce((
    SELECT p.id FROM customers p INDEXED BY customers_external_id
    WHERE p.tenant_id = ?2 AND p.mode = ?3 AND p.external_id = l.value ->> '$.parent.externalId' AND p.archived_at IS NULL
  ), '') END`

/** The customer that has the external id, or had it before and no other took it. */
const HOLDER = `coalesce((
    SELECT h.id FROM customers h INDEXED BY customers_external_id
    WHERE h.tenant_id = ?2 AND h.mode = ?3 AND h.external_id = l.value ->> '$.externalId' AND h.archived_at IS NULL
  ), (
    SELECT a.customer_id FROM customer_aliases a
    WHERE a.tenant_id = ?2 AND a.mode = ?3 AND a.external_id = l.value ->> '$.externalId'
  ))`

/** The lines beside the customers they are for, with the value that each field would have. */
function withNewValues(fields: readonly Field[]): string {
  const values = fields.map((field) => {
    const given = field === 'parent' ? PARENT : `l.value ->> '$.${field}'`
    return `CASE WHEN json_type(l.value, '$.${field}') IS NULL THEN c.${COLUMNS[field]} ELSE ${given} END AS new_${COLUMNS[field]}`
  })
  return `WITH n AS MATERIALIZED (
    SELECT ${['c.tenant_id', 'c.mode', 'c.id', `l.value ->> '$.changeId' AS new_change_id`, ...values].join(', ')}
    FROM json_each(?1) l CROSS JOIN customers c
      ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = l.value ->> '$.id'
    WHERE c.archived_at IS NULL AND c.id = ${HOLDER}
  )`
}

/** All from the line: told the tenant apart from it, SQLite would go through all customers of the tenant instead. */
const IS_CUSTOMER = 'customers.tenant_id = n.tenant_id AND customers.mode = n.mode AND customers.id = n.id'

function differences(fields: readonly Field[]): string {
  const differ = fields.map((field) => {
    const column = COLUMNS[field]
    const [old, young] = [`customers.${column}`, `n.new_${column}`]
    return field === 'metadata' ? `${inKeyOrder(old)} IS NOT ${inKeyOrder(young)}` : `${old} IS NOT ${young}`
  })
  return `(${['0', ...differ].join(' OR ')})`
}

/** The order of the keys is no part of metadata. */
function inKeyOrder(object: string): string {
  return `(SELECT json_group_array(json_array(key, value) ORDER BY key) FROM json_each(${object}))`
}

const CREATE = `INSERT INTO customers (
    tenant_id, mode, id, external_id, ${FIELDS.map((field) => COLUMNS[field]).join(', ')},
    profile, version, created_at, updated_at, created_by, updated_by, change_id, change_request_id, change_reason,
    change_onboarding
  )
  SELECT ?2, ?3, l.value ->> '$.id', l.value ->> '$.externalId', ${FIELDS.map(newValue).join(', ')},
    '{}', 1, l.value ->> '$.createdAtMs', l.value ->> '$.createdAtMs', ?6, ?6, l.value ->> '$.changeId', ?7, ?8,
    l.value ->> '$.onboarding'
  FROM json_each(?1) l WHERE ${IN_TIME} ORDER BY l.key
  ON CONFLICT (tenant_id, mode, external_id) WHERE archived_at IS NULL DO NOTHING
  RETURNING change_id AS id`

function newValue(field: Field): string {
  const given = field === 'parent' ? PARENT : `l.value ->> '$.${field}'`
  return DEFAULTS[field] ? `coalesce(${given}, ${DEFAULTS[field]})` : given
}

/** Names only the columns that some line of the segment names: each other one would be a paid write of its index. */
function updateStatement(fields: readonly Field[]): string {
  const set = fields.map((field) => `${COLUMNS[field]} = n.new_${COLUMNS[field]},`)
  return `${withNewValues(fields)}
    UPDATE customers SET ${set.join(' ')} version = customers.version + 1, updated_at = max(customers.updated_at, ?5),
      updated_by = ?6, change_id = n.new_change_id, change_request_id = ?7, change_reason = ?8
    FROM n
    WHERE ${IS_CUSTOMER} AND ${IN_TIME} AND ${differences(fields)}
    RETURNING change_id AS id`
}

/** Which customers an update would change: what a dry run answers. */
function differingStatement(fields: readonly Field[]): string {
  return `${withNewValues(fields)}
    SELECT n.id AS id FROM n CROSS JOIN customers
      ON ${IS_CUSTOMER}
    WHERE ${differences(fields)}`
}

/** Which customers are there as the lines want them, judged after the changes. Too late, and it is none. */
const THERE = `SELECT l.value ->> '$.id' AS id FROM json_each(?1) l
  WHERE ${IN_TIME} AND EXISTS (
    SELECT 1 FROM customers c
    WHERE c.tenant_id = ?2 AND c.mode = ?3 AND c.id = l.value ->> '$.id' AND c.archived_at IS NULL
  ) AND l.value ->> '$.id' = ${HOLDER}`

const LOOK_UP = `WITH found AS MATERIALIZED (
    SELECT l.key AS line, l.value AS value, ${HOLDER} AS id, ${PARENT} AS parent FROM json_each(?1) l
  )
  SELECT f.id AS customerId,
    (SELECT p.id FROM customers p
      WHERE p.tenant_id = ?2 AND p.mode = ?3 AND p.id = f.parent AND p.archived_at IS NULL) AS parentId,
    (c.parent_id IS NOT NULL AND json_type(f.value, '$.parent') IS NOT NULL AND c.parent_id IS NOT f.parent)
      OR (c.integrations <> '[]' AND json_type(f.value, '$.integrations') IS NOT NULL
        AND c.integrations IS NOT f.value ->> '$.integrations') AS releases
  FROM found f LEFT JOIN customers c ON c.tenant_id = ?2 AND c.mode = ?3 AND c.id = f.id
  ORDER BY f.line`

/** A count that is null refuses the whole transaction, after everything else in it was found to be allowed. */
const ROLL_BACK = `INSERT INTO customer_counts (tenant_id, mode, status, count) VALUES (?, ?, 'dry run', NULL)`
const ROLLED_BACK = 'customer_counts.count'

export function importStore(d1: D1Database): ImportStore {
  return {
    async lookUpLines(scope, lines) {
      const text = JSON.stringify(lines.map((line) => stored(line, line.id)))
      const { results } = await d1
        .withSession('first-primary')
        .prepare(LOOK_UP)
        .bind(text, scope.tenantId, scope.mode)
        .all<Omit<LineFacts, 'releases'> & { releases: number }>()
      return results.map((row) => ({ ...row, releases: row.releases === 1 }))
    },

    async wouldChange(scope, lines) {
      const fields = fieldsOf(lines)
      const text = JSON.stringify(lines.map((line) => stored(line, line.customerId ?? line.id)))
      const { results } = await d1
        .withSession('first-primary')
        .prepare(differingStatement(fields))
        .bind(text, scope.tenantId, scope.mode)
        .all<{ id: string }>()
      return new Set(results.map(({ id }) => id))
    },

    async commitSegments(scope, segments, stamp, { dryRun }) {
      const session = d1.withSession('first-primary')
      const statements = segments.flatMap((segment) => statementsOf(session, scope, segment, stamp))
      const all = JSON.stringify(segments.flat().map((line) => stored(line, line.customerId ?? line.id)))
      const there = session.prepare(THERE).bind(all, scope.tenantId, scope.mode, stamp.deadlineMs)
      const rollBack = session.prepare(ROLL_BACK).bind(scope.tenantId, scope.mode)
      try {
        const answers = await session.batch<{ id: string }>([...statements, there, ...(dryRun ? [rollBack] : [])])
        const ids = answers.map(({ results }) => results.map(({ id }) => id))
        const bookmark = await bookmarkOf(session)
        return { ok: true, changed: new Set(ids.slice(0, -1).flat()), there: new Set(ids.at(-1)), bookmark }
      } catch (error) {
        const problem = classifyD1Error(error)
        if (!isStatementFault(problem)) throw error
        const bookmark = await bookmarkOf(d1.withSession('first-primary'))
        const rule = problem.kind === 'refused' ? problem.rule : problem.kind
        if (dryRun && rule === ROLLED_BACK) return { ok: true, changed: new Set(), there: new Set(), bookmark }
        return { ok: false, failure: failureOfRule(rule) ?? { reason: 'internal' }, bookmark }
      }
    },
  }
}

function statementsOf(session: D1DatabaseSession, scope: Scope, segment: Segment, stamp: ImportStamp) {
  const written = [
    scope.tenantId,
    scope.mode,
    stamp.deadlineMs,
    stamp.nowMs,
    stamp.actor,
    stamp.requestId,
    stamp.reason,
  ]
  const created = segment.filter((line) => line.customerId === null)
  const updated = segment.filter((line) => line.customerId !== null)
  const fields = fieldsOf(updated)
  const statement = (text: string, lines: PlannedLine[]) =>
    session
      .prepare(text)
      .bind(JSON.stringify(lines.map((line) => stored(line, line.customerId ?? line.id))), ...written)
  return [
    ...(created.length > 0 ? [statement(CREATE, created)] : []),
    ...(updated.length > 0 && fields.length > 0 ? [statement(updateStatement(fields), updated)] : []),
  ]
}

function fieldsOf(lines: readonly ImportLine[]): Field[] {
  return FIELDS.filter((field) => lines.some((line) => line.fields[field] !== undefined))
}

function stored(line: ImportLine & { changeId?: string }, id: string): StoredLine {
  const { fields, externalId, changeId, onboarding = '' } = line
  const row: StoredLine = {
    id,
    externalId,
    onboarding,
    createdAtMs: creationTimeOf(line.id),
    ...(changeId !== undefined && { changeId }),
  }
  for (const field of OPTIONAL_TEXT_FIELDS) if (fields[field] !== undefined) row[field] = fields[field]
  if (fields.timezone !== undefined) row.timezone = fields.timezone ?? DEFAULT_TIMEZONE
  if (fields.status !== undefined) row.status = fields.status
  if (fields.parent !== undefined) row.parent = fields.parent
  if (fields.metadata !== undefined) row.metadata = JSON.stringify(fields.metadata.replace)
  if (fields.integrations !== undefined) row.integrations = canonicalJson(fields.integrations)
  return row
}
