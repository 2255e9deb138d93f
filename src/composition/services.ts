/**
 * Chooses the real stores, cache, queue, engine and gate, and passes these, the clock and the source of ids to
 * everything else. Only `composition/` does this. Exceptions: `shared/ids.ts` names the modules that make ids
 * themselves, and the admin guard, a Durable Object of its own, reads the clock.
 */

import { readEnv } from '../env.ts'
import { countErrorAt, leaseHolderFor } from '../gate/isolate/admission.ts'
import { gateNameOf } from '../gate/isolate/deps.ts'
import { OperatorRegistry } from '../gate/isolate/operator-registry.ts'
import { IsolateRegistry } from '../gate/isolate/registry.ts'
import { ChangeLines } from '../gate/object/change-lines.ts'
import type { GateDeps } from '../gate/object/deps.ts'
import { requestOptionsOf } from '../http/request-options.ts'
import type { Services } from '../http/services.ts'
import { Analytics } from '../observability/analytics.ts'
import { ErrorCounts } from '../observability/error-counts.ts'
import { ONBOARDING_ACTOR } from '../onboarding/end.ts'
import type { Performer } from '../onboarding/perform.ts'
import type { OnboardingParams } from '../onboarding/ports.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { newId, newTenantId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { sleep } from '../shared/sleep.ts'
import { importStore } from '../storage/customers/import.ts'
import { undoStore } from '../storage/customers/undo.ts'
import { writeStore } from '../storage/customers/writes.ts'
import { openDatabase, probeDatabase } from '../storage/database.ts'
import { addErrorCounts } from '../storage/error-counts.ts'
import { eventLog } from '../storage/events/event-log.ts'
import { readHealth } from '../storage/health.ts'
import { probeKv } from '../storage/kv-cache.ts'
import { operatorIdentities } from '../storage/operators/identities.ts'
import { operatorStore } from '../storage/operators/operators.ts'
import { auditLog } from '../storage/tenants/audit-reads.ts'
import { boundAt, copyTenant, roomiestDatabase } from '../storage/tenants/placement.ts'
import { isTenantThere, loadTenantForGate } from '../storage/tenants/policy.ts'
import { operatorSearch } from '../storage/tenants/search.ts'
import { tenantStore } from '../storage/tenants/tenants.ts'
import { storageFailure } from '../storage/unavailable.ts'
import { policyFor } from '../tenants/tenant.ts'
import { fetchAccessKeys } from './access-keys.ts'
import { storeOf } from './databases.ts'
import { moveOperationDeps } from './moves.ts'
import { onboardingDeps, performer } from './onboarding.ts'
import { enqueueDeliveries } from './outbox.ts'
import { RequestServices } from './request-services.ts'
import { deleteRestOfTenants, sweepAll } from './sweeps.ts'
import { heavyReadsOf } from './turns.ts'
import { endpointDeps, resumeDeliveries } from './webhooks.ts'

/** The services that the queue, the schedule and the workflow need in addition to those of requests. */
interface BackgroundServices {
  /** Returns the performer of the steps of an onboarding run. The actor of its changes is onboarding. */
  performer(env: Cloudflare.Env, execution: Pick<ExecutionContext, 'waitUntil'>, params: OnboardingParams): Performer
  /** Runs all sweeps. A sweep that fails is logged and does not stop the others. */
  sweep(env: Cloudflare.Env): Promise<void>
}

const analytics = new Analytics(sleep)
const errorCounts = new ErrorCounts()

export const services: Services & BackgroundServices = {
  clock: systemClock,
  sleep,
  bindings: readEnv,
  registryFor(c, principal) {
    const options = requestOptionsOf(c)
    const requestServices = new RequestServices(readEnv(c.env), c.executionCtx, principal, options.requestId)
    return new IsolateRegistry(principal, requestServices, options)
  },
  registryForOperator(c, scope, { actor, role, sessionId }, recheck) {
    const options = requestOptionsOf(c)
    const requestServices = new RequestServices(readEnv(c.env), c.executionCtx, scope, options.requestId)
    return new OperatorRegistry(scope, { actor, role, sessionId }, requestServices, options, recheck)
  },
  registryForBound(env, execution, { tenantId, mode, name, scopes }, options) {
    const requestServices = new RequestServices(readEnv(env), execution, { tenantId, mode }, options.requestId)
    return new IsolateRegistry({ tenantId, mode, credential: null, bound: { name, scopes } }, requestServices, options)
  },
  tenantExists: (env, tenantId) => isTenantThere(readEnv(env).directory, tenantId),
  async probe(env, what) {
    const { databases, cache, gateAt } = readEnv(env)
    if (what === 'd1') return Promise.all(databases.map(probeDatabase))
    if (what === 'kv') return probeKv(cache)
    // This gate belongs to no tenant, so the probe and the requests of tenants do not wait for each other.
    return gateAt(gateNameOf({ tenantId: '00000000-0000-0000-0000-000000000000', mode: 'test' })).ping()
  },
  audit: (env) => auditLog(readEnv(env).databases, readEnv(env).archive),
  search: (env) => operatorSearch(readEnv(env).databases),
  events(at, scope) {
    const bindings = readEnv(at.env)
    const log = storeOf(bindings, scope, { list: true }, (d1) => eventLog(d1, scope, bindings.archive))
    const later = heavyReadsOf(at, scope)
    return { list: (query) => (query.types === undefined ? log.list(query) : later(() => log.list(query))) }
  },
  webhooks: endpointDeps,
  onboarding: onboardingDeps,
  performer(env, execution, params) {
    const caller = { ...params, name: ONBOARDING_ACTOR, scopes: ['customers:write'] }
    return performer(env, params, (requestId) =>
      services.registryForBound(env, execution, caller, {
        requestId,
        consistencyToken: null,
        reason: null,
        strongConsistency: false,
      }),
    )
  },
  count(at, answered) {
    const dataset = readEnv(at.env).analytics
    if (dataset) analytics.count(answered, systemClock(), dataset, at)
  },
  countError(at, { scope, ...error }) {
    if (scope) countErrorAt(leaseHolderFor(gateNameOf(scope)))
    errorCounts.count(error, systemClock(), (counts) => addErrorCounts(readEnv(at.env).directory, counts), at)
  },
  storeDueErrors(at) {
    if (!errorCounts.hasUnstored) return
    errorCounts.storeIfDue(systemClock(), (counts) => addErrorCounts(readEnv(at.env).directory, counts), at)
  },
  health: (env) => readHealth(readEnv(env).databases, systemClock()),
  tenants(env, author) {
    const bindings = readEnv(env)
    return {
      store: tenantStore(bindings.databases, author),
      gates: {
        reload: (tenantId, mode) => bindings.gateAt(gateNameOf({ tenantId, mode })).reload(systemClock()),
        usage: (tenantId, mode) => bindings.gateAt(gateNameOf({ tenantId, mode })).usage(),
      },
      resumeDeliveries: (tenantId) => resumeDeliveries(env, tenantId),
      clock: systemClock,
      newId,
      newTenantId,
      chooseDatabase: () => roomiestDatabase(bindings.databases),
      copyToDatabase: (tenantId) => copyTenant(bindings.databases, tenantId),
      sleep,
      signingSecrets: bindings.signingSecrets,
    }
  },
  moves: moveOperationDeps,
  operators(env, author) {
    const { databases, signingSecrets } = readEnv(env)
    return { store: operatorStore(databases, author), clock: systemClock, newId, signingSecrets }
  },
  operatorIdentities: (env) => operatorIdentities(readEnv(env).directory),
  fetchAccessKeys,
  async sweepDeletedTenants(env) {
    try {
      await deleteRestOfTenants(env)
    } catch (error) {
      log('error', { event: 'sweep_failed', error: describeError(error) })
    }
  },
  sweep: sweepAll,
}

/** `databaseNumber` returns the number of the tenant's database by the policy in force. */
export function gateDeps(env: Cloudflare.Env, databaseNumber: () => number, awaitMove: () => Promise<void>): GateDeps {
  const { directory, databases, archive } = readEnv(env)
  const stores: GateStores[] = []
  let lines: ChangeLines | null = null
  const storesNow = () => {
    const number = databaseNumber()
    stores[number] ??= gateStores(boundAt(databases, number), archive)
    return stores[number]
  }
  return {
    clock: systemClock,
    random: Math.random,
    newId,
    sleep,
    awaitMove,
    get writes() {
      return storesNow().writes
    },
    get imports() {
      return storesNow().imports
    },
    get undos() {
      return storesNow().undos
    },
    async loadPolicy({ tenantId, mode }) {
      const primary = openDatabase(directory.withSession('first-primary'))
      const { tenant, keys, ...known } = await loadTenantForGate(primary, tenantId, mode)
      return { ...known, tenant: tenant && { policy: policyFor(tenant, mode), keys } }
    },
    enqueueDeliveries: (scope, customerIds) =>
      enqueueDeliveries(env, scope, customerIds, { d1: boundAt(databases, databaseNumber()) }),
    onChanges(scope, changes) {
      lines ??= changeLines(scope)
      lines.add(changes)
    },
    onStorageFailure: (error, scope) => storageFailure(error, { ...scope }),
  }
}

function changeLines({ tenantId, mode }: Scope): ChangeLines {
  return new ChangeLines((changes) => log('info', { event: 'changed', tenantId, mode, changes }), sleep)
}

type GateStores = Pick<GateDeps, 'writes' | 'imports' | 'undos'>

function gateStores(d1: D1Database, archive: R2Bucket): GateStores {
  return { writes: writeStore(d1, archive), imports: importStore(d1), undos: undoStore(d1) }
}
