/**
 * Drives every API that serves customers, so that one table of cases runs against each. A driver sends the field names of
 * its API and returns answers in common ones. It sends the consistency token of the tenant's last write, whichever API
 * answered it.
 */
import { exports } from 'cloudflare:workers'
import type { BindingProps } from '../../../src/apis/rpc/schema.ts'
import { type Called, call, newKey, newTenantWithoutKeys } from '../support/roster.ts'

/** The fields that every API has. Null: not set. */
export interface Shown {
  externalId: string
  email: string | null
  contact: string | null
  addressLine1: string | null
  addressCity: string | null
  addressCountry: string | null
  timezone: string
}
export type Fields = { [name in Exclude<keyof Shown, 'externalId'>]?: string | null } & { externalId?: string }

export type Reason =
  | 'invalid_input'
  | 'not_found'
  | 'archived'
  | 'customer_too_large'
  | 'insufficient_storage'
  | 'external_id_taken'
  | 'version_conflict'
  | 'tenant_suspended'
  | 'missing_scope'
  | 'rate_limited'

export type ApiResult = { ok: true; id: string; version: number; shown: Shown } | ApiRefusal
/** `response` is everything that the caller received, for comparing. */
export type ApiRefusal = { ok: false; reason: Reason; field: string | null; response: unknown }

/** A tenant as its callers share it. */
export interface Account {
  tenantId: string
  mode: 'live' | 'test'
  scopes: string[]
  key: string
  /** The consistency token of the last write through any API. */
  token: string | null
}

export interface Api {
  name: string
  create(account: Account, fields: Fields & { externalId: string }): Promise<ApiResult>
  get(account: Account, id: string): Promise<ApiResult>
  getByExternalId(account: Account, externalId: string): Promise<ApiResult>
  update(account: Account, id: string, changes: Fields, ifVersion?: number): Promise<ApiResult>
  archive(account: Account, id: string): Promise<{ ok: true } | ApiRefusal>
  /** Is null where the API has no such operation. */
  restore: ((account: Account, id: string) => Promise<ApiResult>) | null
  /** The ids of one page, newest first, and whether there are more. `after` is the last id of the page before. */
  list(account: Account, limit: number, after?: Page): Promise<Page | ApiRefusal>
}

export interface Page {
  ok: true
  ids: string[]
  more: boolean
  cursor: string | null
}

const ALL_SCOPES = ['customers:read', 'customers:write']

export async function openAccount(tenant: Record<string, unknown> = {}, scopes = ALL_SCOPES): Promise<Account> {
  return accountOf(await newTenantWithoutKeys(tenant), 'live', scopes)
}

export async function accountOf(tenantId: string, mode: 'live' | 'test', scopes = ALL_SCOPES): Promise<Account> {
  const { key } = await newKey(tenantId, { mode, scopes })
  return { tenantId, mode, scopes, key, token: null }
}

async function http(account: Account, method: string, path: string, body?: unknown, ifVersion?: number) {
  const called = await call(method, path, {
    key: account.key,
    body,
    headers: {
      ...(account.token !== null && { 'consistency-token': account.token }),
      ...(ifVersion !== undefined && { 'if-match': `"${ifVersion}"` }),
    },
  })
  account.token = called.headers.get('consistency-token') ?? account.token
  return called
}

function refusedByHttp(called: Called, reason: string | undefined, field: unknown): ApiRefusal {
  const reasons: Record<string, Reason> = {
    validation_error: 'invalid_input',
    invalid_parameter: 'invalid_input',
    not_found: 'not_found',
    archived: 'archived',
    customer_too_large: 'customer_too_large',
    insufficient_storage: 'insufficient_storage',
    already_exists: 'external_id_taken',
    duplicate_reference: 'external_id_taken',
    version_conflict: 'version_conflict',
    tenant_suspended: 'tenant_suspended',
    account_disabled: 'tenant_suspended',
    missing_scope: 'missing_scope',
    access_denied: 'missing_scope',
    rate_limited: 'rate_limited',
    too_many_requests: 'rate_limited',
  }
  const found = reasons[reason ?? '']
  if (!found) throw new Error(`unmapped error response: ${called.status} ${called.text}`)
  const { time_created: _, ...response } = called.body
  return {
    ok: false,
    reason: found,
    field: typeof field === 'string' ? field : null,
    response: [called.status, response],
  }
}

function versionOf({ headers }: Called): number {
  return Number(headers.get('etag')?.replaceAll('"', ''))
}

const V1_NAMES = {
  externalId: 'external_id',
  email: 'email',
  contact: 'contact',
  addressLine1: 'address_line1',
  addressCity: 'address_city',
  addressCountry: 'address_country',
  timezone: 'timezone',
} as const

function toV1(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [V1_NAMES[name as keyof Shown], value]))
}

function fromV1(called: Called): ApiResult {
  const { status, body } = called
  if (status >= 300) return refusedByV1(called)
  const shown = Object.fromEntries(
    Object.entries(V1_NAMES).map(([name, word]) => [name, body[word] === '' ? null : body[word]]),
  )
  return { ok: true, id: body.id, version: versionOf(called), shown: shown as unknown as Shown }
}

function refusedByV1(called: Called): ApiRefusal {
  const { code, details } = called.body
  const word = details?.errors?.[0]?.field
  const field = Object.entries(V1_NAMES).find(([, name]) => name === word)?.[0]
  const reason =
    ['permission_denied', 'too_many_requests', 'invalid_operation'].includes(code) ||
    details.reason === 'customer_too_large'
      ? details.reason
      : code
  return refusedByHttp(called, reason, field)
}

export const v1: Api = {
  name: '/v1/customers',
  create: async (account, fields) => fromV1(await http(account, 'POST', '/v1/customers', toV1(fields))),
  get: async (account, id) => fromV1(await http(account, 'GET', `/v1/customers/${id}`)),
  getByExternalId: async (account, externalId) =>
    fromV1(await http(account, 'GET', `/v1/customers/external/${encodeURIComponent(externalId)}`)),
  update: async (account, id, changes, ifVersion) =>
    fromV1(await http(account, 'PUT', `/v1/customers/${id}`, toV1(changes), ifVersion)),
  async archive(account, id) {
    const called = await http(account, 'DELETE', `/v1/customers/${id}`)
    return called.status === 204 ? { ok: true } : refusedByV1(called)
  },
  restore: async (account, id) => fromV1(await http(account, 'POST', `/v1/customers/${id}/restore`)),
  async list(account, limit, after) {
    const cursor = after?.cursor ? `&cursor=${encodeURIComponent(after.cursor)}` : ''
    const called = await http(account, 'GET', `/v1/customers?limit=${limit}${cursor}`)
    if (called.status >= 300) return refusedByV1(called)
    const { items, pagination } = called.body
    const ids = items.map(({ id }: { id: string }) => id)
    return { ok: true, ids, more: pagination.has_more, cursor: pagination.next_cursor }
  },
}

const FLATPEAK_NAMES = {
  email: ['personal_details', 'email'],
  contact: ['personal_details', 'phone'],
  timezone: ['personal_details', 'timezone'],
  addressLine1: ['postal_address', 'address_line1'],
  addressCity: ['postal_address', 'city'],
  addressCountry: ['postal_address', 'country_code'],
} as const

function toFlatpeak({ externalId, ...fields }: Fields): Record<string, unknown> {
  const body: Record<string, Record<string, unknown>> = {}
  for (const [name, value] of Object.entries(fields)) {
    const [group, word] = FLATPEAK_NAMES[name as keyof typeof FLATPEAK_NAMES]
    body[group] = { ...body[group], [word]: value }
  }
  return { ...(externalId !== undefined && { reference_id: externalId }), ...body }
}

function fromFlatpeak(called: Called): ApiResult {
  const { status, body } = called
  if (status >= 300) return refusedByFlatpeak(called)
  const shown = Object.fromEntries(
    Object.entries(FLATPEAK_NAMES).map(([name, [group, word]]) => [name, body[group]?.[word] ?? null]),
  )
  const externalId = body.reference_id
  return { ok: true, id: body.id, version: versionOf(called), shown: { externalId, ...shown } as unknown as Shown }
}

function refusedByFlatpeak(called: Called): ApiRefusal {
  const { code, param } = called.body
  const field = Object.entries(FLATPEAK_NAMES).find(([, path]) => path.join('.') === param)?.[0]
  return refusedByHttp(called, code, param === 'reference_id' ? 'externalId' : field)
}

export const flatpeak: Api = {
  name: '/customers',
  create: async (account, fields) => fromFlatpeak(await http(account, 'POST', '/customers', toFlatpeak(fields))),
  get: async (account, id) => fromFlatpeak(await http(account, 'GET', `/customers/${id}`)),
  async getByExternalId(account, externalId) {
    const called = await http(account, 'GET', `/customers?reference_id=${encodeURIComponent(externalId)}`)
    if (called.status >= 300) return refusedByFlatpeak(called)
    const [found] = called.body.data
    if (!found) return { ok: false, reason: 'not_found', field: null, response: called.body }
    return flatpeak.get(account, found.id)
  },
  update: async (account, id, changes, ifVersion) =>
    fromFlatpeak(await http(account, 'PATCH', `/customers/${id}`, toFlatpeak(changes), ifVersion)),
  async archive(account, id) {
    const called = await http(account, 'DELETE', `/customers/${id}`)
    return called.status === 202 ? { ok: true } : refusedByFlatpeak(called)
  },
  restore: null,
  async list(account, limit, after) {
    const last = after?.ids.at(-1)
    const called = await http(account, 'GET', `/customers?limit=${limit}${last ? `&starting_after=${last}` : ''}`)
    if (called.status >= 300) return refusedByFlatpeak(called)
    const ids = called.body.data.map(({ id }: { id: string }) => id)
    return { ok: true, ids, more: called.body.has_more, cursor: null }
  },
}

/** The name that a bound Worker of this account signs with. */
export const BOUND_CALLER = 'billing-worker'

/** Returns the entrypoint as a Worker bound with these props has it. */
export function bound(props: BindingProps) {
  return exports.Customers({ props })
}

function boundTo({ tenantId, mode, scopes }: Account) {
  return bound({ tenantId, mode, scopes, caller: BOUND_CALLER })
}

type RpcResponse = Awaited<ReturnType<ReturnType<typeof bound>['get' | 'create']>> & { consistencyToken?: string }

function fromRpc(account: Account, answer: RpcResponse): ApiResult {
  if (!answer.ok) return refusedByRpc(answer)
  account.token = answer.consistencyToken ?? account.token
  const { id, version, ...fields } = answer.customer
  // Without `customers:read` a write is answered with a part of the customer.
  const { externalId, email, contact, addressLine1, addressCity, addressCountry, timezone } = fields as Shown
  return {
    ok: true,
    id,
    version,
    shown: { externalId, email, contact, addressLine1, addressCity, addressCountry, timezone },
  }
}

function refusedByRpc({ failure }: Extract<RpcResponse, { ok: false }>): ApiRefusal {
  const field = failure.reason === 'invalid_input' ? (failure.problems[0]?.field ?? null) : null
  const taken = failure.reason === 'external_id_taken' ? 'externalId' : field
  return { ok: false, reason: failure.reason as Reason, field: taken, response: failure }
}

const read = ({ token }: Account) => (token === null ? {} : { consistencyToken: token })

export const rpc: Api = {
  name: 'RPC',
  create: async (account, fields) => fromRpc(account, await boundTo(account).create(fields)),
  get: async (account, id) => fromRpc(account, await boundTo(account).get(id, read(account))),
  getByExternalId: async (account, externalId) =>
    fromRpc(account, await boundTo(account).getByExternalId(externalId, read(account))),
  update: async (account, id, changes, ifVersion) =>
    fromRpc(account, await boundTo(account).update(id, changes, ifVersion === undefined ? {} : { ifVersion })),
  async archive(account, id) {
    const answered = fromRpc(account, await boundTo(account).archive(id))
    return answered.ok ? { ok: true } : answered
  },
  restore: async (account, id) => fromRpc(account, await boundTo(account).restore(id)),
  async list(account, limit, after) {
    const query = { limit, ...(after?.cursor && { cursor: after.cursor }) }
    const page = await boundTo(account).list(query, read(account))
    if (!page.ok) return refusedByRpc(page)
    return {
      ok: true,
      ids: page.customers.map(({ id }) => id),
      more: page.nextCursor !== null,
      cursor: page.nextCursor,
    }
  },
}

export const apis = [v1, flatpeak, rpc]
