/**
 * The services that the HTTP code and the APIs need from the rest of Roster. `composition/services.ts` supplies them.
 */
import type { Bindings } from '../env.ts'
import type { EventLog } from '../events/event.ts'
import type { EndpointDeps } from '../events/ports.ts'
import type { RequestOptions } from '../gate/isolate/deps.ts'
import type { LimitState } from '../gate/protocol/writes.ts'
import type { RosterError } from '../observability/error-counts.ts'
import type { Health } from '../observability/health.ts'
import type { IoTimes } from '../observability/io-times.ts'
import type { CountedResponse } from '../observability/request-counts.ts'
import type { OnboardingDeps } from '../onboarding/operations.ts'
import type { FetchAccessKeys } from '../operators/access.ts'
import type { OperatorPrincipal } from '../operators/operator.ts'
import type { OperatorDeps, OperatorIdentities } from '../operators/ports.ts'
import type { Scope } from '../registry/customer.ts'
import type { Failure } from '../registry/errors.ts'
import type { Work } from '../registry/permits.ts'
import type { ReadSource, Registry } from '../registry/ports.ts'
import type { Clock } from '../shared/clock.ts'
import type { MoveOperationDeps } from '../tenants/moves/operations.ts'
import type { AuditLog, Author, OperatorSearch, TenantDeps } from '../tenants/ports.ts'
import type { TenantPrincipal } from '../tenants/principal.ts'
import type { KeyScope } from '../tenants/tenant.ts'
import type { HttpContext } from './api.ts'

/** A dependency that `GET /readyz` probes. */
export type Probe = 'd1' | 'kv' | 'gate'

/** The admission of the caller, decided once a request. */
export interface RequestAdmission {
  /**
   * Begins the admission of a caller that needs all of these scopes. Call it before any work that takes CPU time: a lease is checked against a clock that stands
   * still until the next I/O.
   */
  begin(scopes: readonly KeyScope[]): void
  /** Begins the admission of a read. Throws `RegistryError` if this isolate knows that the caller is refused. */
  beginRead(scopes: readonly KeyScope[]): void
  /**
   * Begins a write, which the gate admits. Throws `RegistryError` if this isolate knows that the caller is refused, so that
   * nothing of the request is read.
   */
  beginWrite(scopes: readonly KeyScope[]): void
  /**
   * Returns the failure if the caller is refused, at once if that is decided. Returns null if it is admitted, and for a write,
   * which the gate itself admits.
   */
  refusal(): Failure | null | Promise<Failure | null>
  /**
   * Admits the caller. Returns the id of its key, the name of a bound Worker, or the actor of an operator. Throws
   * `RegistryError` if the caller is refused.
   */
  admit(): Promise<string>
  /** Admits the caller. Throws `RegistryError` if it is refused or lacks the scope. */
  require(scope: KeyScope): Promise<void>
  /** Takes another permit for a long request, and waits for it if necessary. Throws `RegistryError` as `require` does. */
  readmit(scope: KeyScope): Promise<void>
  /** Returns whether the caller has the scope. For a route that shows less to a caller without it. */
  has(scope: KeyScope): Promise<boolean>
  /** Takes the permits that more work of the request costs, see `registry/permits.ts`. Never refuses the request. */
  charge(work: Partial<Work>): void
}

/** The facts of a request that its response states in headers. */
export interface ResponseFacts {
  /** The place that the last read of customers was served from. Null before the first read. */
  readonly source: ReadSource | null
  /** The token of the write that the request made. Null if it made none. */
  readonly consistencyToken: string | null
  /** True if the result is that of an earlier request with the same idempotency key. */
  readonly replayed: boolean
  /**
   * Returns the state of the rate limit as of now. Returns null as long as the isolate has not got it from the gate.
   */
  limits(): LimitState | null
}

/** The registry of the caller's tenant and mode, with the state of one request. */
export interface RequestRegistry extends Registry {
  readonly scope: Scope
  readonly admission: RequestAdmission
  readonly facts: ResponseFacts
  /** The waiting times of the request for I/O so far. */
  readonly io: IoTimes
}

export interface Services {
  clock: Clock
  sleep(ms: number): Promise<unknown>
  bindings(env: Cloudflare.Env): Bindings
  /** Returns the registry of the caller's tenant and mode, for one request. */
  registryFor(c: HttpContext, principal: TenantPrincipal): RequestRegistry
  /** Does the same for a bound Worker, which has no key. The props of its binding name it. */
  registryForBound(
    env: Cloudflare.Env,
    execution: Pick<ExecutionContext, 'waitUntil'>,
    caller: Scope & { name: string; scopes: readonly string[] },
    options: RequestOptions,
  ): RequestRegistry
  /**
   * Returns the registry of a tenant for an operator who has named it. `recheck` rejects if the operator may not go on
   * with a long request.
   */
  registryForOperator(
    c: HttpContext,
    scope: Scope,
    operator: OperatorPrincipal,
    recheck: () => Promise<void>,
  ): RequestRegistry
  /**
   * Reads the D1 primary. A bound Worker and an operator have no key of the tenant, so they may name one that does not
   * exist. Throws `RegistryError` with `unavailable`.
   */
  tenantExists(env: Cloudflare.Env, tenantId: string): Promise<boolean>
  /** Returns what changes of tenants need. The audit log names the author of each change. */
  tenants(env: Cloudflare.Env, author: Author): TenantDeps
  /** Returns what moves of tenants between databases need. The audit log names the author. */
  moves(env: Cloudflare.Env, author: Author): MoveOperationDeps
  /** Returns what changes of operators need. The audit log names the author of each change. */
  operators(env: Cloudflare.Env, author: Author): OperatorDeps
  /** Looks up whom a credential belongs to. */
  operatorIdentities(env: Cloudflare.Env): OperatorIdentities
  fetchAccessKeys: FetchAccessKeys
  /** Goes on with deleting what is left of deleted tenants. Logs a failure and does not throw. */
  sweepDeletedTenants(env: Cloudflare.Env): Promise<void>
  audit(env: Cloudflare.Env): AuditLog
  search(env: Cloudflare.Env): OperatorSearch
  /** The events of a tenant and mode. */
  events(at: RunsAt, scope: Scope): EventLog
  /** The webhook endpoints of a tenant and mode. With `author`, an operator, the changes are in the audit. */
  webhooks(at: RunsAt, scope: Scope, author?: Author): EndpointDeps
  onboarding(env: Cloudflare.Env, scope: Scope, author?: Author | null): OnboardingDeps
  /** Counts a request and its response if a dataset is bound. `at` is the environment that the request runs in. */
  count(at: RunsAt, counted: CountedResponse): void
  /** Counts a response with a 5xx that Roster alone is to blame for: in the usage of the tenant and mode, and for operators. */
  countError(at: RunsAt, error: RosterError & { scope: Scope | null }): void
  /** Stores the counts of errors that D1 does not have yet, if there are any and it is time. */
  storeDueErrors(at: RunsAt): void
  /** Reads the state of the deployment, for operators. */
  health(env: Cloudflare.Env): Promise<Health>
  /** Throws if the dependency does not respond. */
  probe(env: Cloudflare.Env, what: Probe): Promise<unknown>
}

/** The environment that a request runs in. A Hono context is one. */
export interface RunsAt {
  env: Cloudflare.Env
  readonly executionCtx: Pick<ExecutionContext, 'waitUntil'>
}
