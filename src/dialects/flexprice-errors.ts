/**
 * The shape of FlexPrice's errors, which its old and its new clients both parse. The v1 door and the operator's answer in it;
 * what they say is in the `failures.ts` of each.
 */
import type { InputProblem } from '../registry/failures.ts'

export interface Words {
  status: number
  code: string
  message: string
  details?: Record<string, unknown>
}

export function flexpriceError({ status, code, message, details = {} }: Words): { status: number; body: object } {
  const error = { message, internal_error: '' }
  return { status, body: { success: false, error, code, message, http_status_code: status, details } }
}

/** Told in one sentence, and field by field with the mend in `details.errors`. */
export function invalid(problems: InputProblem[]): Words {
  const message = problems.map(sentence).join('; ')
  return { status: 400, code: 'validation_error', message, details: { errors: problems } }
}

/** Without the mend, which `details.errors` has. */
export function sentence({ field, message }: InputProblem): string {
  return `${field === '' ? 'the body' : field} ${message}`
}

export function denied(reason: string, message: string, details: Record<string, unknown> = {}): Words {
  return { status: 403, code: 'permission_denied', message, details: { reason, ...details } }
}

export function limited(reason: string, message: string): Words {
  return { status: 429, code: 'too_many_requests', message, details: { reason } }
}
