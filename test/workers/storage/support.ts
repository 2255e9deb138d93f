/**
 * Shared by the tests of storage: a tenant of their own, changes as a gate makes them, and a D1 that records the cost of
 * each statement.
 */
import { env } from 'cloudflare:workers'
import { ulid } from 'ulid'
import { expect } from 'vitest'
import type { CommitResult, PreparedCommand, PreparedWrite } from '../../../src/gate/protocol/write-store.ts'
import type { Customer, CustomerChanges, Mode, Scope } from '../../../src/registry/customer.ts'
import type { Failure } from '../../../src/registry/errors.ts'
import type { Command } from '../../../src/registry/ports.ts'
import { newId } from '../../../src/shared/ids.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { tenants } from '../../../src/storage/schema/tenant-tables.ts'

export const db = openDatabase(env.DB)
export const store = writeStore(env.DB)

const FAR_MS = 9_000_000_000_000

/** Inserts a tenant that no other test uses. */
export async function insertTenant(mode: Mode = 'live'): Promise<Scope> {
  const tenantId = crypto.randomUUID()
  await db.insert(tenants).values({
    id: tenantId,
    companyName: 'Test Company',
    contactEmail: 'ops@example.com',
    tier: 'scale',
    status: 'active',
    requestsPerSecond: 200,
    burst: 400,
    annualCommitment: 0,
    annualValidationLimit: 1,
    storageBytes: 2_000_000_000,
    metadata: '{}',
    createdAtMs: 1,
    updatedAtMs: 1,
    version: 1,
    policyVersion: 1,
  })
  return { tenantId, mode }
}

/** Returns a change as the gate hands it to storage. */
export function prepared(command: PreparedCommand, given: Partial<PreparedWrite> = {}): PreparedWrite {
  const nowMs = given.nowMs ?? Date.now()
  return {
    command,
    changeId: newId('event', Date.now()),
    actor: 'key_1',
    requestId: 'req_1',
    reason: null,
    nowMs,
    deadlineMs: FAR_MS,
    idempotency: null,
    ...given,
  }
}

export function creation(
  fields: Partial<CustomerChanges>,
  ifExists: 'fail' | 'return' = 'fail',
  createdAtMs = Date.now(),
): Extract<Command, { kind: 'create' }> {
  const id = `cust_${ulid(createdAtMs)}`
  return { kind: 'create', id, fields: { externalId: `x_${id}`, ...fields }, ifExists }
}

export function update(
  id: string,
  changes: CustomerChanges,
  ifVersion: number | null = null,
): Extract<Command, { kind: 'update' }> {
  return { kind: 'update', target: { id }, changes, ifVersion }
}

/** Resolves and commits one change, again when the target moved, as the gate does. */
export async function commit(
  scope: Scope,
  command: Command,
  given: Partial<PreparedWrite> = {},
): Promise<CommitResult> {
  for (;;) {
    const target = await store.resolveTarget(scope, command)
    if (!target.ok) return target
    const { results } = await store.commitWrites(scope, [prepared(target.command, given)])
    const result = only(results)
    if (result.ok || !result.targetMoved) return result
  }
}

export async function committed(scope: Scope, command: Command, given: Partial<PreparedWrite> = {}): Promise<Customer> {
  return customerOf(await commit(scope, command, given))
}

export function create(scope: Scope, fields: Partial<CustomerChanges> = {}, given: Partial<PreparedWrite> = {}) {
  return committed(scope, creation(fields, 'fail', given.nowMs), given)
}

export function archive(scope: Scope, id: string) {
  return commit(scope, { kind: 'archive', target: { id }, ifVersion: null })
}

export function restore(scope: Scope, id: string) {
  return commit(scope, { kind: 'restore', target: { id }, ifVersion: null })
}

export async function failureOf(result: Promise<CommitResult>): Promise<Failure> {
  const settled = await result
  if (settled.ok) throw new Error(`expected a failure, got ${settled.effect}`)
  return settled.failure
}

export function customerOf(result: CommitResult): Customer {
  if (!result.ok) throw new Error(`expected success, got ${JSON.stringify(result.failure)}`)
  return result.customer
}

export function only<T>(items: readonly T[]): T {
  expect(items).toHaveLength(1)
  return items[0] as T
}

export interface Cost {
  sql: string
  rowsRead: number
  rowsWritten: number
  rowsReturned: number
}

/** Returns the same D1 with the cost of each statement. `raw()` hides the cost, so it is served from the whole result. */
export function metered(d1: D1Database): { d1: D1Database; costs: Cost[] } {
  const costs: Cost[] = []
  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>()
  const note = (sql: string, { meta, results }: D1Result) => {
    costs.push({ sql, rowsRead: meta.rows_read, rowsWritten: meta.rows_written, rowsReturned: results.length })
  }
  const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const run = async () => {
      const result = await statement.run<Record<string, unknown>>()
      note(sql, result)
      return result
    }
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values), sql),
      run,
      all: run,
      raw: async () => (await run()).results.map((row) => Object.values(row)),
      first: async () => (await run()).results[0] ?? null,
    } as unknown as D1PreparedStatement
    inner.set(wrapped, { statement, sql })
    return wrapped
  }
  const over = (client: D1Database | D1DatabaseSession) => ({
    prepare: (sql: string) => wrap(client.prepare(sql), sql),
    batch: async (statements: D1PreparedStatement[]) => {
      const known = statements.map(
        (statement) => inner.get(statement) as { statement: D1PreparedStatement; sql: string },
      )
      const results = await client.batch(known.map(({ statement }) => statement))
      for (const [at, result] of results.entries()) note(known[at]?.sql ?? '', result)
      return results
    },
  })
  const withSession = (start: string) => {
    const session = d1.withSession(start)
    return { ...over(session), getBookmark: () => session.getBookmark() }
  }
  return { d1: { ...over(d1), withSession } as unknown as D1Database, costs }
}

/** Returns the rows read and written by all statements since the last call. */
export function spent(costs: Cost[]): { rowsRead: number; rowsWritten: number } {
  const taken = costs.splice(0)
  return {
    rowsRead: taken.reduce((sum, cost) => sum + cost.rowsRead, 0),
    rowsWritten: taken.reduce((sum, cost) => sum + cost.rowsWritten, 0),
  }
}

/** Returns the id of the nth customer that `insertMany` made. */
export function nthId(n: number): string {
  return `cust_${String(n).padStart(26, '0')}`
}

/**
 * Inserts customers 1 … count fast: straight into the table, the triggers do the rest. With `isFamily` the first is the parent
 * of all others.
 */
export async function insertMany(scope: Scope, count: number, isFamily = false): Promise<void> {
  const chunk = 10_000
  for (let from = 1; from <= count; from += chunk) {
    await env.DB.prepare(
      `WITH RECURSIVE numbers(n) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
       INSERT INTO customers (tenant_id, mode, id, external_id, name, email, timezone, metadata, integrations, profile, status,
         version, created_at, updated_at, created_by, updated_by, change_id, parent_id)
       SELECT ?3, ?4, printf('cust_%026d', n), 'ext_' || n, 'Name ' || n, 'User' || n || '@example.com', 'UTC',
         json_object('plan', 'p' || (n % 7)), '[]', '{}', iif(n % 10 = 0, 'draft', 'published'),
         1, 0, 0, 'key_1', 'key_1', printf('evt_%026d', n), iif(n > 1, ?5, NULL) FROM numbers`,
    )
      .bind(from, Math.min(from + chunk - 1, count), scope.tenantId, scope.mode, isFamily ? nthId(1) : null)
      .run()
  }
}
