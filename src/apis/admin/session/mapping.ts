/** Maps the operator who sends a request to this API. Pure. */
import type { OperatorPrincipal } from '../../../operators/operator.ts'
import { timeOrNull } from '../../../shared/clock.ts'

export function toAdminMe(operator: OperatorPrincipal) {
  return {
    operator_id: operator.operatorId,
    name: operator.name,
    email: operator.email,
    role: operator.role,
    via: operator.via,
    session_id: operator.sessionId,
    session_expires_at: timeOrNull(operator.sessionExpiresAtMs),
  }
}
