/**
 * Verifies the assertions of Cloudflare Access, which says in a signed token whom it has let in, and remembers the
 * team's public keys.
 */
import { decode, verifyWithJwks } from 'hono/utils/jwt/jwt'
import { unavailable } from '../registry/errors.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/durations.ts'

/** The Access application in front of this deployment. */
export interface AccessApplication {
  /** `https://<team>.cloudflareaccess.com`: issues the tokens and serves the keys. */
  issuer: string
  /** The tag of the application. A token for another one is refused. */
  audience: string
}

/** A public key of the team, as the team's document of keys has it. */
export type AccessKey = JsonWebKey & { kid?: string }

/** Fetches the keys. Rejects if they cannot be had. */
export type FetchAccessKeys = (issuer: string) => Promise<readonly AccessKey[]>

/** The clocks of Access and of an isolate may differ by this much. */
const CLOCKS_DIFFER_SECONDS = 60
/** Access signs with a new key every six weeks, and announces it in time. */
const KEYS_FRESH_MS = HOUR_MS
/** An unknown key makes the isolate fetch the keys at most this often, because anybody can name one. */
const REFETCH_MS = MINUTE_MS
/** After a failure the keys are not fetched again for this long. */
const RETRY_MS = 5 * SECOND_MS

/**
 * Returns the verified e-mail address in an assertion. Returns null for a token that is not valid now, is of another
 * team or application, or has no address, as that of a service token.
 */
export async function emailInAssertion(
  token: string,
  { issuer, audience }: AccessApplication,
  keys: AccessKeys,
  nowMs: number,
): Promise<string | null> {
  const claimed = claimsOf(token)
  // Before anything is fetched: strangers may send any text.
  if (claimed?.payload.iss !== issuer || typeof claimed.kid !== 'string') return null
  const key = await keys.find(issuer, claimed.kid, nowMs)
  if (!key) return null
  const verification = { iss: issuer, aud: audience, exp: false, nbf: false, iat: false }
  try {
    const payload = await verifyWithJwks(token, { keys: [key], allowedAlgorithms: ['RS256'], verification })
    return isValidAt(payload, nowMs) && typeof payload.email === 'string' && payload.email !== '' ? payload.email : null
  } catch {
    return null
  }
}

/** The library reads the clock itself and takes a token without an end, so the times are compared here. */
function isValidAt({ exp, nbf }: { exp?: unknown; nbf?: unknown }, nowMs: number): boolean {
  const nowSeconds = nowMs / 1000
  if (typeof exp !== 'number' || !(exp > nowSeconds)) return false
  return nbf === undefined || (typeof nbf === 'number' && nbf <= nowSeconds + CLOCKS_DIFFER_SECONDS)
}

function claimsOf(token: string): { kid: unknown; payload: Record<string, unknown> } | null {
  try {
    const { header, payload } = decode(token)
    return { kid: (header as { kid?: unknown }).kid, payload: payload as Record<string, unknown> }
  } catch {
    return null
  }
}

/** The public keys of a team, in the memory of this isolate. */
export class AccessKeys {
  readonly #fetch: FetchAccessKeys
  #keys: readonly AccessKey[] = []
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #failedAtMs = Number.NEGATIVE_INFINITY

  constructor(fetch: FetchAccessKeys) {
    this.#fetch = fetch
  }

  /**
   * Returns the key with this id; null if the team has none. Goes on with older keys while new ones cannot be had. Throws
   * `RegistryError` with `unavailable` if there are no keys at all.
   */
  async find(issuer: string, kid: string, nowMs: number): Promise<AccessKey | null> {
    const known = this.#named(kid)
    const ageMs = nowMs - this.#fetchedAtMs
    if (known ? ageMs < KEYS_FRESH_MS : ageMs < REFETCH_MS) return known
    if (nowMs - this.#failedAtMs >= RETRY_MS) await this.#refresh(issuer, nowMs)
    if (this.#keys.length === 0) throw unavailable()
    return this.#named(kid)
  }

  async #refresh(issuer: string, nowMs: number): Promise<void> {
    try {
      this.#keys = await this.#fetch(issuer)
      this.#fetchedAtMs = nowMs
    } catch {
      this.#failedAtMs = nowMs
    }
  }

  #named(kid: string): AccessKey | null {
    return this.#keys.find((key) => key.kid === kid) ?? null
  }
}
