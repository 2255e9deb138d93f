/**
 * Puts a new secret before those that sign so far, wherever they are kept. Of two rotations at once one is made upon the
 * other: neither loses the secret that the other has told.
 */
import { Refused } from '../registry/failures.ts'
import { newSecret, rotated, type Secret } from './signature.ts'

/** Each signs everything that is sent. */
const SECRETS_MAX = 5
/** Rotations that come in each other's way. */
const ATTEMPTS_MAX = 3
const RETRY_AFTER_MS = 1_000

/** The new secret, and all that are to sign from now on, it first. */
interface Rotated {
  secret: string
  secrets: Secret[]
}

/**
 * `replace` reads what is kept, has it rotated, and writes it if it still is what was read; null when it was not. Those
 * before the new one sign along for `overlapMs`, so that receivers can change over.
 */
export async function rotateSecrets<Made>(
  { overlapMs, nowMs }: { overlapMs: number; nowMs: number },
  replace: (rotate: (seen: readonly Secret[]) => Rotated) => Promise<Made | null>,
): Promise<Made> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const made = await replace((seen) => {
      const secret = newSecret()
      const secrets = rotated(seen, secret, overlapMs, nowMs)
      if (secrets.length > SECRETS_MAX) throw tooMany()
      return { secret, secrets }
    })
    if (made !== null) return made
  }
  throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
}

function tooMany(): Refused {
  const message = `would have more than ${SECRETS_MAX} secrets sign at once`
  const fix = 'send 0, which ends those before, or wait until one ends'
  return new Refused({ reason: 'invalid_input', problems: [{ field: 'overlap_seconds', message, fix }] })
}
