/**
 * Maps the rules that the database itself enforces to the failures of the registry.
 */
import { LIMITS } from '../../registry/customer.ts'
import type { CustomerFailure, RequestFailure, ServiceFailure } from '../../registry/errors.ts'
import { uniqueOver } from '../scoped.ts'
import { NOT_IN_FORCE } from '../unavailable.ts'

/** The operator who sent the change may not make it any more. */
export type NotInForce = Extract<RequestFailure, { reason: 'unauthorized' }>

/** Returns null for a rule that determines no failure by itself: the code that ran the statement has to look up why. */
export function failureOfRule(rule: string): CustomerFailure | ServiceFailure | NotInForce | null {
  switch (rule) {
    case 'parent_not_found':
    case 'parent_cycle':
    case 'has_children':
    case 'unknown_workflow':
      return { reason: rule }
    case NOT_IN_FORCE:
      return { reason: 'unauthorized' }
    case 'customers_not_own_parent':
      return { reason: 'parent_cycle' }
    case 'parent_too_deep':
      return { reason: rule, levelsMax: LIMITS.parentLevelsMax }
    case 'too_many_descendants':
      return { reason: rule, descendantsMax: LIMITS.descendantsMax }
    case 'metadata_too_many_keys':
      return { reason: rule, keysMax: LIMITS.metadataKeysMax }
    case 'storage_used_up':
      return { reason: 'insufficient_storage', of: 'tenant' }
    case 'customer_too_large':
      return { reason: rule, bytesMax: LIMITS.customerBytesMax }
    case uniqueOver('integration_mappings', 'provider', 'entity_id'):
      return { reason: 'integration_taken' }
    default:
      return null
  }
}
