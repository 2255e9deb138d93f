/** Maps operators, their keys and their sign-in links to this API. Pure. */
import type { NewOperatorKey, NewSignInLink } from '../../../operators/operations.ts'
import type { Operator, OperatorKey } from '../../../operators/operator.ts'
import { isoTime, timeOrNull } from '../../../shared/clock.ts'

export function toAdminOperator(operator: Operator) {
  return {
    operator_id: operator.id,
    name: operator.name,
    email: operator.email,
    role: operator.role,
    last_seen_at: timeOrNull(operator.lastSeenAtMs),
    created_at: isoTime(operator.createdAtMs),
    updated_at: isoTime(operator.updatedAtMs),
  }
}

/** Returns a key without its text. Roster returns the text once, with a new key, and does not store it. */
export function toAdminOperatorKey(key: OperatorKey) {
  return {
    key_id: key.id,
    name: key.name,
    expires_at: timeOrNull(key.expiresAtMs),
    created_at: isoTime(key.createdAtMs),
    last_used_at: timeOrNull(key.lastUsedAtMs),
  }
}

export function toNewAdminOperatorKey({ key, text }: NewOperatorKey) {
  return { ...toAdminOperatorKey(key), key: text }
}

/**
 * Returns the link for the console at this origin. The token stands behind `#`: a browser sends that part to no server, so
 * it is in no log.
 */
export function toAdminSignInLink({ token, expiresAtMs }: NewSignInLink, origin: string) {
  return { url: `${origin}/console/sign-in#token=${token}`, expires_at: isoTime(expiresAtMs) }
}
