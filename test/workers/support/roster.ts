/** Sends requests to Roster over HTTP, through the Worker's own `fetch`, each test with a tenant of its own. */
import { exports } from 'cloudflare:workers'
import { expectAsDocumented } from './documented.ts'

/** The admin key that vitest.config.ts sets. */
export const ADMIN_KEY = 'test-admin-key-0123456789abcdef'
export const ORIGIN = 'https://roster.test'

/** Limits that admit two requests a year: a permit that comes back in time would make the third depend on the machine. */
export const TWO_REQUESTS = { requests_per_second: 10, burst: 20, annual_commitment: 0, annual_validation_limit: 2 }

export interface CallOptions {
  key?: string
  /** Sent as JSON; a string goes as it is. */
  body?: unknown
  headers?: Record<string, string>
}

export interface Called {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
  body: any
}

let addresses = 0

/** Returns an address that no other request comes from. */
export function newAddress(): string {
  const at = addresses++
  return `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`
}

/**
 * Returns a request as Cloudflare hands it to the Worker, with the address that it comes from. It is one of its own unless the
 * headers name one: ten wrong keys of operators block their address for a minute, and tests share a runtime. `where` is a path,
 * or a whole URL.
 */
export function requestTo(where: string, init: RequestInit = {}): Request {
  const request = new Request(where.startsWith('/') ? `${ORIGIN}${where}` : where, init)
  if (!request.headers.has('cf-connecting-ip')) request.headers.set('cf-connecting-ip', newAddress())
  return request
}

/**
 * Sends one request and checks its answer against the OpenAPI document; `path` begins with `/`. A body makes it
 * `application/json` unless the headers say otherwise.
 */
export async function call(method: string, path: string, options: CallOptions = {}): Promise<Called> {
  const headers = new Headers(options.headers)
  if (options.key !== undefined) headers.set('authorization', `Bearer ${options.key}`)
  if (options.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json')
  const body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
  const init = { method, headers, ...(options.body !== undefined && { body }) }
  const answer = await exports.default.fetch(requestTo(path, init))
  const text = await answer.text()
  const called = { status: answer.status, headers: answer.headers, text, body: parsed(text) }
  expectAsDocumented(method, path, { ...called, isActedAs: headers.has('roster-tenant') })
  return called
}

/** Sends a request of the operator. */
export function admin(method: string, path: string, body?: unknown): Promise<Called> {
  return call(method, `/admin/customers${path}`, { headers: { 'x-api-key': ADMIN_KEY }, body })
}

export interface TestTenant {
  tenantId: string
  live: { key: string; keyId: string }
}

export type TestTenantOfBothModes = TestTenant & { test: { key: string; keyId: string } }

/** Makes a tenant with a key for its live mode. A key costs as much as two customers, so there is no other. */
export async function newTenant(fields: Record<string, unknown> = {}): Promise<TestTenant> {
  const tenantId = await newTenantWithoutKeys(fields)
  return { tenantId, live: await newKey(tenantId, { mode: 'live' }) }
}

export async function newTenantOfBothModes(fields: Record<string, unknown> = {}): Promise<TestTenantOfBothModes> {
  const tenant = await newTenant(fields)
  return { ...tenant, test: await newKey(tenant.tenantId, { mode: 'test' }) }
}

export async function newTenantWithoutKeys(fields: Record<string, unknown> = {}): Promise<string> {
  const body = { company_name: 'Test Company', contact_email: 'ops@example.com', tier: 'enterprise', ...fields }
  return (await expectOk(admin('POST', '', body))).customer_id
}

export async function newKey(
  tenantId: string,
  fields: Record<string, unknown>,
): Promise<{ key: string; keyId: string }> {
  const made = await expectOk(admin('POST', `/${tenantId}/keys`, { name: 'test', ...fields }))
  return { key: made.key, keyId: made.key_id }
}

let externalIds = 0

/** Creates a v1 customer of this tenant. */
export async function newCustomer(key: string, fields: Record<string, unknown> = {}) {
  return expectOk(call('POST', '/v1/customers', { key, body: { external_id: `ext_${externalIds++}`, ...fields } }))
}

async function expectOk(called: Promise<Called>) {
  const { status, body, text } = await called
  if (status >= 300) throw new Error(`expected success, got ${status} ${text}`)
  return body
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
