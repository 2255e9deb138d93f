/** Sign-in by Cloudflare Access: whose assertions count, by a team whose keys are made here and served in place of Cloudflare's. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { sign } from 'hono/utils/jwt/jwt'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../../../src/app.ts'
import { services } from '../../../../src/composition/services.ts'
import { AccessKeys } from '../../../../src/operators/access.ts'
import { newOperator, type TestOperator } from '../../support/operators.ts'
import { requestTo } from '../../support/roster.ts'

const ISSUER = 'https://acme.cloudflareaccess.com'
const CERTS = `${ISSUER}/cdn-cgi/access/certs`
const AUD = 'aud-of-roster'
const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}

type Jwk = JsonWebKey & { kid: string; alg: string }
interface Pair {
  privateKey: Jwk
  publicKey: Jwk
}

let own: Pair
let foreign: Pair
let next: Pair
let operator: TestOperator
/** The keys that the team serves, or null if it is away. */
let served: object | null
let fetched = 0

async function newPair(kid: string): Promise<Pair> {
  const pair = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair
  const exported = async (key: CryptoKey) => ({
    ...((await crypto.subtle.exportKey('jwk', key)) as JsonWebKey),
    kid,
    alg: 'RS256',
  })
  return { privateKey: await exported(pair.privateKey), publicKey: await exported(pair.publicKey) }
}

beforeAll(async () => {
  ;[own, foreign, next] = await Promise.all([newPair('k1'), newPair('k1'), newPair('k2')])
  operator = await newOperator('support')
})

beforeEach(() => {
  served = { keys: [own.publicKey] }
  fetched = 0
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    if (String(input) !== CERTS) return real(input, init)
    fetched++
    return served === null ? new Response('away', { status: 503 }) : Response.json(served)
  })
})
afterEach(() => vi.restoreAllMocks())

const nowSeconds = () => Math.floor(Date.now() / 1000)
const claims = (changes: object = {}) => ({
  ...{ iss: ISSUER, aud: [AUD], email: operator.email, sub: 'user', type: 'app' },
  ...{ iat: nowSeconds(), nbf: nowSeconds(), exp: nowSeconds() + 3600, ...changes },
})
const assertion = (changes: object = {}, key: Jwk = own.privateKey) => sign(claims(changes), key as never, 'RS256')

/** An isolate of a Roster with these variables. */
function isolate(variables: object = { ACCESS_TEAM_DOMAIN: 'acme.cloudflareaccess.com', ACCESS_AUD: AUD }) {
  const app = createApp(services)
  return async (token: string | null, { headers = {}, access, ...init }: RequestInit & { access?: object } = {}) => {
    const context = createExecutionContext()
    if (access) Object.defineProperty(context, 'access', { value: access })
    const sent = {
      'roster-console': '1',
      ...(token !== null && { 'cf-access-jwt-assertion': token }),
      ...(headers as object),
    }
    const path = init.method === 'POST' ? '/admin/session' : '/admin/me'
    const answer = await app.fetch(requestTo(path, { ...init, headers: sent }), { ...env, ...variables }, context)
    const body = (await answer.json()) as Record<string, unknown>
    await waitOnExecutionContext(context)
    return { status: answer.status, body, cookie: answer.headers.get('set-cookie') }
  }
}

describe('an assertion of Cloudflare Access', () => {
  it('signs in the operator with its address, in any case of ASCII letters', async () => {
    const send = isolate()
    const expected = { operator_id: operator.operatorId, role: 'support', via: 'access', session_id: null }
    expect(await send(await assertion())).toMatchObject({ status: 200, body: expected })
    expect((await send(await assertion({ email: operator.email.toUpperCase() }))).status).toBe(200)
    expect((await send(await assertion({ aud: AUD }))).status).toBe(200)
    expect(fetched).toBe(1)
  })

  it('starts a session', async () => {
    const { status, body, cookie } = await isolate()(await assertion(), { method: 'POST' })
    expect([status, body.via, cookie]).toEqual([201, 'session', expect.stringContaining('__Host-roster-session=os_')])
  })

  it.each<[string, () => Promise<string>]>([
    ['of an address that no operator has', () => assertion({ email: 'nobody@example.com' })],
    ['without an address', () => assertion({ email: undefined, common_name: 'service.access' })],
    ['with an address that is no text', () => assertion({ email: { at: 'x' } })],
    ['of another application', () => assertion({ aud: ['other'] })],
    ['without an application', () => assertion({ aud: undefined })],
    ['of another team', () => assertion({ iss: 'https://evil.cloudflareaccess.com' })],
    ['of another host that begins alike', () => assertion({ iss: `${ISSUER}.evil.example` })],
    ['that has ended', () => assertion({ exp: nowSeconds() - 1 })],
    ['without an end', () => assertion({ exp: undefined })],
    ['that begins later', () => assertion({ nbf: nowSeconds() + 300 })],
    ['signed by another key under the same name', () => assertion({}, foreign.privateKey)],
    ['signed with the public key as a secret', () => sign(claims(), JSON.stringify(own.publicKey), 'HS256')],
    ['without a signature', async () => `${btoa('{"alg":"none","kid":"k1"}')}.${btoa(JSON.stringify(claims()))}.`],
    ['that was cut', async () => (await assertion()).slice(0, -10)],
    ['that is none', async () => 'a.b.c'],
    ['that is empty', async () => ''],
  ])('is refused %s', async (_name, made) => {
    const { status, body } = await isolate()(await made())
    expect([status, body.code]).toEqual([401, 'unauthorized'])
  })

  it('counts only as the console sends it, because a browser sends it by itself', async () => {
    const send = isolate()
    const token = await assertion()
    expect((await send(token, { headers: { 'roster-console': '' } })).status).toBe(401)
    expect((await send(token, { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(401)
    expect((await send(token, { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(200)
  })

  it('signs nobody in where Access is not configured', async () => {
    expect((await isolate({})(await assertion())).status).toBe(401)
    expect(fetched).toBe(0)
  })

  it('is refused from the removal of its operator on', async () => {
    const send = isolate()
    const { operatorId, email } = await newOperator('viewer')
    const token = await assertion({ email })
    expect((await send(token)).status).toBe(200)
    await env.DB.prepare('DELETE FROM operator_keys WHERE operator_id = ?').bind(operatorId).run()
    await env.DB.prepare('DELETE FROM operators WHERE id = ?').bind(operatorId).run()
    expect((await send(token)).status).toBe(401)
  })
})

describe('the runtime of a Worker behind Access', () => {
  const identity = (email: string | undefined, aud = AUD) => ({ aud, getIdentity: async () => ({ email }) })

  it('says who the operator is', async () => {
    const { status, body } = await isolate()(null, { access: identity(operator.email) })
    expect([status, body.operator_id, body.via]).toEqual([200, operator.operatorId, 'access'])
    expect(fetched).toBe(0)
  })

  it('counts for the configured application only, and with the header of the console only', async () => {
    expect((await isolate()(null, { access: identity(operator.email, 'other') })).status).toBe(401)
    expect((await isolate({})(null, { access: identity(operator.email) })).status).toBe(401)
    expect((await isolate()(null, { access: identity(undefined) })).status).toBe(401)
    const headers = { 'roster-console': '' }
    expect((await isolate()(null, { access: identity(operator.email), headers })).status).toBe(401)
  })
})

describe('the keys of the team', () => {
  it('are fetched anew once for a key that is not known, and an invented one fetches nothing more for a minute', async () => {
    const send = isolate()
    expect((await send(await assertion())).status).toBe(200)
    served = { keys: [own.publicKey, next.publicKey] }
    for (let at = 0; at < 5; at++) expect((await send(await assertion({}, next.privateKey))).status).toBe(401)
    expect(fetched).toBe(1)
  })

  it('that cannot be had are 503 for assertions, and nothing for keys', async () => {
    served = null
    const send = isolate()
    expect((await send(await assertion())).status).toBe(503)
    expect((await send(null, { headers: { 'x-api-key': operator.key } })).status).toBe(200)
    expect((await send(await assertion({ iss: 'https://evil.cloudflareaccess.com' }))).status).toBe(401)
    expect(fetched).toBe(1)
  })

  it.each([{}, { keys: 'k1' }, { keys: Array(21).fill({}) }])('that are %o count as none', async (answer) => {
    served = answer
    expect((await isolate()(await assertion())).status).toBe(503)
  })

  it('are fetched after an hour, and older ones go on while the team is away', async () => {
    const named = (...kids: string[]) => kids.map((kid) => ({ kid, kty: 'RSA' }))
    let answer: ReturnType<typeof named> | null = named('a')
    let calls = 0
    const keys = new AccessKeys(async () => {
      calls++
      if (!answer) throw new Error('away')
      return answer
    })
    const at = (seconds: number, kid: string) => keys.find(ISSUER, kid, seconds * 1000).then((key) => key?.kid ?? null)
    expect([await at(0, 'a'), await at(1, 'a'), await at(59, 'b'), calls]).toEqual(['a', 'a', null, 1])
    answer = named('a', 'b')
    expect([await at(60, 'b'), await at(61, 'c'), calls]).toEqual(['b', null, 2])
    answer = null
    expect([await at(3_660, 'a'), await at(3_661, 'a'), calls]).toEqual(['a', 'a', 3])
    expect([await at(3_665, 'a'), calls]).toEqual(['a', 4])
  })
})
