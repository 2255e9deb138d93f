/** Operators and their credentials, for tests. The admin key, an owner, makes them. */
import { ADMIN_KEY, type Called, type CallOptions, call } from './roster.ts'

export type Role = 'viewer' | 'support' | 'admin' | 'owner'

export interface TestOperator {
  operatorId: string
  email: string
  /** A key of the operator. */
  key: string
  keyId: string
}

/** Sends a request with an admin key or the key of an operator. */
export function callWith(key: string, method: string, path: string, options: CallOptions = {}): Promise<Called> {
  return call(method, path, { ...options, headers: { 'x-api-key': key, ...options.headers } })
}

/** Sends a request of an owner. */
export const asOwner = (method: string, path: string, options?: CallOptions) =>
  callWith(ADMIN_KEY, method, path, options)

let operators = 0

export async function newOperator(role: Role): Promise<TestOperator> {
  const email = `operator_${operators++}_${crypto.randomUUID()}@example.com`
  const made = await asOwner('POST', '/admin/operators', { body: { name: `A ${role}`, email, role } })
  if (made.status !== 201) throw new Error(made.text)
  const operatorId: string = made.body.operator_id
  return { operatorId, email, ...(await newOperatorKey(operatorId)) }
}

export async function newOperatorKey(operatorId: string, body: object = {}): Promise<{ key: string; keyId: string }> {
  const made = await asOwner('POST', `/admin/operators/${operatorId}/keys`, { body })
  if (made.status !== 201) throw new Error(made.text)
  return { key: made.body.key, keyId: made.body.key_id }
}

/** Returns the token of a new sign-in link. */
export async function newToken(operatorId: string): Promise<string> {
  const made = await asOwner('POST', `/admin/operators/${operatorId}/sign_in_links`)
  if (made.status !== 201) throw new Error(made.text)
  return new URL(made.body.url).hash.replace('#token=', '')
}

/** Returns the session that a response starts, as the value of a `cookie` header. */
export function cookieOf({ headers }: Pick<Called, 'headers'>): string {
  return headers.get('set-cookie')?.split(';')[0] ?? ''
}

/** Signs in with a key. Returns the value of the `cookie` header. */
export async function signIn(key: string): Promise<string> {
  const { status, text, ...signedIn } = await callWith(key, 'POST', '/admin/session')
  if (status !== 201) throw new Error(text)
  return cookieOf(signedIn)
}

/** Sends a request as the console does. */
export function fromConsole(cookie: string, method: string, path: string, options: CallOptions = {}): Promise<Called> {
  return call(method, path, { ...options, headers: { cookie, 'roster-console': '1', ...options.headers } })
}
