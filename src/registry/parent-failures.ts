/** The failures of a change about the parent of the customer, to which an API adds how its caller named the parent. */
import { type Failure, RegistryError } from './errors.ts'

type ParentFailure = Extract<Failure, { isKept?: boolean }>

const REASONS: readonly string[] = [
  'parent_not_found',
  'parent_cycle',
  'parent_too_deep',
  'too_many_descendants',
] satisfies ParentFailure['reason'][]

/**
 * Waits for the write. Adds to a failure about the parent what `named` returns: the field of the parent, and whether the customer
 * keeps a parent that the caller has not named.
 */
export async function namingParent<Result>(
  write: Promise<Result>,
  named: () => Pick<ParentFailure, 'field' | 'isKept'>,
): Promise<Result> {
  try {
    return await write
  } catch (error) {
    if (!(error instanceof RegistryError) || !REASONS.includes(error.failure.reason)) throw error
    throw new RegistryError({ ...(error.failure as ParentFailure), ...named() })
  }
}
