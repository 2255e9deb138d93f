/**
 * Maps the decision of the lease, and the options of a request, to the failures of the registry.
 */
import { type Failure, RegistryError } from '../../registry/errors.ts'
import type { Admitted } from './admission.ts'
import type { ConsistencyToken } from './fresh-read.ts'

/** Returns the failure of a caller that needed these scopes; null if it is admitted. */
export function refusalOf({ admission, retryAfterMs, verdict }: Admitted, scopes: readonly string[]): Failure | null {
  switch (admission) {
    case 'admitted':
      return null
    case 'rate_limited':
      return { reason: 'rate_limited', retryAfterMs }
    case 'annual_limit':
      return { reason: 'annual_limit_reached', retryAfterMs }
    case 'suspended':
      return { reason: 'tenant_suspended' }
    case 'unknown_key':
      return { reason: 'unauthorized' }
    case 'missing_scope': {
      const held = verdict?.known ? verdict.scopes : []
      return { reason: 'missing_scope', scope: scopes.find((scope) => !held.includes(scope)) ?? '' }
    }
    case 'unavailable':
      return { reason: 'unavailable', retryAfterMs }
  }
}

/** Returns the token that a text stands for. Throws `invalid_option` for a text that is no token of this scope. */
export async function checkedToken(
  text: string,
  ports: { readToken(text: string): Promise<ConsistencyToken | null> },
): Promise<ConsistencyToken> {
  const token = await ports.readToken(text)
  if (token) return token
  throw new RegistryError({
    reason: 'invalid_option',
    option: 'consistencyToken',
    message: 'is not a token that a write of this tenant and mode answered',
    fix: 'send the token as a write answered it, or leave it out',
  })
}

export function missingScope(scope: string): RegistryError {
  return new RegistryError({ reason: 'missing_scope', scope })
}
