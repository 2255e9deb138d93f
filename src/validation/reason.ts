/** The reason that a caller gives for a change. It stands in the event log and in the audit, which people read. */

import { codePointLength } from '../registry/customer.ts'
import { RegistryError } from '../registry/errors.ts'
import { plainText, shown } from '../shared/shown-text.ts'

/** A reason is stored with the change for as long as its event. */
export const REASON_LENGTH_MAX = 500

/**
 * Returns the reason as it is stored. Throws `RegistryError` with `invalid_option` for one that is too long, or has
 * characters that a terminal acts on or that nobody sees.
 */
export function checkedReason(reason: string | null): string | null {
  if (reason === null) return reason
  const length = codePointLength(reason)
  if (length > REASON_LENGTH_MAX) {
    throw wrong(`is longer than ${REASON_LENGTH_MAX} characters: it has ${length}`, `say it in ${REASON_LENGTH_MAX}`)
  }
  if (plainText(reason) === reason) return reason
  throw wrong(`${shown(reason)} has control or invisible characters`, 'write it as plain text on one line')
}

function wrong(message: string, fix: string): RegistryError {
  return new RegistryError({ reason: 'invalid_option', option: 'reason', message, fix })
}
