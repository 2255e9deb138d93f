/**
 * This file and `wiring/` are the only places that choose the real stores, cache, queue, engine and gate, and that hand these,
 * time and ids to everything else. Who makes ids without being handed them is named in `shared/ids.ts`; the admin guard, an
 * object by itself, reads the clock.
 */
import type { TenantPrincipal } from './access/principal.ts'
import { type Bindings, readEnv } from './env.ts'
import type { EventLog } from './events/event.ts'
import type { EndpointDeps } from './events/ports.ts'
import { gateNameOf, type RequestFacts } from './gate/edge-deps.ts'
import { EdgeRegistry } from './gate/edge-registry.ts'
import type { GateDeps } from './gate/gate-deps.ts'
import type { HttpContext } from './http/door.ts'
import type { Probe } from './http/ready.ts'
import { ONBOARDING_ACTOR } from './onboarding/end.ts'
import type { OnboardingDeps } from './onboarding/operations.ts'
import type { Performer } from './onboarding/perform.ts'
import type { OnboardingParams } from './onboarding/ports.ts'
import type { Scope } from './registry/customer.ts'
import { type Clock, systemClock } from './shared/clock.ts'
import { newId, newTenantId } from './shared/ids.ts'
import { describeError, log } from './shared/log.ts'
import { sweepAdminIdempotencyRecords } from './storage/admin-idempotency-records.ts'
import { auditLog } from './storage/audit-reads.ts'
import { importStore } from './storage/customer-import.ts'
import { writeStore } from './storage/customer-writes.ts'
import { openDatabase, probeDatabase } from './storage/database.ts'
import { sweepErasures } from './storage/erasures.ts'
import { eventLog } from './storage/event-log.ts'
import { sweepIdempotencyRecords } from './storage/idempotency-records.ts'
import { probeKv } from './storage/kv-cache.ts'
import { sweepOldRecords } from './storage/retention.ts'
import { loadTenantForGate, tenantStore } from './storage/tenants.ts'
import type { AuditLog, Author, TenantDeps } from './tenants/ports.ts'
import { policyFor } from './tenants/tenant.ts'
import { Analytics } from './watching/analytics.ts'
import type { Answered } from './watching/request-counts.ts'
import { EdgeWorld, sleep } from './wiring/edge-world.ts'
import { onboardingDeps, performer, sweepOnboarding } from './wiring/onboarding.ts'
import { announce } from './wiring/outbox.ts'
import { endpointDeps, sweepWebhooks } from './wiring/webhooks.ts'

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
