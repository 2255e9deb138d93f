/**
 * A precondition in SQL, for the WHERE clause of the statement that makes the change. The twin of `unmetBy` for a row
 * that exists.
 */
import { and, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { Precondition } from '../registry/precondition.ts'

/** The values of a precondition in SQL. The versions are a JSON array. */
interface PreconditionTerms {
  versions: SQL
  notVersions: SQL
  unmodifiedSinceMs: SQL
}

/** Returns undefined if every row meets the precondition. */
export function meets(
  row: { version: SQLWrapper; updatedAtMs: SQLWrapper },
  precondition: Precondition | null,
  terms: PreconditionTerms = termsOf(precondition),
): SQL | undefined {
  if (!precondition) return undefined
  const { exists, versions, notVersions, unmodifiedSinceMs } = precondition
  return and(
    exists === false ? sql`0` : undefined,
    versions && sql`${row.version} IN (SELECT value FROM json_each(${terms.versions}))`,
    notVersions && sql`${row.version} NOT IN (SELECT value FROM json_each(${terms.notVersions}))`,
    unmodifiedSinceMs === undefined ? undefined : sql`${row.updatedAtMs} <= ${terms.unmodifiedSinceMs}`,
  )
}

function termsOf(precondition: Precondition | null): PreconditionTerms {
  const { versions, notVersions, unmodifiedSinceMs } = preconditionValues(precondition)
  return {
    versions: sql`${versions}`,
    notVersions: sql`${notVersions}`,
    unmodifiedSinceMs: sql`${unmodifiedSinceMs}`,
  }
}

/** Returns the values of the terms, to be bound. */
export function preconditionValues(precondition: Precondition | null) {
  return {
    versions: JSON.stringify(precondition?.versions ?? []),
    notVersions: JSON.stringify(precondition?.notVersions ?? []),
    unmodifiedSinceMs: precondition?.unmodifiedSinceMs ?? 0,
  }
}
