/** The rules about operators that the database keeps, with the failure of each. Pure. */
import { RegistryError, ruledOut } from '../registry/errors.ts'

const FAILURES: Record<string, () => RegistryError> = {
  last_owner: () => new RegistryError({ reason: 'last_owner' }),
  'operators.email': () => new RegistryError({ reason: 'operator_email_taken' }),
  too_many_operators: () =>
    ruledOut('email', 'would be that of operator 1,001, and there may be 1,000', 'delete operators who have left'),
  too_many_operator_keys: () =>
    ruledOut('name', 'would be that of key 51, and an operator may have 50', 'revoke keys that are not used any more'),
  too_many_sign_in_links: () =>
    ruledOut(
      'operator_id',
      'has 20 sign-in links that were not used',
      'use one of them, or wait until they have expired',
    ),
}

/** Returns the error for a constraint or trigger of the tables of operators; null for any other. */
export function refusalBy(rule: string): RegistryError | null {
  return FAILURES[rule]?.() ?? null
}
