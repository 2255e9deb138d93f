/**
 * Signs requests as Standard Webhooks 1.0 specifies, with the library that receivers verify with. While a secret is
 * being rotated, the old one signs too, so that a receiver can change over at any time.
 */
import { Webhook } from 'standardwebhooks'

export interface Secret {
  /** `whsec_` and base64. */
  secret: string
  /** When the secret stops signing; null until it is rotated out. */
  expiresAtMs: number | null
}

const SIGNING_SECRET_BYTES = 32
const PREFIX = 'whsec_'

export function newSecret(): string {
  return PREFIX + btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(SIGNING_SECRET_BYTES))))
}

/** Returns the three headers of Standard Webhooks. `id` is the same each time the same thing is sent. */
export function signatureHeaders(
  id: string,
  body: string,
  secrets: readonly Secret[],
  nowMs: number,
): Record<string, string> {
  const signatures = secrets
    .filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs)
    .map(({ secret }) => new Webhook(secret).sign(id, new Date(nowMs), body))
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(nowMs / 1000)),
    'webhook-signature': signatures.join(' '),
  }
}

/**
 * Returns the secrets with a new one in the first place. The others sign for `overlapMs` more, unless they expire
 * before.
 */
export function rotated(secrets: readonly Secret[], secret: string, overlapMs: number, nowMs: number): Secret[] {
  const untilMs = nowMs + overlapMs
  const before = secrets.map((old) => ({ ...old, expiresAtMs: Math.min(old.expiresAtMs ?? untilMs, untilMs) }))
  return [{ secret, expiresAtMs: null }, ...before.filter(({ expiresAtMs }) => expiresAtMs > nowMs)]
}
