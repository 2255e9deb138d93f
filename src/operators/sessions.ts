/** Starts and ends the sessions of the console. */
import { mintCredential, readCredential, type StoredCredential, sealOfAdminKey } from './credential.ts'
import type { Identified } from './identify.ts'
import { type Operator, type OperatorPrincipal, type OperatorSession, sessionEndMs } from './operator.ts'
import type { OperatorDeps, OperatorIdentities } from './ports.ts'

/** A new session with its text, which only the cookie has. */
export interface NewSession {
  principal: OperatorPrincipal
  text: string
}

/**
 * Starts a session of an operator who proved who it is by other means. `replaced` is the text of the session that the
 * browser has, if it has one; that session ends. Returns null if the operator was deleted meanwhile.
 */
export async function startSession(
  deps: OperatorDeps,
  { principal, keyId, keyExpiresAtMs, adminSecret }: Identified,
  replaced: string | null,
): Promise<NewSession | null> {
  const { session, text } = await newSession(deps, principal.operatorId, keyExpiresAtMs)
  const whole = {
    ...session,
    keyId,
    adminActor: principal.operatorId === null ? principal.actor : null,
    adminKeySeal: adminSecret === null ? null : await sealOfAdminKey(text, adminSecret),
  }
  if (!(await deps.store.startSession(whole, await idOf(deps, replaced)))) return null
  return { principal: inSession(principal, whole), text }
}

/** Returns the operator whom a sign-in link is for. Returns null if it was used or has expired. */
export async function operatorOfLink(
  identities: OperatorIdentities,
  link: StoredCredential,
  nowMs: number,
): Promise<{ operator: Operator; linkId: string } | null> {
  const operator = await identities.ofLink(link, nowMs)
  return operator && { operator, linkId: link.id }
}

/** Starts a session of the operator and uses the link up. Returns null if another request was faster. */
export async function startSessionByLink(
  deps: OperatorDeps,
  { operator, linkId }: { operator: Operator; linkId: string },
  replaced: string | null,
): Promise<NewSession | null> {
  const { session, text } = await newSession(deps, operator.id, null)
  if (!(await deps.store.startSessionByLink(session, linkId, await idOf(deps, replaced)))) return null
  const { id, name, email, role } = operator
  const principal = { actor: id, operatorId: id, name, email, role, via: 'session' } as const
  return { principal: inSession({ ...principal, sessionId: null, sessionExpiresAtMs: null }, session), text }
}

/** Resolves when the session is refused everywhere. */
export function endSession({ store, clock }: OperatorDeps, sessionId: string): Promise<void> {
  return store.endSession(sessionId, clock())
}

async function newSession(
  { clock, newId, signingSecrets }: OperatorDeps,
  operatorId: string | null,
  keyExpiresAtMs: number | null,
): Promise<{ session: OperatorSession; text: string }> {
  const nowMs = clock()
  // env.ts requires at least one secret.
  const minted = await mintCredential('session', newId('operatorSession', nowMs), signingSecrets[0] as string)
  const { text, id, secretHash } = minted
  const expiresAtMs = sessionEndMs(nowMs, keyExpiresAtMs)
  const made = { id, secretHash, operatorId, createdAtMs: nowMs, expiresAtMs }
  return { session: { ...made, keyId: null, adminActor: null, adminKeySeal: null }, text }
}

function inSession(principal: OperatorPrincipal, { id, expiresAtMs }: OperatorSession): OperatorPrincipal {
  return { ...principal, sessionId: id, sessionExpiresAtMs: expiresAtMs, via: 'session' }
}

async function idOf({ signingSecrets }: OperatorDeps, text: string | null): Promise<string | null> {
  return text === null ? null : ((await readCredential('session', text, signingSecrets))?.id ?? null)
}
