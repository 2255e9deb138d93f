/**
 * Identifies callers; no other code does. A tenant is recognised by an API key, or by a login token made from one. Both
 * are checked in CPU alone. Whether the key is still valid is the gate's verdict, which comes with the lease.
 */
import { sign, verify } from 'hono/jwt'
import { LRUCache } from 'lru-cache'
import type { Scope } from '../registry/customer.ts'
import { LOOK } from '../shared/lru.ts'
import { readKey } from './key-format.ts'

export interface TenantPrincipal extends Scope {
  /** SHA-256 of the key's secret, base64url. The gate finds the key by it. */
  credential: string
  /** When a login token ends; null for a key, whose end the gate checks. */
  expiresAtMs: number | null
}

export const LOGIN_TOKEN_LIFE_SECONDS = 3600

const CREDENTIALS_REMEMBERED_MAX = 2_000
/** Longer than any key or token of ours. */
const CREDENTIAL_LENGTH_MAX = 1_000

/** Checking a tag costs some 50 µs of CPU, a look-up in memory almost none. Holds genuine credentials only. */
const remembered = new LRUCache<string, TenantPrincipal>({ max: CREDENTIALS_REMEMBERED_MAX })

/** Returns the principal if this isolate has seen the credential before. Saves the hot path a promise. */
export function rememberedPrincipal(credential: string, nowMs: number): TenantPrincipal | null {
  const principal = remembered.get(credential, LOOK)
  if (!principal || (principal.expiresAtMs !== null && principal.expiresAtMs <= nowMs)) return null
  return principal
}

/** Returns null when the text is neither a key nor a login token of this deployment. */
export async function identifyTenant(
  credential: string,
  signingSecrets: string[],
  nowMs: number,
): Promise<TenantPrincipal | null> {
  if (credential.length > CREDENTIAL_LENGTH_MAX) return null
  const principal = await (credential.startsWith('sk_')
    ? principalFromKey(credential, signingSecrets)
    : principalFromToken(credential, signingSecrets, nowMs))
  if (principal) remembered.set(credential, principal)
  return principal
}

/**
 * Returns a bearer token for the FlatPeak API. It carries the key's fingerprint, not the key, and ends with the key.
 */
export function mintLoginToken(principal: TenantPrincipal, signingSecret: string, nowMs: number): Promise<string> {
  const issuedAt = Math.floor(nowMs / 1000)
  return sign(
    {
      aud: 'roster-login',
      sub: principal.tenantId,
      mode: principal.mode,
      credential: principal.credential,
      iat: issuedAt,
      exp: issuedAt + LOGIN_TOKEN_LIFE_SECONDS,
    },
    signingSecret,
    'HS256',
  )
}

async function principalFromKey(key: string, signingSecrets: string[]): Promise<TenantPrincipal | null> {
  const claims = await readKey(key, signingSecrets)
  return claims && { tenantId: claims.tenantId, mode: claims.mode, credential: claims.secretHash, expiresAtMs: null }
}

async function principalFromToken(
  token: string,
  signingSecrets: string[],
  nowMs: number,
): Promise<TenantPrincipal | null> {
  for (const signingSecret of signingSecrets) {
    const claims = await verify(token, signingSecret, 'HS256').catch(() => null)
    if (!claims) continue
    const { aud, sub, mode, credential, exp } = claims
    if (aud !== 'roster-login' || typeof sub !== 'string' || typeof credential !== 'string') return null
    if ((mode !== 'live' && mode !== 'test') || typeof exp !== 'number' || exp * 1000 <= nowMs) return null
    return { tenantId: sub, mode, credential, expiresAtMs: exp * 1000 }
  }
  return null
}
