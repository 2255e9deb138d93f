/**
 * Sends an operation of the model through an API, in the shape of that API. Knows the requests that each API can express;
 * observed.ts reduces the answers, and the model decides which answer is right.
 */
import type { CustomerChanges } from '../../../src/registry/customer.ts'
import { BOUND_CALLER, bound } from '../apis/drivers.ts'
import { importLines } from '../import/support.ts'
import type { TestOperator } from '../support/operators.ts'
import { type Called, call, type TestTenant } from '../support/roster.ts'
import type { ModelCustomer, Moved, Operation, Outcome } from './model-types.ts'
import {
  type ApiName,
  idsOf,
  type KeptShown,
  keptText,
  type Observed,
  type ObservedLine,
  observationOf,
  observedByHttp,
  pick,
  RPC_SHOWS,
  sorted,
} from './observed.ts'

/** An operation as a request that can be sent any number of times. */
export interface PreparedRequest {
  /** Everything that an idempotency key stands for. */
  fingerprint: string
  actor: string
  /** Returns what a caller observes when the model has this outcome. */
  observationOf(outcome: Outcome): Observed
  send(requestId: string): Promise<{ observed: Observed; token: string | null; shown?: ShownVersion }>
}

/** The answer to a read or a write of the v1 API: a version of a customer, to the byte. */
export interface ShownVersion {
  id: string
  text: string
  etag: string | null
}

export function shownVersionOf({ body, text, headers }: Called): ShownVersion {
  return { id: body.id, text, etag: headers.get('etag') }
}

export interface RequestOptions {
  key: string | null
  reason: string | null
  /** Selects one of several equivalent requests. */
  variant: number
  /** Acts as the tenant, at the v1 API. Null: a key of the tenant. */
  operator: TestOperator | null
}

export function prepareRequest(
  tenant: TestTenant,
  api: ApiName,
  operation: Operation,
  options: RequestOptions,
): PreparedRequest {
  if (api === 'rpc') return prepareRpcRequest(tenant, operation, options)
  const [method, path, body] = api === 'v1' ? v1Request(operation, options.variant) : flatpeakRequest(operation)
  const ifVersion = 'ifVersion' in operation ? operation.ifVersion : null
  const { operator } = options
  const credential: Record<string, string> = operator
    ? { 'x-api-key': operator.key, 'roster-tenant': tenant.tenantId, 'roster-mode': 'live' }
    : { authorization: `Bearer ${tenant.live.key}` }
  return {
    // A body that is left out counts as an empty one.
    fingerprint: `${method} ${path} ${JSON.stringify(body ?? {})}`,
    actor: operator?.operatorId ?? tenant.live.keyId,
    observationOf: (outcome) => observationOf(api, operation, outcome),
    async send(requestId) {
      const headers = {
        ...credential,
        'x-request-id': requestId,
        ...(options.key !== null && { 'idempotency-key': options.key }),
        ...(options.reason !== null && { 'x-reason': options.reason }),
        ...(ifVersion !== null && { 'if-match': `"${ifVersion}"` }),
      }
      const called = await call(method, path, { headers, ...(body && { body }) })
      const observed = observedByHttp(api, operation, called)
      const token = called.headers.get('consistency-token')
      // A partial revert says more than a read does.
      const isRead = api === 'v1' && 'version' in observed && !('left' in called.body)
      return isRead ? { observed, token, shown: shownVersionOf(called) } : { observed, token }
    },
  }
}

type HttpRequest = [method: string, path: string, body?: object]

function v1Request(operation: Operation, variant: number): HttpRequest {
  switch (operation.kind) {
    case 'create': {
      const query = operation.ifExists === 'return' ? '?if_exists=return' : ''
      return ['POST', `/v1/customers${query}`, v1Body(operation.fields)]
    }
    case 'upsert':
      return ['PUT', `/v1/customers/external/${operation.externalId}`, v1Body(operation.changes)]
    case 'update': {
      const { target, changes } = operation
      const body = v1Body(changes)
      const query = target.externalId === undefined ? '' : `?external_customer_id=${target.externalId}`
      if (target.id === undefined) return ['PUT', `/v1/customers${query}`, body]
      const replaces = changes.metadata && 'replace' in changes.metadata
      if (changes.metadata && !replaces) return ['PATCH', `/v1/customers/${target.id}`, body]
      if (variant === 1 && query === '') return ['PUT', `/v1/customers?id=${target.id}`, body]
      if (variant === 2 && query === '' && !replaces) return ['PATCH', `/v1/customers/${target.id}`, body]
      return ['PUT', `/v1/customers/${target.id}${query}`, body]
    }
    case 'archive':
      return ['DELETE', `/v1/customers/${operation.target.id}`]
    case 'restore': {
      const body = v1Body(operation.changes ?? {})
      const path = `/v1/customers/${operation.target.id}/restore`
      return Object.keys(body).length === 0 && variant === 0 ? ['POST', path] : ['POST', path, body]
    }
    case 'erase':
      return ['POST', `/v1/customers/${operation.target.id}/erase`]
    case 'merge': {
      const { target, into, intoVersion, prefer, dryRun } = operation
      const body = { into, prefer, ...(intoVersion !== null && { into_version: intoVersion }), dry_run: dryRun }
      return ['POST', `/v1/customers/${target.id}/merge`, body]
    }
    case 'unmerge': {
      const { target, source, dryRun } = operation
      return ['POST', `/v1/customers/${target.id}/unmerge`, { source, dry_run: dryRun }]
    }
    case 'revert':
      return [
        'POST',
        `/v1/customers/${operation.target.id}/revert${operation.partial ? '?partial=true' : ''}`,
        operation.to,
      ]
  }
}

const V1_NAMES = {
  externalId: 'external_id',
  name: 'name',
  email: 'email',
  addressCity: 'address_city',
  timezone: 'timezone',
  status: 'status',
  integrations: 'integration_entity_mapping',
} as const

/** Returns the body of a creation or an update; a line of an import too. */
export function v1Body(changes: CustomerChanges): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [name, fieldName] of Object.entries(V1_NAMES)) {
    const value = changes[name as keyof typeof V1_NAMES]
    if (value !== undefined) body[fieldName] = value
  }
  const { parent, metadata } = changes
  if (parent !== undefined) {
    if (parent && 'externalId' in parent) body.parent_customer_external_id = parent.externalId
    else body.parent_customer_id = parent?.id ?? null
  }
  if (metadata !== undefined) body.metadata = 'replace' in metadata ? metadata.replace : metadata.merge
  return body
}

function flatpeakRequest(operation: Operation): HttpRequest {
  switch (operation.kind) {
    case 'create':
      return ['POST', '/customers', flatpeakBody(operation.fields)]
    case 'update':
      return ['PATCH', `/customers/${operation.target.id}`, flatpeakBody(operation.changes)]
    case 'archive':
      return ['DELETE', `/customers/${operation.target.id}`]
    default:
      throw new Error(`this API has no operation for ${operation.kind}`)
  }
}

function flatpeakBody({ externalId, email, timezone, addressCity, profile = {} }: CustomerChanges): object {
  const person = {
    ...(profile.personal_details as object | undefined),
    ...(email !== undefined && { email }),
    ...(timezone !== undefined && { timezone }),
  }
  return {
    ...(externalId !== undefined && { reference_id: externalId }),
    ...profile,
    ...(Object.keys(person).length > 0 && { personal_details: person }),
    ...(addressCity !== undefined && { postal_address: { city: addressCity } }),
  }
}

function prepareRpcRequest(
  { tenantId }: TestTenant,
  operation: Operation,
  { reason }: RequestOptions,
): PreparedRequest {
  const props = { tenantId, mode: 'live' as const, scopes: ['customers:read', 'customers:write'], caller: BOUND_CALLER }
  return {
    fingerprint: '',
    actor: BOUND_CALLER,
    observationOf: (outcome) => observationOf('rpc', operation, outcome),
    async send(requestId) {
      const answer = await callByRpc(bound(props as Parameters<typeof bound>[0]), operation, {
        requestId,
        ...(reason !== null && { reason }),
      })
      if (!answer.ok) {
        const { reason: failed, ...failure } = answer.failure
        if (failed === 'unavailable') return { observed: { unanswered: true }, token: null }
        return { observed: { ok: false, replayed: false, reason: failed, ids: idsOf(failure) }, token: null }
      }
      const { customer, consistencyToken, created, moved, source, kept } = answer
      const { id, version } = customer
      if (moved) {
        const shown = pick(customer, RPC_SHOWS)
        const back = source && { source: { id: source.id, ...pick(source, RPC_SHOWS) } }
        const all = sorted({ ...moved, ...(kept && { kept: kept.map(keptText) }) })
        return { observed: { ok: true, replayed: false, id, shown, moved: all, ...back }, token: consistencyToken }
      }
      const observed = { ok: true, replayed: false, id, version, shown: pick(customer, RPC_SHOWS) } as const
      return { observed: created === undefined ? observed : { ...observed, created }, token: consistencyToken }
    },
  }
}

type RpcResponse =
  | {
      ok: true
      customer: ModelCustomer & { status: string }
      consistencyToken: string
      created?: boolean
      moved?: Moved
      source?: ModelCustomer & { status: string }
      kept?: KeptShown[]
    }
  | { ok: false; failure: { reason: string } }

/** The entrypoint's own types are for its callers; here every method returns one of two shapes. */
async function callByRpc(
  customers: ReturnType<typeof bound>,
  operation: Operation,
  options: { requestId: string; reason?: string },
): Promise<RpcResponse> {
  const target = (of: { id?: string | undefined; externalId?: string | undefined }) =>
    of.id ?? { externalId: of.externalId ?? '' }
  const ifVersion = 'ifVersion' in operation && operation.ifVersion !== null ? { ifVersion: operation.ifVersion } : {}
  const all = { ...options, ...ifVersion }
  const answer: unknown = await (() => {
    switch (operation.kind) {
      case 'create': {
        const fields = rpcFields(operation.fields) as { externalId: string }
        return operation.ifExists === 'return'
          ? customers.getOrCreate(fields, options)
          : customers.create(fields, options)
      }
      case 'update':
        return customers.update(target(operation.target), rpcFields(operation.changes), all)
      case 'archive':
        return customers.archive(target(operation.target), all)
      case 'merge': {
        const { into, intoVersion, prefer, dryRun } = operation
        const given = { ...all, ...(intoVersion !== null && { intoVersion }), prefer, dryRun }
        return customers.merge(target(operation.target), into, given)
      }
      case 'unmerge': {
        const { target: survivor, source, dryRun } = operation
        return customers.unmerge(target(survivor), source, { ...all, dryRun })
      }
      case 'revert':
        return customers.revert(operation.target.id, operation.to as { version: number }, {
          ...all,
          partial: operation.partial,
        })
      case 'restore':
        return customers.restore(operation.target.id ?? '', { ...all, changes: rpcFields(operation.changes ?? {}) })
      default:
        throw new Error(`this API has no operation for ${operation.kind}`)
    }
  })()
  return answer as RpcResponse
}

function rpcFields({ parent, metadata, ...changes }: CustomerChanges): object {
  const parentId = parent && 'id' in parent ? parent.id : null
  return {
    ...changes,
    ...(parent !== undefined &&
      (parent && 'externalId' in parent ? { parentExternalId: parent.externalId } : { parentId })),
    ...(metadata && 'replace' in metadata && { metadata: metadata.replace }),
  }
}

/** Imports the lines, and returns what the caller observes of each. */
export async function importAll(
  tenant: TestTenant,
  lines: { externalId: string; changes: CustomerChanges }[],
  requestId: string,
): Promise<ObservedLine[]> {
  const bodies = lines.map(({ externalId, changes }) => v1Body({ ...changes, externalId }))
  const { results } = await importLines(tenant.live.key, bodies, { headers: { 'x-request-id': requestId } })
  return results.map(({ result, id, errors }) => ({ result, id, field: errors[0]?.field ?? null }))
}
