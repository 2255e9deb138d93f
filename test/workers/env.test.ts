/** Bindings and secrets: which of them a deployment refuses to start without, and which it can lack. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import example from '../../.dev.vars.example?raw'
import { createApp } from '../../src/app.ts'
import { services } from '../../src/composition/services.ts'
import { readEnv } from '../../src/env.ts'
import { ADMIN_KEY, newCustomer, newTenant, requestTo } from './support/roster.ts'

const bindings = (given: object) => ({ ...env, ALLOW_LOCAL_WEBHOOKS: 'false', ...given }) as Cloudflare.Env

describe('the secrets of .dev.vars.example', () => {
  const secrets = [...example.matchAll(/^(ADMIN_KEYS|SIGNING_SECRETS)=(.+)$/gm)]

  it.each(secrets.map(([, name = '', value = '']) => [name, value]))(
    '%s is accepted in development only',
    (name, value) => {
      for (const text of [value, `another-secret-of-24-letters,${value}`]) {
        for (const DEPLOYED of ['true', '', undefined]) {
          expect(() => readEnv(bindings({ [name]: text, DEPLOYED }))).toThrow(/its value from \.dev\.vars\.example/)
        }
        expect(readEnv(bindings({ [name]: text, DEPLOYED: 'false' }))).toBeDefined()
      }
    },
  )

  it('are two', () => expect(secrets).toHaveLength(2))
})

describe('a key of ADMIN_KEYS', () => {
  const keysOf = (ADMIN_KEYS: string) => readEnv(bindings({ ADMIN_KEYS })).adminKeys
  const secret = 'a-secret-of-24-characters'

  it('may have a name before a colon', () => {
    expect(keysOf(`alice:${secret},${secret}-2`)).toEqual([
      { actor: 'admin:alice', accepted: [secret, `alice:${secret}`] },
      { actor: 'admin', accepted: [`${secret}-2`] },
    ])
  })

  it.each([
    `:${secret}`,
    `a b:${secret}`,
    'a-long-name-of-an-operator:short',
    `alice:${secret}:${secret}`,
    `${'a'.repeat(33)}:${secret}`,
  ])('is refused as %s', (text) => expect(() => keysOf(text)).toThrow(/must be name:secret/))

  it('is none of .dev.vars.example, under a name either', () => {
    const ADMIN_KEYS = 'alice:local-admin-key-for-development'
    expect(() => readEnv(bindings({ ADMIN_KEYS, DEPLOYED: 'true' }))).toThrow(/its value from \.dev\.vars\.example/)
  })
})

it('has its databases by their numbers, and does not start with a gap', () => {
  const further = [{} as D1Database, {} as D1Database]
  expect(readEnv(bindings({})).databases).toEqual([env.DB])
  const { directory, databases } = readEnv(bindings({ DB_2: further[1], DB_1: further[0] }))
  expect([directory, databases[0]]).toEqual([env.DB, env.DB])
  expect([databases.length, databases.indexOf(further[0] as D1Database)]).toEqual([3, 1])
  expect(() => readEnv(bindings({ DB_1: further[0], DB_3: further[1] }))).toThrow(/binding DB_2 is missing/)
})

describe('a jurisdiction', () => {
  const namespace = () => {
    const asked: unknown[] = []
    const getByName = (...args: unknown[]) => asked.push(args)
    return { asked, getByName, jurisdiction: (name: string) => ({ getByName, name }) }
  }

  it('holds every gate and guard, without a hint where', () => {
    const [GATE, ADMIN_GUARD] = [namespace(), namespace()]
    const given = { GATE, ADMIN_GUARD, GATE_LOCATION_HINT: 'apac', DEPLOYED: 'true' }
    readEnv(bindings(given)).gateAt('a')
    const inside = readEnv(bindings({ ...given, JURISDICTION: 'eu', CACHE: undefined }))
    inside.gateAt('a')
    expect(GATE.asked).toEqual([
      ['a', { locationHint: 'apac' }],
      ['a', {}],
    ])
    expect(inside.adminGuards).toHaveProperty('name', 'eu')
    expect(inside.cache).toBeNull()
  })

  it('is refused with KV, which is everywhere, and KV is needed without one', () => {
    for (const DEPLOYED of ['true', 'false']) {
      expect(() => readEnv(bindings({ JURISDICTION: 'eu', DEPLOYED }))).toThrow(
        /CACHE is bound: .* remove that binding/,
      )
    }
    expect(() => readEnv(bindings({ CACHE: undefined }))).toThrow(/binding CACHE is missing/)
  })

  it('is one that D1 and Durable Objects have', () => {
    const given = { CACHE: undefined, GATE: namespace(), ADMIN_GUARD: namespace(), DEPLOYED: 'true' }
    for (const JURISDICTION of ['eu', 'us', 'fedramp'])
      expect(readEnv(bindings({ ...given, JURISDICTION }))).toBeDefined()
    expect(() => readEnv(bindings({ ...given, JURISDICTION: 'EU' }))).toThrow(
      /JURISDICTION is EU: use one of eu, us, fedramp/,
    )
  })
})

it('refuses requests for another host than those of ALLOWED_HOSTS, with any key, and without the setting none', async () => {
  const send = async (host: string, ALLOWED_HOSTS: string) => {
    const headers = { 'x-api-key': ADMIN_KEY }
    const context = { waitUntil() {}, passThroughOnException() {}, props: {} } as unknown as ExecutionContext
    const given = bindings({ ALLOWED_HOSTS })
    return (
      await createApp(services).fetch(requestTo(`http://${host}/admin/customers?limit=1`, { headers }), given, context)
    ).status
  }
  const allowed = example.match(/^ALLOWED_HOSTS=(.+)$/m)?.[1] ?? ''
  for (const host of ['localhost:8787', '127.0.0.1:8787', '[::1]:8787']) expect(await send(host, allowed)).toBe(200)
  for (const host of ['evil.example', 'localhost.evil.example:8787', '127.0.0.2'])
    expect(await send(host, allowed)).toBe(421)
  expect(await send('roster.example', '')).toBe(200)
})

it('serves without Analytics Engine, and counts nothing', async () => {
  const { live } = await newTenant()
  const { id } = await newCustomer(live.key)
  const without = bindings({ ANALYTICS: undefined, DEPLOYED: 'true' })
  expect(readEnv(without).analytics).toBeNull()
  const headers = { authorization: `Bearer ${live.key}` }
  const context = { waitUntil() {}, passThroughOnException() {}, props: {} } as unknown as ExecutionContext
  const answer = await createApp(services).fetch(requestTo(`/v1/customers/${id}`, { headers }), without, context)
  expect(answer.status).toBe(200)
})
