/**
 * Contracts of the onboarding routes: a tenant's settings, and the onboarding of one customer.
 */
import { contract } from '../../../http/contract.ts'
import { secretRotate } from '../../../validation/fields.ts'
import { onboardingSettings, signalSent } from './schema.ts'

const SETTINGS = '/v1/settings/customer_onboarding'

export const onboardingContracts = {
  getSettings: contract({ method: 'get', path: SETTINGS, scope: 'onboarding:manage', touches: null }),
  replaceSettings: contract({
    method: 'put',
    path: SETTINGS,
    // The steps change customers on behalf of the caller that configured them, and send them to URLs of its choice.
    scope: ['onboarding:manage', 'customers:write', 'customers:read'],
    touches: null,
    versioned: true,
    body: { schema: onboardingSettings },
  }),
  rotateSecret: contract({
    method: 'post',
    path: `${SETTINGS}/rotate`,
    scope: 'onboarding:manage',
    touches: null,
    body: { schema: secretRotate, optional: true },
    idempotent: true,
  }),
  getRun: contract({ method: 'get', path: '/v1/customers/:id/onboarding', scope: 'customers:read', touches: null }),
  signal: contract({
    method: 'post',
    path: '/v1/customers/:id/onboarding/signal',
    scope: 'customers:write',
    touches: null,
    body: { schema: signalSent },
    idempotent: true,
  }),
  retry: contract({
    method: 'post',
    path: '/v1/customers/:id/onboarding/retry',
    scope: 'customers:write',
    touches: null,
    idempotent: true,
  }),
}
