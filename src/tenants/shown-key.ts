/** An API key as the APIs show it: without its text, which Roster shows once and does not store. Pure. */
import { isoTime, timeOrNull } from '../shared/clock.ts'
import type { UsedKey } from './keys.ts'
import type { ApiKey } from './tenant.ts'

export function toShownKey(key: UsedKey, nowMs: number) {
  return {
    key_id: key.id,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    status: statusOf(key, nowMs),
    expires_at: timeOrNull(key.expiresAtMs),
    revoked_at: timeOrNull(key.revokedAtMs),
    rotated_from: key.rotatedFrom,
    created_at: isoTime(key.createdAtMs),
    last_used_at: timeOrNull(key.lastUsedAtMs),
  }
}

function statusOf(key: ApiKey, nowMs: number): 'active' | 'expired' | 'revoked' {
  if (key.revokedAtMs !== null) return 'revoked'
  return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? 'expired' : 'active'
}
