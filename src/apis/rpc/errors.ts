/**
 * Failures of the RPC API. A bound Worker gets a failure as plain data with a sentence for people. An error is thrown
 * from one Worker to another only for a fault that neither expects.
 */
import {
  type CallerFailure,
  describeBy,
  type Failure,
  type FailureTable,
  type InputFailure,
  type InputProblem,
  type CustomerFailure as RegistryFailure,
  type ServiceFailure,
} from '../../registry/errors.ts'
import type { RevertConflict } from '../../registry/revert.ts'
import { shown } from '../../shared/shown-text.ts'
import {
  excessText,
  HISTORY_EXPIRED,
  noRoomText,
  revertConflictText,
  TOO_LARGE_FIX,
  UNMERGE_EXPIRED,
  unmergeOrderText,
} from '../error-texts.ts'

/** Field named in a failure about the parent if the failure itself names none. */
const PARENT_FIELD = 'parentId'

/** Why a call failed. `message` is for people and may change; `reason` and the other fields are for code. */
export type CustomerFailure = { message: string } & (
  | { reason: 'invalid_input'; problems: InputProblem[] }
  | { reason: 'missing_scope'; scope: string }
  | { reason: 'tenant_suspended' }
  | { reason: 'rate_limited' | 'annual_limit_reached' | 'unavailable'; retryAfterMs: number }
  | { reason: 'not_found' }
  | { reason: 'archived' | 'not_archived'; customerId: string }
  | { reason: 'history_expired' }
  | { reason: 'revert_conflict'; conflicts: RevertConflict[] }
  | { reason: 'external_id_taken'; externalId: string; customerId: string | null }
  | { reason: 'integration_taken' }
  | { reason: 'version_conflict'; currentVersion: number }
  | { reason: 'parent_not_found' | 'parent_cycle'; field: string }
  | { reason: 'parent_too_deep'; field: string; levelsMax: number }
  | { reason: 'too_many_descendants'; field: string; descendantsMax: number }
  | { reason: 'has_children' }
  | { reason: 'metadata_too_many_keys'; keysMax: number }
  | { reason: 'customer_too_large'; bytesMax: number }
  | { reason: 'unknown_workflow' }
  /** The customer was merged into another one: name that one. */
  | { reason: 'merged'; customerId: string; mergedInto: string }
  | { reason: 'merge_too_large'; what: string; max: number }
  /** The merge was more than 30 days ago. */
  | { reason: 'unmerge_expired'; sourceId: string }
  /** The source was merged into `firstId` before: unmerge that one first. */
  | { reason: 'unmerge_order'; sourceId: string; firstId: string }
  /** The database is full, or what the tenant may store is used up. A repeat fails too until there is room. */
  | { reason: 'insufficient_storage'; of?: 'tenant' }
  | { reason: 'internal' }
)

/** Failures that a bound Worker can get: a call has no body, path, key or Idempotency-Key, and names one target. */
type MetFailure =
  | InputFailure
  | CallerFailure
  | Exclude<RegistryFailure, { reason: 'targets_disagree' }>
  | ServiceFailure

export function toErrorResponse(failure: Failure): CustomerFailure {
  return describeBy(DESCRIPTIONS, failure)
}

const DESCRIPTIONS: FailureTable<MetFailure, CustomerFailure> = {
  invalid_input: ({ problems }) => invalid(problems),
  invalid_option: ({ option, message, fix }) => invalid([{ field: option, message, fix }]),
  missing_scope: (failure) => ({
    ...failure,
    message: `The binding has no scope ${failure.scope}: add it to props.scopes`,
  }),
  tenant_suspended: (failure) => ({
    ...failure,
    message: 'The tenant is suspended: all its calls are refused until the operator makes it active again',
  }),
  rate_limited: (failure) => later(failure, 'Too many requests: wait for retryAfterMs'),
  annual_limit_reached: (failure) =>
    later(failure, 'The requests of this contract year are used up: wait for retryAfterMs, or have the limit raised'),
  not_found: ({ reason }) => ({
    reason,
    message: 'There is no such customer in the mode of this binding: check the id, and props.mode',
  }),
  archived: (failure) => ({ ...failure, message: 'The customer is archived: call restore, which takes changes' }),
  not_archived: (failure) => ({ ...failure, message: 'The customer is not archived' }),
  history_expired: (failure) => ({ ...failure, message: HISTORY_EXPIRED }),
  revert_conflict: (failure) => ({
    ...failure,
    message: failure.conflicts
      .map((one) => `${one.field} ${revertConflictText(one.reason, one.customerId)}`)
      .join('; '),
  }),
  external_id_taken: (failure) => ({
    ...failure,
    message: `externalId ${shown(failure.externalId)} belongs to another customer${failure.customerId === null ? '' : `, ${failure.customerId}`}: send another, or archive that one`,
  }),
  integration_taken: (failure) => ({
    ...failure,
    message: 'integrations names an entity that belongs to another customer: remove it there',
  }),
  version_conflict: ({ field, ...failure }) => ({
    ...failure,
    message: field
      ? 'The customer that into names has another version than intoVersion: read it again and repeat the merge'
      : 'The customer has changed since it was read: read it again and repeat the change',
  }),
  merged: (failure) => ({ ...failure, message: `The customer was merged into ${failure.mergedInto}: name that one` }),
  merge_too_large: (failure) => ({ ...failure, message: excessText(failure) }),
  unmerge_expired: (failure) => ({ ...failure, message: UNMERGE_EXPIRED }),
  unmerge_order: (failure) => ({ ...failure, message: unmergeOrderText(failure.firstId) }),
  parent_not_found: ({ reason, field = PARENT_FIELD }) => ({
    reason,
    field,
    message: `${field} names no customer in use: name another, or send null`,
  }),
  parent_cycle: ({ reason, field = PARENT_FIELD }) => ({
    reason,
    field,
    message: `${field} would put the customer below itself`,
  }),
  parent_too_deep: ({ reason, field = PARENT_FIELD, levelsMax }) => ({
    reason,
    field,
    levelsMax,
    message: `${field} would nest customers more than ${levelsMax} levels deep: name another, or send null`,
  }),
  too_many_descendants: ({ reason, field = PARENT_FIELD, descendantsMax }) => ({
    reason,
    field,
    descendantsMax,
    message: `${field} would move more than ${descendantsMax} customers below this one: move some of them first`,
  }),
  has_children: (failure) => ({
    ...failure,
    message: 'Other customers belong to this one: archive them or give them another parent',
  }),
  metadata_too_many_keys: (failure) => ({
    ...failure,
    message: `metadata would have more than ${failure.keysMax} keys`,
  }),
  customer_too_large: (failure) => ({
    ...failure,
    message: `The customer would be larger than ${failure.bytesMax} bytes in all: ${TOO_LARGE_FIX}`,
  }),
  unknown_workflow: (failure) => ({
    ...failure,
    message: 'onboardingWorkflow names no workflow of GET /v1/settings/customer_onboarding',
  }),
  unavailable: (failure) => later(failure, 'Try again in a moment'),
  insufficient_storage: (failure) => ({ ...failure, message: noRoomText(failure) }),
  internal: ({ reason }) => ({ reason, message: 'Something went wrong on our side' }),
}

/** Returns the failure with `retryAfterMs` rounded up to whole milliseconds. */
function later(
  failure: Extract<Failure, { reason: 'rate_limited' | 'annual_limit_reached' | 'unavailable' }>,
  message: string,
): CustomerFailure {
  return { ...failure, retryAfterMs: Math.ceil(failure.retryAfterMs), message }
}

function invalid(problems: InputProblem[]): CustomerFailure {
  return { reason: 'invalid_input', problems, message: problems.map(sentence).join('; ') }
}

function sentence({ field, message, fix }: InputProblem): string {
  return `${field} ${message}: ${fix}`
}
