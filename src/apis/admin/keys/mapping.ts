/** Maps API keys between this API and Roster. Pure. */
import { isoTime, timeOrNull } from '../../../shared/clock.ts'
import type { KeyFields } from '../../../tenants/keys.ts'
import type { ApiKey } from '../../../tenants/tenant.ts'
import { DEFAULT_KEY_NAME } from '../fields.ts'
import type { KeyInput } from './schema.ts'

export function toKeyFields(input: KeyInput): KeyFields {
  return {
    name: input.name || DEFAULT_KEY_NAME,
    mode: input.mode,
    scopes: [...new Set(input.scopes)],
    expiresAtMs: input.expires_at ?? null,
  }
}

export function toNewAdminKey(key: ApiKey, text: string) {
  return {
    key_id: key.id,
    key: text,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    expires_at: timeOrNull(key.expiresAtMs),
    created_at: isoTime(key.createdAtMs),
    last_used_at: timeOrNull(null),
  }
}
