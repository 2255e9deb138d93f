/** Runs a call of the RPC API: admission, counts, logs, and errors as data are the same for every method. */
import type { z } from 'zod'
import { argument, boundWrongly, type readProps } from '../apis/rpc/arguments.ts'
import type { CallOptions } from '../apis/rpc/call-schema.ts'
import { toErrorResponse } from '../apis/rpc/errors.ts'
import type { Failed } from '../apis/rpc/results.ts'
import { services } from '../composition/services.ts'
import { logRefusal } from '../http/refusal-log.ts'
import { requestIdOf } from '../http/request-id.ts'
import type { RequestRegistry, RunsAt } from '../http/services.ts'
import { type Failure, isStorageUsedUp, RegistryError } from '../registry/errors.ts'
import { describeError, log } from '../shared/log.ts'

/** Ids of tenants that exist. The set needs no bound: bindings name few tenants, and no tenant is ever removed. */
const tenantsSeen = new Set<string>()

interface Call<Options, Success> {
  route: string
  schema: () => z.ZodType<Options>
  /** The options as the caller sent them. */
  given: unknown
  work: (registry: RequestRegistry, options: Options, requestId: string) => Promise<Success>
}

/** Runs a method for the caller that the props name, and converts errors to data. Throws if the props name no tenant. */
export async function serveCall<Options extends CallOptions & { reason?: string | undefined }, Success extends object>(
  at: RunsAt,
  { caller: name, scopes, ...scope }: ReturnType<typeof readProps>,
  { route, schema, given, work }: Call<Options, Success>,
): Promise<({ ok: true } & Success) | Failed> {
  const options = schema().safeParse(given ?? {})
  const { consistencyToken = null, reason = null, requestId = null } = options.data ?? {}
  const startedAtMs = services.clock()
  const request = { requestId: requestIdOf(requestId), consistencyToken, reason, strongConsistency: false }
  const registry = services.registryForBound(at.env, at.executionCtx, { ...scope, name, scopes }, request)
  const count = (status: number) => {
    const { scope, facts, io } = registry
    services.count(at, { scope, label: { api: 'rpc', route }, status, source: facts.source, startedAtMs, io })
  }
  try {
    const done = await work(registry, argument('options', schema, given ?? {}), request.requestId)
    count(200)
    return { ok: true, ...done }
  } catch (error) {
    const failure = await failureOf(error, registry, request.requestId)
    const mayBeNoTenant = ['unavailable', 'tenant_suspended', 'rate_limited'].includes(failure.reason)
    if (mayBeNoTenant && (await isNoTenant(at, scope.tenantId))) {
      throw boundWrongly(['props.tenantId names no tenant: send a customer_id of /admin/customers'])
    }
    if (isOurs(failure)) services.countError(at, { api: 'rpc', status: 500, scope: registry.scope })
    count(isOurs(failure) ? 500 : 400)
    return { ok: false, failure: toErrorResponse(failure) }
  }
}

/** Returns true if D1 has no such tenant, whose gate admits no caller. Returns false if D1 does not respond. */
async function isNoTenant({ env }: RunsAt, tenantId: string): Promise<boolean> {
  if (tenantsSeen.has(tenantId)) return false
  const exists = await services.tenantExists(env, tenantId).catch(() => null)
  if (exists) tenantsSeen.add(tenantId)
  return exists === false
}

/**
 * Returns the failure for an error, and logs it. As in the HTTP APIs, bad input costs a permit, and only an admitted
 * caller gets the details of the problem.
 */
async function failureOf(error: unknown, registry: RequestRegistry, requestId: string): Promise<Failure> {
  const found: Failure = error instanceof RegistryError ? error.failure : { reason: 'internal' }
  const line = { requestId, api: 'rpc', ...registry.scope }
  // A RegistryError was logged where it was found, with the reason.
  if (!(error instanceof RegistryError)) log('error', { event: 'failed', error: describeError(error), ...line })
  const failure = (await registry.admission.refusal()) ?? found
  if (failure.reason !== 'not_found') {
    const level = isOurs(failure) ? 'error' : 'info'
    logRefusal(level, { event: 'refused', reason: failure.reason, ...line }, services.clock())
  }
  return failure
}

/** Returns true for a failure that no caller can fix. */
function isOurs(failure: Failure): boolean {
  const { reason } = failure
  if (isStorageUsedUp(failure)) return false
  return reason === 'internal' || reason === 'unavailable' || reason === 'insufficient_storage'
}
