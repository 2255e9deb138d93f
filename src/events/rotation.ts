/**
 * Adds a new secret before the current ones, in any store. Of two rotations at once the second builds on the first, so
 * no secret that was returned to a caller is lost.
 */
import { type RegistryError, ruledOut, unavailable } from '../registry/errors.ts'
import { newSecret, rotated, type Secret } from './signature.ts'

/** Every secret signs everything that is sent. */
const SECRETS_MAX = 5
/** Tries when other rotations change the secrets meanwhile. */
const ROTATION_ATTEMPTS_MAX = 3

/** The new secret, and all that sign from now on, beginning with it. */
interface Rotated {
  secret: string
  secrets: Secret[]
}

/**
 * Adds a new secret by `replace`, which reads the stored secrets, rotates them, and writes them if they are still those
 * it read; it returns null when they were not. Earlier secrets continue to sign for `overlapMs`, so that receivers can
 * change over.
 */
export async function rotateSecrets<Made>(
  { overlapMs, nowMs }: { overlapMs: number; nowMs: number },
  replace: (rotate: (seen: readonly Secret[]) => Rotated) => Promise<Made | null>,
): Promise<Made> {
  for (let attempt = 0; attempt < ROTATION_ATTEMPTS_MAX; attempt++) {
    const made = await replace((seen) => {
      const secret = newSecret()
      const secrets = rotated(seen, secret, overlapMs, nowMs)
      if (secrets.length > SECRETS_MAX) throw tooMany()
      return { secret, secrets }
    })
    if (made !== null) return made
  }
  throw unavailable()
}

function tooMany(): RegistryError {
  const message = `would have more than ${SECRETS_MAX} secrets sign at once`
  const fix = 'send 0, which ends those before, or wait until one ends'
  return ruledOut('overlap_seconds', message, fix)
}
