/**
 * Imports customers into D1. A segment of a chunk is one statement with its lines as one bound JSON text, whatever its
 * length. The statements do for many customers what those of statements.ts do for one. The same triggers apply the
 * rules that need other rows and write the events. The SQL is plain, because Drizzle cannot express a table that is a
 * JSON text.
 *
 * No value is read first and written back: the statement that changes columns also decides which ones a line changes.
 */
import type { ImportStamp, ImportStore, PlannedLine, Segment } from '../../gate/protocol/imports.ts'
import { newIdOf } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import { classifyD1Error, isStatementFault } from '../d1-errors.ts'
import { bookmarkOf, D1_NOW, durationOf } from '../database.ts'
import { storageFailure } from '../unavailable.ts'
import { changesOf } from './import-dry-run.ts'
import { lookUpLines } from './import-facts.ts'
import {
  COLUMNS,
  DEFAULTS,
  differences,
  type Field,
  fieldsOf,
  HOLDER,
  IS_CUSTOMER,
  isMissing,
  PARENT,
  stored,
  WRITTEN_FIELDS,
  withNewValues,
} from './import-lines.ts'
import { recordOperatorIn } from './operator-changes.ts'
import { failureOfRule } from './refused-rules.ts'
import { isRolledBack, ROLL_BACK } from './roll-back.ts'

/**
 * ?1 is the lines and ?2 and ?3 the scope in every statement; ?4 to ?8 are the stamp (deadline, now, actor, request,
 * reason).
 */
const IN_TIME = `(unixepoch('subsec') * 1000 < ?4)`

const CREATE = `INSERT INTO customers (
    tenant_id, mode, id, external_id, ${WRITTEN_FIELDS.map((field) => COLUMNS[field]).join(', ')},
    archived_at, version, created_at, updated_at, created_by, updated_by, change_id, change_request_id, change_reason,
    change_onboarding
  )
  SELECT ?2, ?3, l.value ->> '$.id', l.value ->> '$.externalId', ${WRITTEN_FIELDS.map(newValue).join(', ')},
    iif(json_type(l.value, '$.archivedIds') IS NULL, NULL, ?5), 1, l.value ->> '$.createdAtMs',
    l.value ->> '$.createdAtMs', ?6, ?6, l.value ->> '$.changeId', ?7, ?8,
    l.value ->> '$.onboarding'
  FROM json_each(?1) l WHERE ${IN_TIME} ORDER BY l.key
  ON CONFLICT (tenant_id, mode, external_id) WHERE archived_at IS NULL DO NOTHING
  RETURNING change_id AS id`

function newValue(field: Field): string {
  const given = field === 'parent' ? PARENT : `l.value ->> '$.${field}'`
  // The nulls of a patch are left out, as in a merge into what is there.
  if (field === 'folded') return `json_patch('{}', coalesce(${given}, '{}'))`
  return DEFAULTS[field] ? `coalesce(${given}, '${DEFAULTS[field]}')` : given
}

/** Sets only the columns that some line of the segment names: D1 bills a write of the index for each other one. */
function updateStatement(fields: readonly Field[]): string {
  const set = fields.map((field) => `${COLUMNS[field]} = n.new_${COLUMNS[field]},`)
  return `${withNewValues(fields)}
    UPDATE customers SET ${set.join(' ')} version = customers.version + 1, updated_at = max(customers.updated_at, ?5),
      updated_by = ?6, change_id = n.new_change_id, change_request_id = ?7, change_reason = ?8
    FROM n
    WHERE ${IS_CUSTOMER} AND ${IN_TIME} AND ${differences(fields)}
    RETURNING change_id AS id`
}

/**
 * Gives the customers of a segment their former external ids. Fails if another customer has one as a former id too; one
 * that is the present id of a customer is left to it.
 */
const ADD_FORMER_IDS = `INSERT INTO customer_aliases (tenant_id, mode, external_id, customer_id)
  SELECT ?2, ?3, o.value, l.value ->> '$.id'
  FROM json_each(?1) l CROSS JOIN json_each(l.value, '$.formerIds') o
  WHERE ${IN_TIME} AND ${isMissing('o.value')} AND NOT EXISTS (
    SELECT 1 FROM customers h INDEXED BY customers_external_id
    WHERE h.tenant_id = ?2 AND h.mode = ?3 AND h.external_id = o.value AND h.archived_at IS NULL
  )
  RETURNING customer_id AS id`

/**
 * Selects the time by D1's clock, whether the tenant has subscribers, and then the customers that do not exist as the lines want
 * them, after the changes; all of them after the deadline.
 */
const MISSED = `SELECT ${D1_NOW} AS id
  UNION ALL
  SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE tenant_id = ?2 AND mode = ?3)
    OR EXISTS (SELECT 1 FROM settings WHERE tenant_id = ?2 AND mode = ?3 AND name = 'customer_onboarding')
  UNION ALL
  SELECT l.value ->> '$.id' AS id FROM json_each(?1) l
  WHERE NOT (${IN_TIME} AND EXISTS (
    SELECT 1 FROM customers c
    WHERE c.tenant_id = ?2 AND c.mode = ?3 AND c.id = l.value ->> '$.id'
      AND (c.archived_at IS NULL) = (json_type(l.value, '$.archivedIds') IS NULL)
  ) AND l.value ->> '$.id' IS ${HOLDER})`

export function importStore(d1: D1Database): ImportStore {
  return {
    lookUpLines: (scope, lines, requestId) => lookUpLines(d1, scope, lines, requestId),

    async commitSegments(scope, segments, stamp) {
      const session = d1.withSession('first-primary')
      const steps = segments.flatMap((segment) => stepsOf(session, scope, segment, stamp))
      const lines = segments.flat().map((line) => {
        return { id: customerOf(line), externalId: line.externalId, archivedIds: line.archivedIds }
      })
      const missed = session.prepare(MISSED).bind(JSON.stringify(lines), scope.tenantId, scope.mode, stamp.deadlineMs)
      const { operator } = stamp
      const changeIds = segments.flat().map(({ changeId }) => changeId)
      try {
        const statements = steps.map(({ statement }) => statement)
        if (givesFormerIds(segments.flat())) statements.push(...noteFormerIds(session, scope, segments.flat()))
        if (operator) statements.push(recordOperatorIn(session, scope, changeIds, operator))
        const answers = await session.batch<{ id: string | number }>([...statements, missed])
        const ids = answers.map(({ results }) => results.map(({ id }) => String(id)))
        const [d1Ms, subscribers, ...found] = ids.pop() ?? []
        const changed = new Set(steps.flatMap(({ changeOf }, at) => (ids[at] ?? []).map(changeOf)))
        const rowsWritten = answers.reduce((rows, { meta }) => rows + meta.rows_written, 0)
        const wordsChanged = steps.reduce(
          (count, { setsWords }, at) => count + (setsWords ? (ids[at]?.length ?? 0) : 0),
          0,
        )
        return {
          ok: true,
          changed,
          missed: new Set(found),
          bookmark: await bookmarkOf(session),
          d1Ms: Number(d1Ms),
          hasSubscribers: subscribers === '1',
          work: { rowsWritten, wordsChanged, durationMs: durationOf(answers) },
        }
      } catch (error) {
        return { ok: false, failure: failureOfRule(ruleOf(error)) ?? storageFailure(error, { ...scope }) }
      }
    },

    async tryOut(scope, segments, stamp) {
      const session = d1.withSession('first-primary')
      const steps = segments.flatMap((segment) => stepsOf(session, scope, segment, stamp))
      try {
        await session.batch([...steps.map(({ statement }) => statement), session.prepare(ROLL_BACK)])
        throw new Error('a dry run was not rolled back')
      } catch (error) {
        if (!isRolledBack(error)) {
          return { ok: false, failure: failureOfRule(ruleOf(error)) ?? storageFailure(error, { ...scope }) }
        }
      }
      return { ok: true, changed: await changesOf(d1, scope, segments.flat()) }
    },
  }
}

/**
 * Returns the rule that refused the batch. Throws the error if it may mean that the batch was committed all the same.
 */
function ruleOf(error: unknown): string {
  const problem = classifyD1Error(error)
  if (!isStatementFault(problem)) throw error
  return problem.kind === 'refused' ? problem.rule : problem.kind
}

function customerOf(line: PlannedLine): string {
  return line.customerId ?? newIdOf(line)
}

/** A statement, and the change that a row of its result stands for. */
interface Step {
  statement: D1PreparedStatement
  changeOf(id: string): string
  /** True if it gives customers that exist other words. */
  setsWords: boolean
}

function givesFormerIds(lines: readonly PlannedLine[]): boolean {
  return lines.some(({ formerIds = [] }) => formerIds.length > 0)
}

/** A former id changes no customer, so the triggers do not note it for a move of the tenant, and do not refuse it. These do both. */
function noteFormerIds(session: D1DatabaseSession, { tenantId, mode }: Scope, lines: readonly PlannedLine[]) {
  const ids = JSON.stringify(lines.map(customerOf))
  return [
    session
      .prepare('UPDATE leaving_tenants SET changes = changes + json_array_length(?1) WHERE tenant_id = ?2')
      .bind(ids, tenantId),
    session
      .prepare(
        `INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
        SELECT l.tenant_id, l.changes - i.key, 'customers', json_array(?3, i.value)
        FROM leaving_tenants l CROSS JOIN json_each(?1) i WHERE l.tenant_id = ?2`,
      )
      .bind(ids, tenantId, mode),
  ]
}

/** Returns a statement for the fields and one for the former external ids, each only if the lines name some. */
function stepsOf(session: D1DatabaseSession, scope: Scope, segment: Segment, stamp: ImportStamp): Step[] {
  const fields = fieldsOf(segment)
  const creates = segment[0]?.customerId === null
  const lines = JSON.stringify(segment.map((line) => stored(line, customerOf(line), creates)))
  const { tenantId, mode } = scope
  const { deadlineMs, nowMs, actor, requestId, reason } = stamp
  const steps: Step[] = []
  if (creates || fields.length > 0) {
    const statement = session.prepare(creates ? CREATE : updateStatement(fields))
    const bound = statement.bind(lines, tenantId, mode, deadlineMs, nowMs, actor, requestId, reason)
    steps.push({ statement: bound, changeOf: (id) => id, setsWords: !creates && fields.includes('folded') })
  }
  if (givesFormerIds(segment)) {
    const changes = new Map(segment.map((line) => [customerOf(line), line.changeId]))
    const bound = session.prepare(ADD_FORMER_IDS).bind(lines, tenantId, mode, deadlineMs)
    steps.push({ statement: bound, changeOf: (id) => changes.get(id) ?? id, setsWords: false })
  }
  return steps
}
