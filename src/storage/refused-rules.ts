/**
 * The rules that the database itself keeps, and what a change that one of them refused is told, in the words of the registry.
 */
import { LIMITS } from '../registry/customer.ts'
import type { Failure } from '../registry/failures.ts'

/** Null for a rule that says nothing by itself: whoever ran the statement has to look. */
export function failureOfRule(rule: string): Failure | null {
  switch (rule) {
    case 'parent_not_found':
    case 'parent_cycle':
    case 'has_children':
    case 'unknown_workflow':
      return { reason: rule }
    case 'customers_not_own_parent':
      return { reason: 'parent_cycle' }
    case 'parent_too_deep':
      return { reason: rule, levelsMax: LIMITS.parentLevelsMax }
    case 'metadata_too_many_keys':
      return { reason: rule, keysMax: LIMITS.metadataKeysMax }
    case uniqueOver('integration_mappings', 'provider', 'entity_id'):
      return { reason: 'integration_taken' }
    default:
      return null
  }
}

/** How SQLite names a unique key: all of them here begin with the scope. */
export function uniqueOver(table: string, ...columns: string[]): string {
  return ['tenant_id', 'mode', ...columns].map((column) => `${table}.${column}`).join(', ')
}
