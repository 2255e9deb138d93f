/**
 * Every way a request can fail: one union for each domain. Each API has one table with its own text for every reason
 * that it can meet. After a new reason is added, the tables do not compile until each API that can meet it has a text
 * for it.
 */
import type { MergeExcess } from './merge.ts'
import { type Precondition, type Unmet, unmetBy, type VersionedState } from './precondition.ts'
import type { RevertConflict } from './revert.ts'

/** One problem of the input, and how to fix it. */
export interface InputProblem {
  /** A JSON path (`metadata.plan`), a query parameter or a header. Empty for the body itself. */
  field: string
  message: string
  fix: string
}

/**
 * The input breaks a rule. `invalid_option` is about an option that any request may have, such as the reason of a
 * change. Each API has its own name for the option.
 */
export type InputFailure =
  /** `byState`: the values are valid, but what is stored rules them out. */
  | { reason: 'invalid_input'; problems: InputProblem[]; byState?: true }
  | { reason: 'invalid_option'; option: 'consistencyToken' | 'reason'; message: string; fix: string }

/** The HTTP request cannot be read, or has no valid key. */
export type RequestFailure =
  /** `found` says what was sent instead: nothing, bytes that are not UTF-8, or where the JSON ends. */
  | { reason: 'body_not_json'; found?: 'nothing' | 'not_utf8' | (string & {}) }
  | { reason: 'body_not_supported'; contentType: string; wanted?: string }
  | { reason: 'coding_not_supported'; coding: string }
  | { reason: 'body_not_decodable'; coding: string }
  | { reason: 'body_too_large'; bytesMax: number }
  | { reason: 'no_such_route' }
  | { reason: 'method_not_allowed'; allowed: string[] }
  /**
   * `sent` is the kind of credential that was sent, by its form. `login`: an account id with an API key, by HTTP Basic.
   * `link`, `session` and `access` are those of operators.
   */
  | {
      reason: 'unauthorized'
      sent?:
        | 'nothing'
        | 'other_scheme'
        | 'api_key'
        | 'cut_api_key'
        | 'token'
        | 'other_bearer'
        | 'other'
        | 'login'
        | 'link'
        | 'session'
        | 'access'
    }

/** The call belongs to what Roster is not for. `instead` says what to use. */
export type ScopeFailure = { reason: 'not_supported'; what: string; instead: string }

/** The caller sent the same Idempotency-Key with another request, or the first request with it is still in progress. */
export type IdempotencyFailure =
  | { reason: 'idempotency_mismatch' }
  | { reason: 'idempotency_in_progress'; retryAfterMs: number }

/** The caller is authenticated, but may not do this, or may not do it now. */
export type CallerFailure =
  | { reason: 'missing_scope'; scope: string }
  | { reason: 'tenant_suspended' }
  | { reason: 'rate_limited'; retryAfterMs: number }
  | { reason: 'annual_limit_reached'; retryAfterMs: number }

/** The resources that have a version. */
export type VersionedResource = 'customer' | 'tenant' | 'endpoint' | 'setting' | 'operator'

/**
 * A change was to be made under a condition that the resource does not meet. `currentVersion` is 0 if it does not
 * exist. Without `unmet` the resource has changed, and without `resource` it is a customer.
 */
interface VersionConflict<Resource extends VersionedResource> {
  reason: 'version_conflict'
  currentVersion: number
  unmet?: Unmet
  resource?: Resource
  /** The field in which the caller stated the version, if it is of another resource than that of the request. */
  field?: string
}

/**
 * The request breaks a rule of the registry. `field` is the field in which the caller named the parent, if an API has
 * several for it. `isKept`: the request restores a customer, and the parent is the one that it had.
 */
export type CustomerFailure =
  | { reason: 'not_found'; resource: 'customer' }
  | { reason: 'archived'; customerId: string }
  | { reason: 'not_archived'; customerId: string }
  /** The state of then is no longer kept. */
  | { reason: 'history_expired' }
  /** A customer cannot be what it was: for each of these fields, something is in the way. */
  | { reason: 'revert_conflict'; conflicts: RevertConflict[] }
  | { reason: 'external_id_taken'; externalId: string; customerId: string | null; field?: string }
  | { reason: 'integration_taken' }
  | VersionConflict<'customer'>
  | { reason: 'targets_disagree' }
  | { reason: 'parent_not_found'; field?: string; isKept?: boolean }
  | { reason: 'parent_cycle'; field?: string; isKept?: boolean }
  | { reason: 'parent_too_deep'; levelsMax: number; field?: string; isKept?: boolean }
  | { reason: 'too_many_descendants'; descendantsMax: number; field?: string; isKept?: boolean }
  | { reason: 'has_children' }
  | { reason: 'metadata_too_many_keys'; keysMax: number }
  | { reason: 'customer_too_large'; bytesMax: number }
  | { reason: 'unknown_workflow' }
  /** The customer was merged into another one, which changes and reads of it go to. */
  | { reason: 'merged'; customerId: string; mergedInto: string }
  | ({ reason: 'merge_too_large' } & MergeExcess)
  /** The merge is too long ago to be taken back. */
  | { reason: 'unmerge_expired'; sourceId: string }
  /** The source was merged into another customer, which was then merged into this one: that one comes first. */
  | { reason: 'unmerge_order'; sourceId: string; firstId: string }

export type TenantFailure =
  | { reason: 'not_found'; resource: 'tenant' | 'key' | 'move' }
  | { reason: 'tenant_not_suspended'; companyName: string }
  /** It is being moved to the database with that number. */
  | { reason: 'tenant_moving'; state: string; to: number }
  | VersionConflict<'tenant'>

/** The caller is an operator whose role may not do this. */
export type RoleFailure = { reason: 'missing_role'; role: string; needed: string }

export type OperatorFailure =
  | { reason: 'not_found'; resource: 'operator' | 'operator_key' | 'session' }
  | { reason: 'operator_email_taken' }
  /** Nobody would be left who may manage operators. */
  | { reason: 'last_owner' }
  | VersionConflict<'operator'>

/** The caller names a tenant to act as, which is for operators in the v1 API only. */
export type ActingFailure = { reason: 'operators_only' }

export type WebhookFailure =
  | { reason: 'not_found'; resource: 'endpoint' | 'event' }
  | { reason: 'too_many_endpoints'; endpointsMax: number }
  | { reason: 'endpoint_disabled' }
  /** At least so many deliveries of the endpoint wait for their turn. */
  | { reason: 'deliveries_waiting'; waitingMax: number }
  | VersionConflict<'endpoint'>

export type OnboardingFailure = { reason: 'not_found'; resource: 'setting' | 'onboarding' } | VersionConflict<'setting'>

/**
 * Roster cannot serve the request. `insufficient_storage` means that there is no room and nothing was changed. A repeat
 * fails too until somebody has made room.
 */
export type ServiceFailure =
  | { reason: 'unavailable'; retryAfterMs: number }
  /** `of`: the database of all, if absent, or what the tenant may store in the mode. */
  | { reason: 'insufficient_storage'; of?: 'tenant' }
  | { reason: 'internal' }

export type Failure =
  | InputFailure
  | RequestFailure
  | ScopeFailure
  | IdempotencyFailure
  | CallerFailure
  | CustomerFailure
  | TenantFailure
  | RoleFailure
  | OperatorFailure
  | ActingFailure
  | WebhookFailure
  | OnboardingFailure
  | ServiceFailure

export type FailureReason = Failure['reason']

/** One function for each reason that an API can meet, and none for others. */
export type FailureTable<Met extends Failure, Described> = {
  [Reason in Met['reason']]: (failure: Extract<Met, { reason: Reason }>) => Described
}

/**
 * Returns the failure if the table has its reason, else `internal`: an operation that fails with a reason that its API
 * cannot meet is a bug in Roster.
 */
export function metBy(table: object, failure: Failure): Failure {
  return failure.reason in table ? failure : { reason: 'internal' }
}

/** Describes a failure by the table of an API; see `metBy`. */
export function describeBy<Met extends Failure, Described>(
  table: FailureTable<Met, Described>,
  failure: Failure,
): Described {
  const met = metBy(table, failure)
  // The types of a table pair each reason with its failure, which the compiler cannot follow through a look-up.
  const describe = (table as object as Record<string, (failure: Failure) => Described>)[met.reason]
  if (!describe) throw new Error('a table of failures has no internal')
  return describe(met)
}

/**
 * Success with its fields, or a failure as data. Calls between Workers and Durable Objects return it, because thrown
 * errors lose their fields there.
 */
export type Outcome<Success> = ({ ok: true } & Success) | { ok: false; failure: Failure }

export function fail(failure: Failure): { ok: false; failure: Failure } {
  return { ok: false, failure }
}

/**
 * Returns true if the failure is the result of the request, so that it is stored under its idempotency key. After the
 * others the key is still free. The request was refused for what it says, before it was carried out: the caller may fix
 * it and send it with the same key. Or a repeat may succeed: a fault is fixed, or a limit has room again. A failure
 * about the key itself belongs to another request.
 */
export function isDefinite(failure: Failure): boolean {
  switch (failure.reason) {
    case 'invalid_input':
      return failure.byState === true
    case 'invalid_option':
    case 'unavailable':
    case 'insufficient_storage':
    case 'internal':
    case 'rate_limited':
    case 'annual_limit_reached':
    case 'idempotency_mismatch':
    case 'idempotency_in_progress':
    case 'unauthorized':
      return false
    default:
      return true
  }
}

/** Returns true if the tenant has used up what it may store: no fault of the service. */
export function isStorageUsedUp(failure: Failure): boolean {
  return failure.reason === 'insufficient_storage' && failure.of === 'tenant'
}

/**
 * Carries a failure within one isolate, from the code that found it to the API that converts it to a response. It is an
 * ordinary outcome, and has no stack: to take one would cost more than most of a refusal. So it is an `Error` by its prototype
 * alone, because the constructor of `Error` takes the stack.
 */
export class RegistryError {
  readonly name = 'RegistryError'
  readonly message: string
  readonly failure: Failure
  constructor(failure: Failure) {
    this.message = failure.reason
    this.failure = failure
  }
}
Object.setPrototypeOf(RegistryError.prototype, Error.prototype)

/** Milliseconds after which a caller may repeat a request that failed for a temporary cause. */
export const RETRY_AFTER_MS = 1_000

/** The failure of a request that may succeed when it is repeated. */
export const UNAVAILABLE = { reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS } as const satisfies Failure

/** Returns the error of a request that may succeed when it is repeated. */
export function unavailable(): RegistryError {
  return new RegistryError(UNAVAILABLE)
}

/** Returns the error for a resource that does not exist or that the caller may not see. */
export function notFound(resource: Extract<Failure, { reason: 'not_found' }>['resource']): RegistryError {
  return new RegistryError({ reason: 'not_found', resource })
}

/** Returns the error for an input with these problems. */
export function invalidInput(problems: InputProblem[]): RegistryError {
  return new RegistryError({ reason: 'invalid_input', problems })
}

/** Returns the error for an input with a problem in one field. */
export function invalidField(field: string, message: string, fix: string): RegistryError {
  return invalidInput([{ field, message, fix }])
}

/** Returns the error for a valid value that what is stored rules out. It is the result of the request, see `isDefinite`. */
export function ruledOut(field: string, message: string, fix: string): RegistryError {
  return new RegistryError({ reason: 'invalid_input', problems: [{ field, message, fix }], byState: true })
}

/** Returns the failure of a change that was to be made under a condition which the resource does not meet. */
export function versionConflict(unmet: Unmet, now: VersionedState | null, resource?: VersionedResource): Failure {
  const currentVersion = now?.version ?? 0
  return {
    reason: 'version_conflict',
    currentVersion,
    ...(unmet !== 'changed' && { unmet }),
    ...(resource && { resource }),
  }
}

/**
 * Throws `RegistryError` with `version_conflict` if the resource, which is null if it does not exist, does not meet the
 * precondition.
 */
export function requireMet(
  precondition: Precondition | null,
  now: VersionedState | null,
  resource: VersionedResource,
): void {
  const unmet = unmetBy(precondition, now)
  if (unmet) throw new RegistryError(versionConflict(unmet, now, resource))
}
