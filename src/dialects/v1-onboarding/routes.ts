/**
 * The door of onboarding: `/v1/settings/customer_onboarding`, where a tenant says what happens to its new customers, and
 * `/v1/customers/{id}/onboarding`, how far that has come.
 */
import { Hono } from 'hono'
import { answer } from '../../http/answer.ts'
import { admitFirst } from '../../http/authenticate.ts'
import { jsonBody, optionalJsonBody } from '../../http/body.ts'
import { logChange } from '../../http/change-log.ts'
import { etagOf, isNotModified, versionFromIfMatch } from '../../http/conditional.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { repeatableOfTenant } from '../../http/sealed-idempotency.ts'
import { noQuery, validJson } from '../../http/validate.ts'
import {
  type OnboardingDeps,
  readRun,
  readSettings,
  replaceSettings,
  rotateSecret,
  signalRun,
} from '../../onboarding/operations.ts'
import { Refused } from '../../registry/failures.ts'
import type { KeyScope } from '../../tenants/tenant.ts'
import type { Wiring } from '../../wiring.ts'
import { secretRotate } from '../fields.ts'
import { isCustomerId, onboardingSettings, signalSent } from './schema.ts'
import { toSettings, toV1Run, toV1Settings } from './translate.ts'

export function v1OnboardingSettings(wiring: Wiring) {
  const { enter, repeatableOf } = entrance(wiring)
  return new Hono<HttpEnv>()
    .get('/', noQuery, async (c) => {
      const { deps } = await enter(c, 'webhooks')
      const kept = await readSettings(deps)
      const etag = etagOf(kept.version)
      if (isNotModified(c.req.raw.headers.get('if-none-match'), etag)) return answer(c, 304, null, { etag })
      return answer(c, 200, toV1Settings(kept), { etag })
    })
    .put('/', admitFirst, noQuery, jsonBody, validJson(onboardingSettings), async (c) => {
      const { deps, actor } = await enter(c, 'webhooks')
      // What the steps change, they change in the name of whoever may.
      await enter(c, 'customers:write')
      const ifVersion = versionFromIfMatch(c.req.raw.headers.get('if-match'))
      const kept = await replaceSettings(deps, toSettings(c.req.valid('json')), { ifVersion, actor })
      logChange(c, 'onboarding_settings_replaced', { actor, version: kept.version })
      const secret = kept.secret === null ? {} : { secret: kept.secret }
      return answer(c, 200, { ...toV1Settings(kept), ...secret }, { etag: etagOf(kept.version) })
    })
    .post('/rotate', admitFirst, noQuery, optionalJsonBody, validJson(secretRotate), async (c) => {
      const { deps, actor } = await enter(c, 'webhooks')
      const overlapMs = c.req.valid('json').overlap_seconds * 1_000
      const made = await rotateSecret(deps, overlapMs, await repeatableOf(c))
      logChange(c, 'onboarding_secret_rotated', { actor })
      return answer(c, 201, made)
    })
}

export function v1CustomerOnboarding(wiring: Wiring) {
  const { enter, repeatableOf } = entrance(wiring)
  return new Hono<HttpEnv>()
    .get('/:id/onboarding', noQuery, async (c) => {
      const { deps } = await enter(c, 'customers:read')
      return answer(c, 200, toV1Run(await readRun(deps, customerId(c))))
    })
    .post('/:id/onboarding/signal', admitFirst, noQuery, jsonBody, validJson(signalSent), async (c) => {
      const { deps, actor } = await enter(c, 'customers:write')
      const { signal } = c.req.valid('json')
      const run = await signalRun(deps, customerId(c), signal, await repeatableOf(c))
      logChange(c, 'onboarding_signalled', { actor, customerId: run.customerId })
      return answer(c, 202, toV1Run(run))
    })
}

function entrance(wiring: Wiring) {
  return {
    /** Admits the caller, who must have the scope, and says who it is and what there is to work with. */
    async enter(c: HttpContext, scope: KeyScope): Promise<{ actor: string; deps: OnboardingDeps }> {
      const registry = c.get('registry')
      const actor = await registry.require(scope)
      return { actor, deps: wiring.onboarding(c.env, registry.scope) }
    },
    repeatableOf: (c: HttpContext) => repeatableOfTenant(c, wiring.bindings(c.env).signingSecrets),
  }
}

/** Another form can be no customer's, and whoever has none has no onboarding. */
function customerId(c: HttpContext): string {
  const id = c.req.param('id') ?? ''
  if (!isCustomerId(id)) throw new Refused({ reason: 'not_found', resource: 'onboarding' })
  return id
}
