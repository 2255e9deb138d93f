/**
 * Says an operation of the model at a door, in the door's words. Knows what each door can say; what is heard is put into
 * words by heard.ts, and which answer is right is for the model.
 */
import type { CustomerChanges } from '../../src/registry/customer.ts'
import { BOUND_CALLER, bound } from '../doors/drivers.ts'
import { importLines } from '../import/support.ts'
import { call, type TestTenant } from '../support/roster.ts'
import { type DoorName, type Heard, type HeardLine, heardByHttp, heardOf, idsOf, pick, RPC_SHOWS } from './heard.ts'
import type { Kept, Operation, Told } from './words.ts'

/** An operation that is ready to be said, as often as one likes. */
export interface Saying {
  /** Everything that an idempotency key stands for. */
  asked: string
  actor: string
  /** What is heard when the model tells this. */
  heardOf(told: Told): Heard
  say(requestId: string): Promise<{ heard: Heard; token: string | null }>
}

export interface Manner {
  key: string | null
  reason: string | null
  /** Which of several ways to say the same. */
  way: number
}

export function saying(tenant: TestTenant, door: DoorName, operation: Operation, manner: Manner): Saying {
  if (door === 'rpc') return sayingByRpc(tenant, operation, manner)
  const [method, path, body] = door === 'v1' ? v1Request(operation, manner.way) : flatpeakRequest(operation)
  const ifVersion = 'ifVersion' in operation ? operation.ifVersion : null
  return {
    asked: `${method} ${path} ${JSON.stringify(body)}`,
    actor: tenant.live.keyId,
    heardOf: (told) => heardOf(door, operation, told),
    async say(requestId) {
      const headers = {
        'x-request-id': requestId,
        ...(manner.key !== null && { 'idempotency-key': manner.key }),
        ...(manner.reason !== null && { 'x-reason': manner.reason }),
        ...(ifVersion !== null && { 'if-match': `"${ifVersion}"` }),
      }
      const called = await call(method, path, { key: tenant.live.key, headers, ...(body && { body }) })
      const heard = heardByHttp(door, operation, called)
      return { heard, token: called.headers.get('consistency-token') }
    },
  }
}

type HttpRequest = [method: string, path: string, body?: object]

function v1Request(operation: Operation, way: number): HttpRequest {
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
      if (way === 1 && query === '') return ['PUT', `/v1/customers?id=${target.id}`, body]
      if (way === 2 && query === '' && !replaces) return ['PATCH', `/v1/customers/${target.id}`, body]
      return ['PUT', `/v1/customers/${target.id}${query}`, body]
    }
    case 'archive':
      return ['DELETE', `/v1/customers/${operation.target.id}`]
    case 'restore':
    case 'erase':
      return ['POST', `/v1/customers/${operation.target.id}/${operation.kind}`]
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

/** The body of a creation or an update; a line of an import too. */
export function v1Body(changes: CustomerChanges): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [name, word] of Object.entries(V1_NAMES)) {
    const value = changes[name as keyof typeof V1_NAMES]
    if (value !== undefined) body[word] = value
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
      throw new Error(`this door has no word for ${operation.kind}`)
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

function sayingByRpc({ tenantId }: TestTenant, operation: Operation, { reason }: Manner): Saying {
  const props = { tenantId, mode: 'live' as const, scopes: ['customers:read', 'customers:write'], caller: BOUND_CALLER }
  return {
    asked: '',
    actor: BOUND_CALLER,
    heardOf: (told) => heardOf('rpc', operation, told),
    async say(requestId) {
      const answer = await calledByRpc(bound(props as Parameters<typeof bound>[0]), operation, {
        requestId,
        ...(reason !== null && { reason }),
      })
      if (!answer.ok) {
        const { reason: failed, ...failure } = answer.failure
        if (failed === 'unavailable') return { heard: { unanswered: true }, token: null }
        return { heard: { ok: false, replayed: false, reason: failed, told: idsOf(failure) }, token: null }
      }
      const { customer, consistencyToken, created } = answer
      const { id, version } = customer
      const heard = { ok: true, replayed: false, id, version, shown: pick(customer, RPC_SHOWS) } as const
      return { heard: created === undefined ? heard : { ...heard, created }, token: consistencyToken }
    },
  }
}

type RpcAnswer =
  | { ok: true; customer: Kept & { status: string }; consistencyToken: string; created?: boolean }
  | { ok: false; failure: { reason: string } }

/** The entrypoint's own types are for its callers; here every method answers one of two shapes. */
async function calledByRpc(
  customers: ReturnType<typeof bound>,
  operation: Operation,
  options: { requestId: string; reason?: string },
): Promise<RpcAnswer> {
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
      case 'restore':
        return customers.restore(operation.target.id ?? '', all)
      default:
        throw new Error(`this door has no word for ${operation.kind}`)
    }
  })()
  return answer as RpcAnswer
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

/** Imports the lines, and answers what is heard of each. */
export async function importAll(
  tenant: TestTenant,
  lines: { externalId: string; changes: CustomerChanges }[],
  requestId: string,
): Promise<HeardLine[]> {
  const bodies = lines.map(({ externalId, changes }) => v1Body({ ...changes, externalId }))
  const { results } = await importLines(tenant.live.key, bodies, { headers: { 'x-request-id': requestId } })
  return results.map(({ result, id, errors }) => ({ result, id, field: errors[0]?.field ?? null }))
}
