/** Finds out which operator a credential proves. Each way reads the D1 primary once, so a change is in force at once. */
import { type StoredCredential, sealOfAdminKey } from './credential.ts'
import type { Operator, OperatorPrincipal } from './operator.ts'
import type { OperatorIdentities } from './ports.ts'

/** An admin key by its actor and its secret. */
export interface AdminSecret {
  actor: string
  secret: string
}

/** An operator who proved who it is, and what to note about it. */
export interface Identified {
  principal: OperatorPrincipal
  /** The key that the request was sent with. */
  keyId: string | null
  /** The admin key that the request was sent with. */
  adminSecret: string | null
  keyExpiresAtMs: number | null
  /** The last times that are stored. Null for an admin key, of which no time is stored. */
  lastSeenAtMs: number | null
  lastUsedAtMs: number | null
}

export function identifiedAdminKey({ actor, secret }: AdminSecret): Identified {
  return { ...identified({ ...ADMIN_KEY, actor, name: actor, via: 'admin_key' }), adminSecret: secret }
}

/** Returns null if the key was revoked or has expired. */
export async function identifyByKey(
  identities: OperatorIdentities,
  credential: StoredCredential,
  nowMs: number,
): Promise<Identified | null> {
  const found = await identities.ofKey(credential, nowMs)
  if (!found) return null
  const { operator, key } = found
  return {
    ...identified({ ...principalOf(operator), via: 'operator_key' }, operator.lastSeenAtMs),
    keyId: key.id,
    keyExpiresAtMs: key.expiresAtMs,
    lastUsedAtMs: key.lastUsedAtMs,
  }
}

/**
 * Returns null if the session has ended. A session that was made with an admin key ends when that key is none of
 * `adminSecrets` any more.
 */
export async function identifyBySession(
  identities: OperatorIdentities,
  { text, ...credential }: StoredCredential & { text: string },
  adminSecrets: readonly AdminSecret[],
  nowMs: number,
): Promise<Identified | null> {
  const found = await identities.ofSession(credential, nowMs)
  if (!found) return null
  const { session, operator } = found
  const ofSession = { sessionId: session.id, sessionExpiresAtMs: session.expiresAtMs, via: 'session' } as const
  if (operator) return identified({ ...principalOf(operator), ...ofSession }, operator.lastSeenAtMs)
  for (const { actor, secret } of adminSecrets) {
    if (actor !== session.adminActor || (await sealOfAdminKey(text, secret)) !== session.adminKeySeal) continue
    return identified({ ...ADMIN_KEY, actor, name: actor, ...ofSession })
  }
  return null
}

/** Returns null if no operator has the address, which Cloudflare Access has verified. */
export async function identifyByEmail(identities: OperatorIdentities, email: string): Promise<Identified | null> {
  const operator = await identities.ofEmail(email)
  return operator && identified({ ...principalOf(operator), via: 'access' }, operator.lastSeenAtMs)
}

const ADMIN_KEY = { role: 'owner', email: null, operatorId: null, sessionId: null, sessionExpiresAtMs: null } as const

function principalOf({ id, name, email, role }: Operator) {
  return { actor: id, operatorId: id, name, email, role, sessionId: null, sessionExpiresAtMs: null }
}

function identified(principal: OperatorPrincipal, lastSeenAtMs: number | null = null): Identified {
  return { principal, keyId: null, adminSecret: null, keyExpiresAtMs: null, lastSeenAtMs, lastUsedAtMs: null }
}
