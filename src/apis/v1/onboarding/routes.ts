/**
 * Routes of onboarding: `/v1/settings/customer_onboarding`, the workflows that a tenant configures for its new
 * customers, and `/v1/customers/{id}/onboarding`, the progress of one customer.
 */

import { actingAuthorOf } from '../../../http/acting-author.ts'
import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { logChange } from '../../../http/change-log.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { Hono } from '../../../http/hono.ts'
import { tenantIdempotentRequest } from '../../../http/idempotency.ts'
import { respond, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import {
  type OnboardingDeps,
  readRun,
  readSettings,
  replaceSettings,
  retryRun,
  rotateSecret,
  signalRun,
} from '../../../onboarding/operations.ts'
import type { Run } from '../../../onboarding/run.ts'
import { toShownSettings } from '../../../onboarding/settings-format.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { onboardingContracts } from './contract.ts'
import { toSettings, toV1Run, toV1RunReference } from './mapping.ts'

export function v1Onboarding(services: Services) {
  const { getSettings, replaceSettings: replace, rotateSecret: rotate, getRun, signal, retry } = onboardingContracts

  function depsOf(c: HttpContext): OnboardingDeps {
    return services.onboarding(c.env, c.get('registry').scope, actingAuthorOf(c))
  }

  function idempotentRequestOf(c: HttpContext) {
    return tenantIdempotentRequest(c, services.bindings(c.env).signingSecrets)
  }

  return new Hono<HttpEnv>()
    .get(
      getSettings.path,
      getSettings.handle(async (c) => {
        const settings = await readSettings(depsOf(c))
        const etag = etagOf(settings.version)
        if (isNotModified(c.req.raw.headers, etag, 'setting')) return respondNotModified(c, etag)
        return respond(c, 200, toShownSettings(settings), { etag })
      }),
    )
    .put(
      replace.path,
      replace.handle(async (c, { body, precondition, actor }) => {
        const settings = await replaceSettings(depsOf(c), toSettings(body), { precondition, actor })
        logChange(c, 'onboarding_settings_replaced', { actor, version: settings.version })
        const secret = settings.secret === null ? {} : { secret: settings.secret }
        return respond(c, 200, { ...toShownSettings(settings), ...secret }, { etag: etagOf(settings.version) })
      }),
    )
    .post(
      rotate.path,
      rotate.handle(async (c, { body, actor }) => {
        const made = await rotateSecret(depsOf(c), body.overlap_seconds * 1_000, await idempotentRequestOf(c))
        logChange(c, 'onboarding_secret_rotated', { actor })
        return respond(c, 201, made)
      }),
    )
    .get(
      getRun.path,
      getRun.handle(async (c) => respond(c, 200, toV1Run(await readRun(depsOf(c), customerId(c))))),
    )
    .post(
      signal.path,
      signal.handle(async (c, { body, actor }) => {
        const run = await signalRun(depsOf(c), customerId(c), body.signal, await idempotentRequestOf(c))
        logChange(c, 'onboarding_signalled', { actor, customerId: run.customerId })
        return respondChanged(c, run)
      }),
    )
    .post(
      retry.path,
      retry.handle(async (c, { actor }) => {
        const run = await retryRun(depsOf(c), customerId(c), await idempotentRequestOf(c))
        logChange(c, 'onboarding_retried', { actor, customerId: run.customerId })
        return respondChanged(c, run)
      }),
    )
}

async function respondChanged(c: HttpContext, run: Run) {
  const mayRead = await c.get('registry').admission.has('customers:read')
  return respond(c, 202, mayRead ? toV1Run(run) : toV1RunReference(run))
}

/**
 * Returns the customer's id in the path. Throws `RegistryError` with `not_found` if it does not have the form of a
 * customer's id. The failure names the onboarding as missing, as for a customer without one.
 */
function customerId(c: HttpContext): string {
  const id = c.req.param('id') ?? ''
  if (!isId('customer', id)) throw notFound('onboarding')
  return id
}
