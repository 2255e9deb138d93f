/** Operators: the people and scripts who run this deployment, what each role may do, and what they prove it with. */
import { HOUR_MS } from '../shared/durations.ts'

/** The roles in their order. Each may do what those before it may. */
export const ROLES = ['viewer', 'support', 'admin', 'owner'] as const

/**
 * `viewer` reads. `support` also changes customers and redelivers. `admin` also changes tenants, keys and endpoints, and
 * erases. `owner` also manages operators and deletes tenants.
 */
export type Role = (typeof ROLES)[number]

/** Returns whether a role may do what needs another. */
export function atLeast(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed)
}

/** The operator who sends a request. */
export interface OperatorPrincipal {
  /** The actor that the audit names: `op_…` for an operator, `admin` or `admin:<name>` for an admin key. */
  actor: string
  /** An admin key is an owner. */
  role: Role
  /** The name of the operator; that of an admin key is its actor. */
  name: string
  /** The address of the operator. Null for an admin key. */
  email: string | null
  /** The id of the operator. Null for an admin key, which belongs to none. */
  operatorId: string | null
  /** The id of the session. Null for a request without one. */
  sessionId: string | null
  sessionExpiresAtMs: number | null
  /** How the operator proved who it is. */
  via: 'admin_key' | 'operator_key' | 'session' | 'access'
}

export interface Operator {
  id: string
  name: string
  /** Belongs to no other operator, whatever the case of its ASCII letters. */
  email: string
  role: Role
  /** The minute of the last request. Null before the first one. */
  lastSeenAtMs: number | null
  createdAtMs: number
  updatedAtMs: number
  /** Rises with every change of name, address or role. */
  version: number
}

export interface OperatorKey {
  id: string
  operatorId: string
  name: string
  secretHash: string
  createdAtMs: number
  expiresAtMs: number | null
  /** The minute of the last request. Null before the first one. */
  lastUsedAtMs: number | null
}

export interface SignInLink {
  id: string
  operatorId: string
  secretHash: string
  createdAtMs: number
  expiresAtMs: number
}

/** A session of the console. It belongs to an operator, or to an admin key. */
export interface OperatorSession {
  id: string
  operatorId: string | null
  /** The key that it was made with. It ends with that key. */
  keyId: string | null
  /** The actor of the admin key that it was made with. */
  adminActor: string | null
  /** Recognises that admin key, see `sealOfAdminKey`. */
  adminKeySeal: string | null
  secretHash: string
  createdAtMs: number
  expiresAtMs: number
}

export const SESSION_TTL_MS = 12 * HOUR_MS
export const SIGN_IN_LINK_TTL_MS = HOUR_MS
/** More sessions of one operator end the oldest ones. */
export const SESSIONS_MAX = 50

/** Returns when a session ends that begins now: after twelve hours, or with the key that it is made with. */
export function sessionEndMs(nowMs: number, keyExpiresAtMs: number | null): number {
  return Math.min(nowMs + SESSION_TTL_MS, keyExpiresAtMs ?? Number.POSITIVE_INFINITY)
}
