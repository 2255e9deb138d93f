/**
 * The operations on operators and what they prove themselves with, one function each. A change is in force when it
 * returns (promise C2): every request of an operator reads the D1 primary, so nothing has to be waited for.
 */
import { type IdempotentRequest, withIdempotency } from '../idempotency/idempotency.ts'
import { notFound } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { refusePast } from '../tenants/keys.ts'
import type { Page, PageRequest } from '../tenants/ports.ts'
import { mintCredential } from './credential.ts'
import { type Operator, type OperatorKey, type Role, SIGN_IN_LINK_TTL_MS } from './operator.ts'
import type { OperatorChanges, OperatorDeps } from './ports.ts'

/** Throws `RegistryError` with `operator_email_taken` if another operator has the address. */
export function createOperator(
  deps: OperatorDeps,
  fields: { name: string; email: string; role: Role },
  idempotentRequest: IdempotentRequest | null,
): Promise<Operator> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const nowMs = deps.clock()
    const id = deps.newId('operator', nowMs)
    const operator = { ...fields, id, lastSeenAtMs: null, createdAtMs: nowMs, updatedAtMs: nowMs, version: 1 }
    await deps.store.insert(operator, await keep(operator))
    return operator
  })
}

export async function getOperator({ store }: OperatorDeps, operatorId: string): Promise<Operator> {
  return found(await store.get(operatorId))
}

export function listOperators({ store }: OperatorDeps, page: PageRequest): Promise<Page<Operator>> {
  return store.list(page)
}

/**
 * Throws `RegistryError` with `last_owner` if nobody would be left who may manage operators, or with `version_conflict` if
 * the operator does not meet the precondition.
 */
export async function updateOperator(
  { store, clock }: OperatorDeps,
  operatorId: string,
  changes: OperatorChanges,
  precondition: Precondition | null,
): Promise<Operator> {
  return found(await store.update(operatorId, changes, precondition, clock()))
}

/** Deletes the operator with its keys, sessions and links. Throws as `updateOperator` does. */
export async function deleteOperator(
  { store, clock }: OperatorDeps,
  operatorId: string,
  precondition: Precondition | null,
): Promise<void> {
  if (!(await store.delete(operatorId, precondition, clock()))) throw notFound('operator')
}

/** A new key with its text, which only the response to the request has. */
export interface NewOperatorKey {
  key: OperatorKey
  text: string
}

export function createOperatorKey(
  deps: OperatorDeps,
  operatorId: string,
  fields: { name: string; expiresAtMs: number | null },
  idempotentRequest: IdempotentRequest | null,
): Promise<NewOperatorKey> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const nowMs = deps.clock()
    refusePast(fields.expiresAtMs, nowMs)
    const { text, id, secretHash } = await mint(deps, 'key', nowMs)
    const made = { key: { ...fields, id, operatorId, secretHash, createdAtMs: nowMs, lastUsedAtMs: null }, text }
    if (!(await deps.store.insertKey(made.key, await keep(made)))) throw notFound('operator')
    return made
  })
}

/** Returns all keys of the operator, newest first. */
export async function listOperatorKeys({ store }: OperatorDeps, operatorId: string): Promise<OperatorKey[]> {
  return found(await store.listKeys(operatorId))
}

/** Revokes a key, and ends the sessions that were made with it. */
export async function revokeOperatorKey(
  { store, clock }: OperatorDeps,
  operatorId: string,
  keyId: string,
): Promise<void> {
  if (await store.deleteKey(operatorId, keyId, clock())) return
  throw notFound((await store.get(operatorId)) ? 'operator_key' : 'operator')
}

/** A link that signs the operator in once. */
export interface NewSignInLink {
  token: string
  expiresAtMs: number
}

export function createSignInLink(
  deps: OperatorDeps,
  operatorId: string,
  idempotentRequest: IdempotentRequest | null,
): Promise<NewSignInLink> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const nowMs = deps.clock()
    const { text, id, secretHash } = await mint(deps, 'link', nowMs)
    const expiresAtMs = nowMs + SIGN_IN_LINK_TTL_MS
    const made = { token: text, expiresAtMs }
    const link = { id, operatorId, secretHash, createdAtMs: nowMs, expiresAtMs }
    if (!(await deps.store.insertLink(link, await keep(made)))) throw notFound('operator')
    return made
  })
}

/** Returns a new credential of that kind, with its text. */
function mint({ newId, signingSecrets }: OperatorDeps, kind: 'key' | 'link', nowMs: number) {
  const id = newId(kind === 'key' ? 'operatorKey' : 'signInLink', nowMs)
  // env.ts requires at least one secret.
  return mintCredential(kind, id, signingSecrets[0] as string)
}

function found<T>(value: T | null): T {
  if (value === null) throw notFound('operator')
  return value
}
