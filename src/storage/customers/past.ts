/**
 * Reads a customer as it was. Two reads of an index for a version, and the archive only for what is older than D1's events. For a time, the first change after it is found by halving
 * the versions, because the times of a customer's changes rise with them: some 2 rows for each doubling.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Customer, Scope } from '../../registry/customer.ts'
import { type Moment, type Past, type PastFacts, type PastTarget, pastOf } from '../../registry/past.ts'
import { DAY_MS } from '../../shared/durations.ts'
import type { ArchivedEvent } from '../archive/format.ts'
import { findArchivedChange } from '../archive/past.ts'
import { CUSTOMER_COLUMNS, type CustomerRow, customerOf, customerOfDocument, customerRowOf } from '../customer-row.ts'
import { D1_NOW, type Database } from '../database.ts'
import { documentBefore } from '../event-documents.ts'
import { customers, events } from '../schema/tables.ts'
import { rowsStatement } from '../statement-texts.ts'
import { idBehind } from './reads.ts'

const CHANGES_OF_ONE = `'customer.created', 'customer.updated', 'customer.archived', 'customer.restored'`
/** Matches the changes that concern one customer alone. */
export const IS_CHANGE_OF_ONE = sql.raw(`type IN (${CHANGES_OF_ONE})`)
/** Matches the events that are a change of a customer and have what it found. After an erasure there is no past. */
export const IS_CHANGE = sql.raw(`type IN (${CHANGES_OF_ONE}, 'customer.merged', 'customer.unmerged')`)

/** Matches the events of the index `events_left_external_id`, in its own words: SQLite compares the two. */
const LEFT_EXTERNAL_ID = sql.raw(`coalesce(before ->> '$.external_id', after ->> '$.external_id')`)
const HAS_LEFT = sql.raw(`(type = 'customer.archived' OR (
  type = 'customer.updated' AND before ->> '$.external_id' IS NOT NULL AND after ->> '$.archived_at' IS NULL
))`)

/** The columns of the change that a past is read from. */
const CHANGE_COLUMNS = sql.raw(
  `e.version AS change_version, e.actor AS change_actor, e.created_at AS change_at, e.before AS change_before, e.after AS change_after,
  e.detail ->> '$.merged_at' AS change_merged_at, e.type AS change_type`,
)

export interface ChangeRow {
  change_type: string
  change_version: number
  change_actor: string
  change_at: number
  change_before: string | null
  change_after: string
}

/** Without such a change, its columns are null. */
type PastRow = Record<string, unknown> & {
  change_version: number | null
  change_type: string | null
  change_merged_at: string | null
}

/** Returns what the customer was at the moment. */
export async function readPast(
  db: Database,
  scope: Scope,
  target: PastTarget,
  moment: Moment,
  archive?: R2Bucket,
): Promise<Past> {
  const facts = await readPastFacts(db, scope, target, moment, archive)
  const past = pastOf(facts, moment)
  if ('id' in target || 'version' in moment) return past
  const { externalId } = target
  if (hasIt(past, externalId)) return past
  for (const id of await findFurtherHolders(db, scope, externalId, moment.timeMs)) {
    if (id === facts?.now.id) continue
    const further = pastOf(await readPastFacts(db, scope, { id }, moment, archive), moment)
    if (hasIt(further, externalId)) return further
  }
  // Before the time for which changes are kept, nobody knows who else had it.
  return past === 'expired' || !(await isKept(db, scope, moment.timeMs)) ? 'expired' : null
}

function hasIt(past: Past, externalId: string): past is Customer {
  return past !== null && past !== 'expired' && past.externalId === externalId && past.status !== 'archived'
}

/**
 * Finds who may have had the external id though another customer was the first to give it up after the time: one that was
 * merged with it into another one since, which is no such change, and the one that has it now, which may have come back from there.
 */
async function findFurtherHolders(db: Database, scope: Scope, externalId: string, timeMs: number): Promise<string[]> {
  const inScope = sql`c.tenant_id = ${scope.tenantId} AND c.mode = ${scope.mode} AND c.external_id = ${externalId}`
  const query = sql`
    SELECT id FROM (
      SELECT c.id FROM customers c INDEXED BY customers_external_id_order
      WHERE ${inScope} AND c.merged_into IS NOT NULL AND c.archived_at > ${timeMs} ORDER BY c.archived_at LIMIT 1
    )
    UNION ALL
    SELECT c.id FROM customers c INDEXED BY customers_external_id WHERE ${inScope} AND c.archived_at IS NULL`
  const [found] = (await db.batch([rowsStatement(db, query)])) as unknown as [{ id: string }[]]
  return found.map(({ id }) => id)
}

/**
 * Returns what is stored about a customer around a moment. Null: there is no such customer, or it is erased. D1 comes first, and
 * the archive only if what D1 has is later than the moment.
 */
export async function readPastFacts(
  db: Database,
  scope: Scope,
  target: PastTarget,
  moment: Moment,
  archive?: R2Bucket,
): Promise<PastFacts | null> {
  const facts = await readRecentFacts(db, scope, target, moment)
  if (!archive || facts === null || pastOf(facts, moment) !== 'expired') return facts
  const { id } = facts.now
  const isIt = (event: ArchivedEvent) => pastOf(factsWith(scope, facts, event), moment) !== 'expired'
  const event = await findArchivedChange({ db, archive }, scope, id, moment, isIt)
  return event ? factsWith(scope, facts, event) : facts
}

/** Returns the facts with another change as the first one after the moment. */
function factsWith(scope: Scope, facts: PastFacts, event: ArchivedEvent): PastFacts {
  const { type, detail, before } = event
  const document = documentBefore(event, event)
  const mergedAt = type === 'customer.restored' ? detail?.merged_at : undefined
  return {
    ...facts,
    found: before === null && type !== 'customer.created' ? undefined : document && customerOfDocument(scope, document),
    foundUntilMs: typeof mergedAt === 'string' ? Date.parse(mergedAt) : null,
  }
}

async function readRecentFacts(
  db: Database,
  scope: Scope,
  target: PastTarget,
  moment: Moment,
): Promise<PastFacts | null> {
  const who = 'id' in target ? sql`${target.id}` : heldBy(db, scope, target.externalId, moment)
  const change = 'version' in moment ? changeAt(scope, moment.version + 1) : firstChangeAfter(scope, moment.timeMs)
  const query = sql`
    WITH RECURSIVE now AS (
      SELECT ${CUSTOMER_COLUMNS} FROM ${customers}
      WHERE ${customers.tenantId} = ${scope.tenantId} AND ${customers.mode} = ${scope.mode} AND ${customers.id} = ${who}
        AND ${customers.erasedAtMs} IS NULL
    )${change.search}
    SELECT now.*, ${CHANGE_COLUMNS} FROM now LEFT JOIN ${events} e ON e.rowid = ${change.rowid}`
  const [[row]] = (await db.batch([rowsStatement(db, query)])) as unknown as [PastRow[]]
  if (!row) return null
  const facts = factsOf(scope, row)
  return facts.mergedInto === null ? facts : beforeMerge(db, scope, customerRowOf(row), facts)
}

/**
 * Returns the facts of a customer as it was before its merge, which archived it unless it was archived already. The note of the
 * merge knows both for as long as it is kept, and its own last change the one.
 */
async function beforeMerge(db: Database, scope: Scope, row: CustomerRow, facts: PastFacts): Promise<PastFacts> {
  const query = sql`
    SELECT m.merged_at AS "mergedAtMs", iif(
      m.source_id IS NULL,
      iif(e.id IS NULL, ${row.archivedAtMs} <= ${row.updatedAtMs}, e.after ->> '$.archived_at' IS NOT NULL),
      m.given ->> '$.archivedAtMs' IS NOT NULL
    ) AS "wasArchived"
    FROM (SELECT ${row.id} AS id) s
    LEFT JOIN customer_merges m ON m.tenant_id = ${scope.tenantId} AND m.mode = ${scope.mode} AND m.source_id = s.id
    LEFT JOIN events e ON e.rowid = (
      SELECT c.rowid FROM events c INDEXED BY events_customer_version
      WHERE c.customer_id = s.id AND c.tenant_id = ${scope.tenantId} AND c.mode = ${scope.mode} AND c.version = ${row.version}
        AND c.${IS_CHANGE} LIMIT 1
    )`
  const [[found]] = (await db.batch([rowsStatement(db, query)])) as unknown as [[MergeFound]]
  const { mergedAtMs, wasArchived } = found
  if (wasArchived === 1) return { ...facts, mergedAtMs }
  return { ...facts, now: customerOf({ ...row, archivedAtMs: null }), mergedAtMs: mergedAtMs ?? row.archivedAtMs }
}

interface MergeFound {
  mergedAtMs: number | null
  wasArchived: number
}

/** Returns whether the changes since the time are kept. */
async function isKept(db: Database, { tenantId }: Scope, timeMs: number): Promise<boolean> {
  const since = sql`${sql.raw(D1_NOW)} - t.event_retention_days * ${DAY_MS}`
  const kept = await db.get<{ ms: number } | undefined>(
    sql`SELECT ${since} AS ms FROM tenants t WHERE t.id = ${tenantId}`,
  )
  return timeMs >= (kept?.ms ?? 0)
}

function factsOf(scope: Scope, row: PastRow): PastFacts {
  const customer = customerRowOf(row)
  const now = customerOf(customer)
  const found = row.change_version === null ? undefined : foundBy(scope, now.id, row as unknown as ChangeRow)
  // The event of a customer that came back from another one says since when it had been merged into that one.
  const hasComeBack = row.change_type === 'customer.restored' && row.change_merged_at !== null
  const foundUntilMs = hasComeBack ? Date.parse(row.change_merged_at as string) : null
  return { now, mergedInto: customer.mergedInto, mergedAtMs: null, found, foundUntilMs }
}

/**
 * Returns the customer that a change found. Null: it made the customer. Undefined: it is no longer kept, because another
 * customer, which was merged into this one then, is erased.
 */
export function foundBy(scope: Scope, customerId: string, row: ChangeRow): Customer | null | undefined {
  if (row.change_before === null && row.change_type !== 'customer.created') return undefined
  const event = {
    customerId,
    version: row.change_version,
    actor: row.change_actor,
    createdAtMs: row.change_at,
  }
  const before = documentBefore(event, {
    before: row.change_before === null ? null : JSON.parse(row.change_before),
    after: JSON.parse(row.change_after),
  })
  return before && customerOfDocument(scope, before)
}

/**
 * The id of the customer that had the external id: of all that gave it up after the time, the first. If none did, the one
 * that has it now. Whether it had it already is for the caller to see.
 */
function heldBy(db: Database, scope: Scope, externalId: string, moment: Moment): SQL {
  if ('version' in moment) return idBehind(db, scope, externalId)
  return sql`coalesce((
    SELECT f.customer_id FROM former_external_ids f
    WHERE f.tenant_id = ${scope.tenantId} AND f.mode = ${scope.mode} AND f.external_id = ${externalId} AND f.left_at > ${moment.timeMs}
    ORDER BY f.left_at LIMIT 1
  ), (
    SELECT customer_id FROM events INDEXED BY events_left_external_id
    WHERE ${LEFT_EXTERNAL_ID} = ${externalId} AND tenant_id = ${scope.tenantId} AND mode = ${scope.mode}
      AND created_at > ${moment.timeMs} AND ${HAS_LEFT}
    ORDER BY created_at, rowid LIMIT 1
  ), (
    SELECT holder.id FROM customers holder INDEXED BY customers_external_id
    WHERE holder.external_id = ${externalId} AND holder.tenant_id = ${scope.tenantId} AND holder.mode = ${scope.mode}
      AND holder.archived_at IS NULL
  ))`
}

/** Selects one column of the first change of the customer `now` that has this version or a later one. */
function firstFrom({ tenantId, mode }: Scope, column: string, version: SQL, from: SQL): SQL {
  return sql`(
    SELECT c.${sql.raw(column)} FROM ${from} CROSS JOIN events c INDEXED BY events_customer_version
      ON c.customer_id = now.id AND c.tenant_id = ${tenantId} AND c.mode = ${mode} AND c.version >= ${version}
    WHERE c.${IS_CHANGE} ORDER BY c.version LIMIT 1
  )`
}

function changeAt({ tenantId, mode }: Scope, version: number): { search: SQL; rowid: SQL } {
  const rowid = sql`(
    SELECT c.rowid FROM events c INDEXED BY events_customer_version
    WHERE c.customer_id = now.id AND c.tenant_id = ${tenantId} AND c.mode = ${mode} AND c.version >= ${version}
      AND c.${IS_CHANGE} ORDER BY c.version LIMIT 1
  )`
  return { search: sql``, rowid }
}

/**
 * The first change after the time is at the version `low` or later and not later than `high`. `at` is the time of the first
 * change from the middle of the two on. A customer that has not changed since the time is not searched.
 */
function firstChangeAfter(scope: Scope, timeMs: number): { search: SQL; rowid: SQL } {
  const low = sql`iif(s.at > ${timeMs}, s.low, (s.low + s.high) / 2 + 1)`
  const high = sql`iif(s.at > ${timeMs}, (s.low + s.high) / 2, s.high)`
  const timeFrom = (version: SQL) => firstFrom(scope, 'created_at', version, sql`now`)
  const search = sql`, s(low, high, at) AS (
      SELECT 1, now.version, ${timeFrom(sql`(1 + now.version) / 2`)} FROM now WHERE now.updated_at > ${timeMs}
      UNION ALL
      SELECT ${low}, ${high}, ${timeFrom(sql`(${low} + ${high}) / 2`)} FROM s WHERE s.low < s.high
    )`
  return { search, rowid: firstFrom(scope, 'rowid', sql`s.low`, sql`(SELECT low FROM s WHERE low = high) s`) }
}
