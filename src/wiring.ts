/**
 * The only place that chooses the real clock, ids, store, cache and gate, and hands them to everything else.
 */
import type { TenantPrincipal } from './access/principal.ts'
import { type Bindings, readEnv } from './env.ts'
import type { EventLog } from './events/event.ts'
import type { EndpointDeps } from './events/ports.ts'
import { readToken, writeToken } from './gate/consistency-token.ts'
import { type EdgeDeps, gateNameOf, type RequestFacts } from './gate/edge-deps.ts'
import { EdgeRegistry } from './gate/edge-registry.ts'
import type { ReadFrom } from './gate/fresh-read.ts'
import type { GateDeps } from './gate/gate-deps.ts'
import type { ImportReply, ImportRequest } from './gate/import-protocol.ts'
import { type LeaseReply, type LeaseRequest, understood, versioned } from './gate/protocol.ts'
import type { WriteReply, WriteRequest } from './gate/write-protocol.ts'
import type { HttpContext } from './http/door.ts'
import type { Probe } from './http/ready.ts'
import { ONBOARDING_ACTOR } from './onboarding/end.ts'
import type { OnboardingDeps } from './onboarding/operations.ts'
import type { Performer } from './onboarding/perform.ts'
import type { OnboardingParams } from './onboarding/ports.ts'
import type { Scope } from './registry/customer.ts'
import type { ListQuery } from './registry/query.ts'
import { type Clock, systemClock } from './shared/clock.ts'
import { newId, newTenantId } from './shared/ids.ts'
import { describeError, log } from './shared/log.ts'
import { sweepAdminIdempotencyRecords } from './storage/admin-idempotency-records.ts'
import { auditLog } from './storage/audit-reads.ts'
import { importStore } from './storage/customer-import.ts'
import {
  listCustomers,
  readAliases,
  readAliasesOfEach,
  readByExternalId,
  readCustomer,
} from './storage/customer-reads.ts'
import { writeStore } from './storage/customer-writes.ts'
import { type Database, openDatabase, probeDatabase } from './storage/database.ts'
import { sweepErasures } from './storage/erasures.ts'
import { eventLog } from './storage/event-log.ts'
import { sweepIdempotencyRecords } from './storage/idempotency-records.ts'
import { kvCache, probeKv } from './storage/kv-cache.ts'
import { sweepOldRecords } from './storage/retention.ts'
import { loadTenantForGate, tenantStore } from './storage/tenants.ts'
import type { AuditLog, Author, TenantDeps } from './tenants/ports.ts'
import { policyFor } from './tenants/tenant.ts'
import { Analytics } from './watching/analytics.ts'
import { type Asked, IoTimes } from './watching/io-times.ts'
import type { Answered } from './watching/request-counts.ts'
import { onboardingDeps, performer, sweepOnboarding } from './wiring-onboarding.ts'
import { announce } from './wiring-outbox.ts'
import { endpointDeps, sweepWebhooks } from './wiring-webhooks.ts'

export interface Wiring {
  clock: Clock
  sleep(ms: number): Promise<unknown>
  bindings(env: Cloudflare.Env): Bindings
  /** What this caller may see and change, for this one request. */
  registryFor(c: HttpContext, principal: TenantPrincipal): EdgeRegistry
  /** The same for a bound Worker, which has no key: the props of its binding name it. */
  registryForBound(
    env: Cloudflare.Env,
    execution: Pick<ExecutionContext, 'waitUntil'>,
    caller: Scope & { name: string; scopes: readonly string[] },
    facts: RequestFacts,
  ): EdgeRegistry
  /** Asks the primary: a caller without a key may have been given a tenant that is none. */
  tenantExists(env: Cloudflare.Env, scope: Scope): Promise<boolean>
  /** For changes the author of which the audit will name. */
  tenants(env: Cloudflare.Env, author: Author): TenantDeps
  audit(env: Cloudflare.Env): AuditLog
  /** The events of a tenant and mode. */
  events(env: Cloudflare.Env, scope: Scope): EventLog
  /** The webhook endpoints of a tenant and mode. */
  webhooks(env: Cloudflare.Env, scope: Scope): EndpointDeps
  onboarding(env: Cloudflare.Env, scope: Scope): OnboardingDeps
  /** What the steps of an onboarding do, whose changes bear the name of onboarding. */
  performer(env: Cloudflare.Env, execution: Pick<ExecutionContext, 'waitUntil'>, params: OnboardingParams): Performer
  /** Counts an answered request, where a dataset is bound. `at` is where it runs. */
  count(at: RunsAt, answered: Answered): void
  /** Throws when what is asked for does not answer. */
  probe(env: Cloudflare.Env, what: Probe): Promise<unknown>
  /** Takes away what is to be forgotten by now. One sweep that fails is logged and leaves the others alone. */
  sweep(env: Cloudflare.Env): Promise<void>
}

/** A request's Hono context is one. */
interface RunsAt {
  env: Cloudflare.Env
  readonly executionCtx: Pick<ExecutionContext, 'waitUntil'>
}

const analytics = new Analytics(sleep)

export const wiring: Wiring = {
  clock: systemClock,
  sleep,
  bindings: readEnv,
  registryFor(c, principal) {
    const requestId = c.get('requestId')
    const world = new EdgeWorld(readEnv(c.env), c.executionCtx, principal, requestId)
    return new EdgeRegistry({ ...principal, bound: null }, world, { requestId, headers: c.req.raw.headers })
  },
  registryForBound(env, execution, { tenantId, mode, name, scopes }, facts) {
    const world = new EdgeWorld(readEnv(env), execution, { tenantId, mode }, facts.requestId)
    return new EdgeRegistry({ tenantId, mode, credential: null, bound: { name, scopes } }, world, facts)
  },
  tenantExists: async (env, scope) => (await gateDeps(env).loadPolicy(scope)) !== null,
  async probe(env, what) {
    const { db, cache, gateAt } = readEnv(env)
    if (what === 'd1') return probeDatabase(db)
    if (what === 'kv') return probeKv(cache)
    // A gate of no tenant: no customer's requests wait for it, nor it for theirs.
    return gateAt(gateNameOf({ tenantId: '00000000-0000-0000-0000-000000000000', mode: 'test' })).ping()
  },
  audit: (env) => auditLog(readEnv(env).db),
  events: (env, scope) => eventLog(readEnv(env).db, scope),
  webhooks: endpointDeps,
  onboarding: onboardingDeps,
  performer(env, execution, params) {
    const caller = { ...params, name: ONBOARDING_ACTOR, scopes: ['customers:write'] }
    return performer(env, params, (requestId) =>
      wiring.registryForBound(env, execution, caller, { requestId, headers: new Headers() }),
    )
  },
  count(at, answered) {
    const dataset = readEnv(at.env).analytics
    if (dataset) analytics.count(answered, systemClock(), dataset, at)
  },
  tenants(env, author) {
    const bindings = readEnv(env)
    return {
      store: tenantStore(bindings.db, author),
      gates: {
        reload: (tenantId, mode) => bindings.gateAt(gateNameOf({ tenantId, mode })).reload(),
        usage: (tenantId, mode) => bindings.gateAt(gateNameOf({ tenantId, mode })).usage(),
      },
      clock: systemClock,
      newId,
      newTenantId,
      sleep,
      signingSecrets: bindings.signingSecrets,
    }
  },
  async sweep(env) {
    const { db, cache } = readEnv(env)
    const nowMs = systemClock()
    const sweeps = await Promise.allSettled([
      sweepIdempotencyRecords(db, nowMs),
      sweepAdminIdempotencyRecords(db, nowMs),
      sweepErasures(db, cache, nowMs),
      sweepOldRecords(db, nowMs),
      sweepWebhooks(env, nowMs),
      sweepOnboarding(env, nowMs),
    ])
    for (const sweep of sweeps) {
      if (sweep.status === 'rejected') log('error', { event: 'sweep_failed', error: describeError(sweep.reason) })
    }
  },
}

export function gateDeps(env: Cloudflare.Env): GateDeps {
  const { db } = readEnv(env)
  return {
    clock: systemClock,
    random: Math.random,
    newId,
    sleep,
    writes: writeStore(db),
    imports: importStore(db),
    async loadPolicy({ tenantId, mode }) {
      const known = await loadTenantForGate(openDatabase(db.withSession('first-primary')), tenantId, mode)
      return known && { policy: policyFor(known.tenant, mode), keys: known.keys }
    },
    announce: (scope, customerIds) => announce(env, scope, customerIds),
    onStorageFailure: (error, scope) =>
      log('error', { event: 'storage_failed', error: describeError(error), ...scope }),
  }
}

/** The world of one request. A class, because a hot request makes one and uses three of its methods. */
class EdgeWorld implements EdgeDeps {
  readonly clock = systemClock
  readonly random = Math.random
  readonly sleep = sleep
  readonly io = new IoTimes()
  readonly #bindings: Bindings
  readonly #execution: Pick<ExecutionContext, 'waitUntil'>
  readonly #scope: Scope
  readonly #requestId: string

  constructor(bindings: Bindings, execution: Pick<ExecutionContext, 'waitUntil'>, scope: Scope, requestId: string) {
    this.#bindings = bindings
    this.#execution = execution
    this.#scope = scope
    this.#requestId = requestId
  }

  get kv() {
    const kv = kvCache(this.#bindings.cache, this.#scope)
    return {
      ...kv,
      customer: (id: string) => this.#timed('kv', () => kv.customer(id)),
      customerId: (externalId: string) => this.#timed('kv', () => kv.customerId(externalId)),
    }
  }

  waitUntil(work: Promise<unknown>): void {
    this.#execution.waitUntil(work)
  }

  lease(request: LeaseRequest): Promise<LeaseReply> {
    return this.#timed('gate', async () => this.#gate().lease(request))
  }

  write(request: WriteRequest): Promise<WriteReply> {
    return this.#timed('gate', async () => understood(await this.#gate().write(versioned(request))))
  }

  importChunk(request: ImportRequest): Promise<ImportReply> {
    return this.#timed('gate', async () => understood(await this.#gate().importChunk(versioned(request))))
  }

  readCustomer(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readCustomer(db, this.#scope, id))
  }

  readByExternalId(externalId: string, from: ReadFrom) {
    return this.#read(from, (db) => readByExternalId(db, this.#scope, externalId))
  }

  readAliases(id: string, from: ReadFrom) {
    return this.#read(from, (db) => readAliases(db, this.#scope, id))
  }

  readAliasesOfEach(ids: readonly string[], from: ReadFrom) {
    return this.#read(from, (db) => readAliasesOfEach(db, this.#scope, ids))
  }

  readList(query: ListQuery, options: { total: boolean }, from: ReadFrom) {
    return this.#read(from, (db) => listCustomers(db, this.#scope, query, options))
  }

  readToken(text: string) {
    return readToken(text, this.#scope, this.#bindings.signingSecrets)
  }

  writeToken(seq: number, bookmark: string) {
    return writeToken({ seq, bookmark }, this.#scope, this.#bindings.signingSecrets[0] as string)
  }

  onStorageFailure(error: unknown): void {
    log('error', {
      event: 'storage_failed',
      requestId: this.#requestId,
      error: describeError(error),
      tenantId: this.#scope.tenantId,
      mode: this.#scope.mode,
    })
  }

  onChange(written: { customerId: string; effect: string; actor: string }): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'changed', requestId: this.#requestId, ...written, tenantId, mode })
  }

  onImport(counts: Record<string, number>): void {
    const { tenantId, mode } = this.#scope
    log('info', { event: 'imported', requestId: this.#requestId, ...counts, tenantId, mode })
  }

  #gate() {
    return this.#bindings.gateAt(gateNameOf(this.#scope))
  }

  /** A read in a session of its own, and the bookmark of the state of the database it saw. */
  async #read<T>(from: ReadFrom, read: (db: Database) => Promise<T>) {
    const start = from === 'primary' ? 'first-primary' : from === 'anywhere' ? 'first-unconstrained' : from.bookmark
    const session = this.#bindings.db.withSession(start)
    const value = await this.#timed('d1', () => read(openDatabase(session)))
    return { value, bookmark: session.getBookmark() }
  }

  async #timed<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    const startMs = systemClock()
    try {
      return await work()
    } finally {
      this.io.addCall(asked, systemClock() - startMs)
    }
  }
}

function sleep(ms: number): Promise<void> {
  return scheduler.wait(ms)
}
