/**
 * Signing secrets are stored sealed: nothing that Roster stores holds one in clear, a rotation of SIGNING_SECRETS loses
 * none, and nothing is sent unsigned when one cannot be opened.
 */
import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import { deliver } from '../../../src/composition/webhooks.ts'
import { deliverMessage } from '../../../src/events/messages.ts'
import { secretVault } from '../../../src/events/secret-vault.ts'
import { newId } from '../../../src/shared/ids.ts'
import { onboardingSettings } from '../../../src/storage/onboarding/settings.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { endpointStore } from '../../../src/storage/webhooks/endpoints.ts'
import { resealSecrets } from '../../../src/storage/webhooks/reseal.ts'
import { create, insertTenant } from '../storage/support.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { call, newTenant } from '../support/roster.ts'
import { attemptsAt, deliveriesTo, newEndpoint, vault } from './support.ts'

const HOOK = 'http://localhost:9/hook'
const OLD = 'an-older-signing-secret-0123456789'
const NEW = 'test-signing-secret-0123456789abcdef'

it('stores no secret of an endpoint or an onboarding in clear, however it was made', async () => {
  const { tenantId, live } = await newTenant()
  const send = (method: string, path: string, body?: object, key?: string) =>
    call(method, path, { key: live.key, body, headers: key ? { 'idempotency-key': key } : {} })
  const made = await send('POST', '/v1/webhooks/endpoints', { url: HOOK }, 'k1')
  const secrets: string[] = [made.body.secret]
  secrets.push((await send('POST', `/v1/webhooks/endpoints/${made.body.id}/rotate`, {}, 'k2')).body.secret)
  const steps = [{ type: 'webhook', url: HOOK }]
  secrets.push(
    (await send('PUT', '/v1/settings/customer_onboarding', { workflows: { default: { steps } } })).body.secret,
  )
  secrets.push((await send('POST', '/v1/settings/customer_onboarding/rotate', {}, 'k3')).body.secret)
  const stored = await everythingStored([`${tenantId}:live`])
  expect(stored).toContain(made.body.id)
  for (const secret of secrets) {
    expect(secret).toMatch(/^whsec_/)
    expect(stored).not.toContain(secret.slice('whsec_'.length))
  }
  expect(stored).not.toContain('whsec_')
})

it('seals by the newest signing secret and opens by all, and a sweep seals anew what an older one sealed', async () => {
  const scope = await insertTenant()
  const { id, secrets } = await newEndpoint(scope)
  const [old, both, alone] = [secretVault([OLD]), secretVault([NEW, OLD]), secretVault([NEW])]
  const sealed = await old.seal(secrets)
  await env.DB.prepare('UPDATE webhook_endpoints SET secrets = ?, sealed_by = ? WHERE id = ?')
    .bind(sealed.secrets, sealed.sealedBy, id)
    .run()
  const by = { precondition: null, secret: 'whsec_c2V0dGluZ3M=', actor: 'key_1', nowMs: 1 }
  await onboardingSettings(env.DB, scope, old).replace({ workflows: {} }, by)
  const read = async (one: typeof old) => [
    (await endpointStore(env.DB, scope, one).get(id))?.secrets,
    (await onboardingSettings(env.DB, scope, one).read())?.secrets.map(({ secret }) => secret),
  ]
  const whole = [secrets, [by.secret]]
  expect([await read(both), await read(alone)]).toEqual([whole, [[], []]])
  await resealSecrets(env.DB, both)
  expect([await read(alone), await read(old)]).toEqual([whole, [[], []]])
  expect(await resealSecrets(env.DB, both)).toBe(0)
})

it('looks once at what no signing secret opens, and leaves it as it is', async () => {
  const scope = await insertTenant()
  const { id, secrets } = await newEndpoint(scope)
  const lost = await secretVault([OLD]).seal(secrets)
  await env.DB.prepare('UPDATE webhook_endpoints SET secrets = ?, sealed_by = ? WHERE id = ?')
    .bind(lost.secrets, lost.sealedBy, id)
    .run()
  expect(await resealSecrets(env.DB, vault)).toBe(1)
  expect(await resealSecrets(env.DB, vault)).toBe(0)
  expect((await endpointStore(env.DB, scope, secretVault([NEW, OLD])).get(id))?.secrets).toEqual(secrets)
})

it('sends nothing unsigned: a delivery whose secret cannot be opened fails, and is attempted again', async () => {
  const scope = await insertTenant()
  const endpoint = await newEndpoint(scope, { url: HOOK })
  const { id } = await create(scope)
  const fetched = vi.spyOn(globalThis, 'fetch')
  try {
    const message = deliverMessage(scope, endpoint.id, id) as never
    await deliver(message, { ...env, SIGNING_SECRETS: OLD } as never, webhookOutbox(env.DB, newId))
    expect(fetched).not.toHaveBeenCalled()
  } finally {
    fetched.mockRestore()
  }
  const [delivery] = await deliveriesTo(endpoint)
  expect(delivery).toMatchObject({ status: 'pending', awaitsRetry: true })
  expect(await attemptsAt(delivery?.id ?? 0)).toMatchObject([{ error: 'secret_unreadable', statusCode: null }])
})
